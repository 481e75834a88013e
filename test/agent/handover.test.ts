import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { deserialize, serialize } from 'node:v8';
import { Link } from '../../src/agent/link.ts';
import type { Interval } from '../../src/protocol/interval.ts';
import { NET_DEV_HEADER } from '../support/fake-proc.ts';
import { GUARD, NOON, nextInterval, pass, setUp, welcomed } from './agent-rig.ts';
import { type Connection, FakeServer } from './fake-server.ts';

type Rig = Awaited<ReturnType<typeof setUp>>;

/** An agent that has been told its settings, at a moment after noon. */
async function running(t: TestContext, ms: number, settings = {}) {
  const rig = await setUp(t);
  await welcomed(rig.connection, settings);
  await pass(rig.clock, rig.connection, ms - 100);
  return { ...rig, file: join(rig.dir, 'data/agent/handover') };
}

async function handOver({ agent, clock }: Pick<Rig, 'agent' | 'clock'>): Promise<void> {
  const done = agent.handOver();
  // Nothing is done before the next whole second.
  clock.advance(999 - (clock.wallMs % 1_000));
  await setImmediate();
  clock.advance(3);
  await done;
}

/** The next agent, some time later. */
async function goOn(rig: Rig, afterMs: number, settings = {}): Promise<Connection> {
  rig.clock.advance(afterMs);
  rig.start();
  const connection = await rig.server.connection();
  await welcomed(connection, settings);
  return connection;
}

/** Those that wait to be taken, each acknowledged. */
async function intervals(connection: Connection, count: number): Promise<Interval[]> {
  const found: Interval[] = [];
  while (found.length < count) {
    const interval = await nextInterval(connection);
    found.push(interval);
    connection.send({ type: 'ack', endMs: interval.endMs });
  }
  return found;
}

const spans = (found: readonly Interval[]) => found.map(({ startMs, endMs }) => [startMs - NOON, endMs - NOON]);

/** CPU time of mysqld, of 1/100 s. */
const ticks = (found: readonly Interval[]): number =>
  found.reduce((sum, { startMs, endMs, processes }) => {
    const row = processes.find(({ pid }) => pid === 7);
    return sum + ((row?.cpuPercent ?? 0) * (endMs - startMs)) / 1_000;
  }, 0);

test('goes on for the agent before it: no gap, nothing twice, an early first interval', GUARD, async (t) => {
  const send = t.mock.method(Link.prototype, 'sendIntervals');
  const rig = await running(t, 12_100);
  const { clock, proc, connection, file, troubles } = rig;
  const used = (utime: number) => proc.process({ pid: 7, comm: 'mysqld', utime: 100 + utime });
  used(30);
  const before = await intervals(connection, 1);
  await handOver(rig);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  used(70);
  const second = await goOn(rig, 700);
  assert.equal(existsSync(file), false);
  used(95);
  await pass(clock, second, 7_000);
  const after = await intervals(second, 3);
  assert.deepEqual(spans([...before, ...after]), [
    [100, 10_000],
    [10_000, 13_000],
    [13_000, 16_000],
    [16_000, 20_000],
  ]);
  assert.deepEqual(
    after.map((interval) => Math.round(ticks([interval]))),
    [30, 65, 0],
  );
  assert.deepEqual(
    after.map(({ samples }) => samples),
    [3, 3, 4],
  );
  while (send.mock.callCount() < 4) await setImmediate();
  assert.deepEqual(
    send.mock.calls.map(({ arguments: [withinMs] }) => withinMs),
    // What one agent alone ends is waited for.
    [1_000, 0, 0, 1_000],
  );
  assert.deepEqual(troubles, []);
});

test('measures its first sample at once, and against the last one of the agent before', GUARD, async (t) => {
  const rig = await running(t, 5_100);
  await handOver(rig);
  rig.proc.process({ pid: 7, comm: 'mysqld', utime: 135 });
  const second = await goOn(rig, 500);
  // There was nobody to send it to before the welcome.
  const first = await second.next('beat');
  rig.clock.advance(498);
  const { usage, atMs } = await second.next('beat');
  assert.deepEqual([first.atMs - NOON, atMs - NOON, usage.cpuPercent], [6_502, 7_000, 200]);
  await pass(rig.clock, second, 3_000);
  const [, interval] = await intervals(second, 2);
  assert.deepEqual([interval?.samples, Math.round(ticks([interval as Interval]))], [4, 35]);
});

test('knows what disks and interfaces did between the two agents', GUARD, async (t) => {
  const settings = { mounts: ['/'] };
  const rig = await running(t, 500, settings);
  const { proc, clock } = rig;
  const count = (bytes: number): void => {
    proc.write('self/mountinfo', '22 1 254:0 / / rw - ext4 /dev/vda rw\n');
    proc.write('diskstats', ` 254       0 vda 10 0 ${bytes / 512} 4 20 0 160 8 0 12 12 0 0 0 0 0 0\n`);
    proc.write('net/dev', `${NET_DEV_HEADER}  eth0: ${bytes} 0 0 0 0 0 0 0 0 0\n`);
  };
  count(0);
  await pass(clock, rig.connection, 1_600);
  await handOver(rig);
  count(3 * 51_200);
  const second = await goOn(rig, 100, settings);
  // Less than a second past the end: a file system has that long to say its size, by this clock.
  await pass(clock, second, 3_500);
  const [, interval] = await intervals(second, 2);
  assert.deepEqual(spans([interval as Interval]), [[3_000, 6_000]]);
  // 3 s, less the 2 ms that the last sample came late.
  assert.equal(interval?.interfaces?.[0]?.inBytesPerSec, Math.round((3 * 51_200) / 2.998));
  assert.equal(interval?.disks[0]?.readBytesPerSec, Math.round((3 * 51_200) / 2.998));
});

test('takes no sample for its own sake where the next one is near', GUARD, async (t) => {
  const rig = await running(t, 5_100);
  await handOver(rig);
  const second = await goOn(rig, 700);
  await pass(rig.clock, second, 4_000);
  const [, interval] = await intervals(second, 2);
  assert.deepEqual([spans([interval as Interval]), interval?.samples], [[[6_000, 9_000]], 3]);
});

test('ends its first interval early although no sample is due then', GUARD, async (t) => {
  const settings = { sampleMs: 5_000 };
  const rig = await running(t, 12_100, settings);
  await handOver(rig);
  const second = await goOn(rig, 500, settings);
  await pass(rig.clock, second, 7_000);
  assert.deepEqual(spans(await intervals(second, 4)), [
    [100, 10_000],
    [10_000, 13_000],
    [13_000, 16_000],
    [16_000, 20_000],
  ]);
});

for (const [title, atMs, ends] of [
  ['right after an interval has ended, in the same second', 10_100, [100, 10_000, 11_000, 14_000]],
  ['on a boundary', 9_100, [100, 10_000, 13_000]],
] satisfies [string, number, number[]][])
  test(`hands over ${title}`, GUARD, async (t) => {
    const rig = await running(t, atMs);
    await handOver(rig);
    const second = await goOn(rig, 300);
    await pass(rig.clock, second, 3_000);
    const found = spans(await intervals(second, ends.length - 1));
    assert.deepEqual(
      found,
      found.map((_, index) => [ends[index], ends[index + 1]]),
    );
  });

test('a boundary between the two agents ends the first interval', GUARD, async (t) => {
  const rig = await running(t, 8_100);
  await handOver(rig);
  const second = await goOn(rig, 1_500);
  await pass(rig.clock, second, 10_000);
  assert.deepEqual(spans(await intervals(second, 3)), [
    [100, 9_000],
    [9_000, 10_000],
    [10_000, 20_000],
  ]);
});

test('hands over again and again', GUARD, async (t) => {
  const rig = await running(t, 1_100);
  let { agent } = rig;
  for (let handovers = 0; handovers < 3; handovers += 1) {
    await handOver({ ...rig, agent });
    rig.clock.advance(200);
    agent = rig.start();
    await rig.server.connection();
  }
  await handOver({ ...rig, agent });
  const last = await goOn(rig, 100);
  await pass(rig.clock, last, 5_000);
  assert.deepEqual(spans(await intervals(last, 5)), [
    [100, 2_000],
    [2_000, 3_000],
    [3_000, 4_000],
    [4_000, 5_000],
    [5_000, 8_000],
  ]);
});

test('leaves no two intervals with one end when the clock is set back between the agents', GUARD, async (t) => {
  const rig = await running(t, 15_100);
  await handOver(rig);
  rig.clock.wallMs -= 4_000;
  const second = await goOn(rig, 300);
  await pass(rig.clock, second, 20_000);
  assert.deepEqual(
    (await intervals(second, 4)).map(({ endMs }) => endMs - NOON),
    [10_000, 16_000, 17_000, 20_000],
  );
});

test('connects to the server first that the agent before was connected to', GUARD, async (t) => {
  const rig = await running(t, 1_100);
  await handOver(rig);
  const other = await FakeServer.start(t);
  let hasMoved = false;
  other.once('connection', () => {
    hasMoved = true;
  });
  rig.start([other.url, rig.server.url]);
  await rig.server.connection();
  assert.equal(hasMoved, false);
});

test('goes on as before when the disk does not take what it leaves', GUARD, async (t) => {
  const rig = await running(t, 1_100);
  const { agent, clock, connection, dir, file } = rig;
  mkdirSync(`${file}.partial`);
  await assert.rejects(handOver(rig), /EISDIR/);
  await pass(clock, connection, 2_000);
  const beats = connection.taken('beat').map(({ atMs }) => atMs - NOON);
  assert.deepEqual(beats.slice(-2), [3_000, 4_000]);
  rmSync(`${file}.partial`, { recursive: true });
  rmSync(join(dir, 'data/agent/outbox'), { recursive: true });
  await assert.rejects(handOver({ agent, clock }), /^Error: intervals are kept in memory only: ENOENT/);
  assert.equal(existsSync(file), false);
});

test('keeps what waits in the outbox for the next agent', GUARD, async (t) => {
  const rig = await running(t, 12_100);
  await handOver(rig);
  assert.equal((await rig.connection.closed).code, 1_000);
  rig.start();
  const hello = await (await rig.server.connection()).next('hello');
  assert.equal(hello.outbox.waiting, 2);
});

/** What a test does to a handover before the next agent finds it, and what that one says. */
const UNUSABLE: [title: string, spoil: (content: { [key: string]: unknown }, rig: Rig) => Buffer, said: RegExp][] = [
  ['is cut short', (content) => serialize(content).subarray(0, 300), /it is damaged$/],
  ['is empty', () => Buffer.alloc(0), /it is damaged$/],
  ['is no handover', () => serialize(null), /it is damaged$/],
  ['has no end of the last interval', (content) => without(content, 'recorder'), /it is damaged$/],
  ['has no snapshot', (content) => without(content, 'baseline'), /it is damaged$/],
  ['is of another format', (content) => serialize({ ...content, format: 0 }), /it is of format 0, not \d+$/],
  ['is of another boot', (content) => serialize({ ...content, bootId: 'x' }), /before the machine was started anew$/],
  ['is of a later moment', (content) => serialize({ ...content, writtenAtMs: 1e12 }), /it is -\d+ s old$/],
  [
    'is too old',
    (content, { clock }) => {
      clock.advance(60_001);
      return serialize(content);
    },
    /it is 60 s old$/,
  ],
];

function without(content: { [key: string]: unknown }, key: string): Buffer {
  return serialize({ ...content, handover: { ...(content.handover as object), [key]: undefined } });
}

for (const [title, spoil, said] of UNUSABLE)
  test(`begins afresh, and says so, when what it is handed ${title}`, GUARD, async (t) => {
    const rig = await running(t, 1_100);
    await handOver(rig);
    writeFileSync(rig.file, spoil(deserialize(readFileSync(rig.file)), rig));
    rig.proc.process({ pid: 7, comm: 'mysqld', utime: 150 });
    const second = await goOn(rig, 300);
    assert.match(rig.troubles.join('\n'), said);
    assert.equal(existsSync(rig.file), false);
    rig.clock.advance(400);
    const { usage } = await second.next('beat');
    assert.equal(usage.unattributed.cpuPercent, 200, 'nothing of the time before is charged');
  });

test('begins afresh, and says so, when nothing can be measured against what it is handed', GUARD, async (t) => {
  const rig = await running(t, 1_100);
  await handOver(rig);
  const content = deserialize(readFileSync(rig.file));
  content.handover.baseline.carry = { debits: 'none', reapers: [1] };
  content.handover.baseline.zombies = new Map([[7, undefined]]);
  writeFileSync(rig.file, serialize(content));
  const second = await goOn(rig, 300);
  rig.proc.process({ pid: 7, comm: 'mysqld', utime: 150 });
  await pass(rig.clock, second, 2_000);
  assert.match(rig.troubles.join('\n'), /^begins afresh, as nothing can be measured/);
  assert.equal(rig.troubles.length, 1);
  assert.deepEqual((await second.next('beat')).culprits.cpu?.[0]?.pid, 7);
});
