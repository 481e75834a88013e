import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Link } from '../../src/agent/link.ts';
import { beatSchema } from '../../src/protocol/message.ts';
import { NET_DEV_HEADER } from '../support/fake-proc.ts';
import { GUARD, NOON, nextInterval, pass, setUp, welcomed } from './agent-rig.ts';
import { SETTINGS } from './fake-server.ts';

const WATCH = { type: 'watch', id: 1, query: { view: 'processes', sort: 'cpu', limit: 1 }, ttlMs: 60_000 };

test('takes its first sample after 0.4 s and then one on each whole period', GUARD, async (t) => {
  // Half a core, in microseconds for the 400 ms.
  t.mock.method(process, 'cpuUsage', () => ({ user: 150_000, system: 50_000 }));
  const { clock, proc, connection } = await setUp(t);
  await welcomed(connection);
  proc.process({ pid: 7, comm: 'mysqld', utime: 120 });
  clock.advance(400);
  const beat = beatSchema.parse(await connection.next('beat'));
  assert.equal(beat.atMs, NOON + 500);
  assert.equal(beat.usage.cpuPercent, 200);
  assert.deepEqual(beat.culprits.cpu, [{ instance: 'mysqld:3307', pid: 7, value: 50 }]);
  assert.equal(beat.agent.cpuPercent, 50);
  assert.ok(beat.agent.rssBytes > 0);
  assert.equal(beat.message, undefined);
  clock.advance(2_000);
  assert.deepEqual(
    [await connection.next('beat'), await connection.next('beat')].map(({ atMs }) => atMs - NOON),
    [1_000, 2_000],
  );
});

test('tells a server that welcomes it of the last sample that nobody heard of, once', GUARD, async (t) => {
  const { clock, connection } = await setUp(t);
  clock.advance(400);
  await welcomed(connection);
  assert.deepEqual(
    connection.taken('beat').map(({ atMs }) => atMs - NOON),
    [500],
  );
  await welcomed(connection);
  assert.deepEqual(connection.taken('beat'), []);
  clock.advance(500);
  await connection.next('beat');
  await welcomed(connection);
  assert.deepEqual(connection.taken('beat'), []);
});

test('tells who moved what over the network, in beats, rows and intervals', GUARD, async (t) => {
  const { clock, agent, proc, connection, network } = await setUp(t);
  await welcomed(connection, { intervalMs: 1_000 });
  connection.send({ ...WATCH, query: { ...WATCH.query, details: true } });
  const eth0 = (bytes: number): void =>
    proc.write('net/dev', `${NET_DEV_HEADER}  eth0: ${bytes} 0 0 0 0 0 0 0 ${bytes} 0\n`);
  eth0(0);
  clock.advance(400);
  await connection.next('beat');
  await connection.next('rows');
  network.tell(7, { inBytes: 2_000, outBytes: 500, loopbackInBytes: 4_000 });
  eth0(3_000);
  clock.advance(500);
  const beat = beatSchema.parse(await connection.next('beat'));
  assert.deepEqual([beat.netSource, beat.usage.netInBytesPerSec], ['bpf', 6_000]);
  assert.deepEqual(beat.network?.interfaces, [{ name: 'eth0', inBytesPerSec: 6_000, outBytesPerSec: 6_000 }]);
  assert.deepEqual(beat.culprits['net-in'], [{ instance: 'mysqld:3307', pid: 7, value: 4_000 }]);
  const [row] = (await connection.next('rows')).rows;
  assert.ok(row !== undefined && 'pid' in row);
  assert.deepEqual([row.netInBytesPerSec, row.netOutBytesPerSec, row.loopbackInBytesPerSec], [4_000, 1_000, 8_000]);
  assert.deepEqual(row.endpoints, [
    { localPort: 3307, remoteAddress: '10.0.0.9', inBytesPerSec: 4_000, outBytesPerSec: 1_000 },
  ]);
  clock.advance(1_000);
  const interval = await nextInterval(connection);
  assert.equal(interval.processes.find(({ pid }) => pid === 7)?.netInBytesPerSecMax, 4_000);
  assert.equal(interval.endpoints?.[0]?.instance, 'mysqld:3307');
  assert.equal(interval.interfaces?.[0]?.inBytesPerSecMax, 6_000);
  agent.stop();
  assert.equal(network.isClosed, true);
});

test(
  'samples less often when that would cost more than its budget, and as told while somebody looks',
  GUARD,
  async (t) => {
    t.mock.method(process, 'cpuUsage', () => ({ user: 50_000, system: 0 }));
    const { clock, connection } = await setUp(t);
    await welcomed(connection, { sampleMs: 1_000, intervalMs: 12_000, cpuBudgetPercent: 2 });
    const beats = async (ms: number): Promise<number[]> => {
      await pass(clock, connection, ms);
      return connection.taken('beat').map(({ atMs }) => (atMs - NOON) / 1_000);
    };
    // Ten samples are taken as told; 50 ms of CPU time are 2 % of 2.5 s, and 3 s divide the interval.
    assert.deepEqual(await beats(18_000), [0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 18]);
    connection.send(WATCH);
    await connection.settled();
    assert.deepEqual(await beats(3_000), [19, 20, 21]);
    connection.send({ type: 'unwatch', id: 1 });
    await connection.settled();
    const later = await beats(9_000);
    assert.deepEqual(
      later.slice(-2).map((at) => at % 3),
      [0, 0],
    );
    assert.ok(later.length <= 4, `${later}`);
  },
);

test('answers a new watch at once, and again with each sample until it ends', GUARD, async (t) => {
  const { clock, connection } = await setUp(t);
  await welcomed(connection);
  clock.advance(400);
  connection.send(WATCH);
  const [row] = (await connection.next('rows')).rows;
  assert.ok(row !== undefined && 'pid' in row);
  assert.deepEqual([row.host, row.instance, row.cpuPercent], ['db1', 'mysqld:3307', 0]);
  clock.advance(500);
  assert.equal((await connection.next('rows')).atMs, NOON + 1_000);
  connection.send({ type: 'unwatch', id: 1 });
  await connection.settled();
  clock.advance(1_000);
  await connection.settled();
  assert.deepEqual(connection.taken('rows'), []);
});

test('forgets watches when the connection is lost', GUARD, async (t) => {
  t.mock.method(Math, 'random', () => 0);
  const { clock, agent, server, connection } = await setUp(t);
  await welcomed(connection);
  connection.send(WATCH);
  await connection.settled();
  const lost = new Promise<void>((resolve) => agent.on('status', ({ state }) => state === 'lost' && resolve()));
  connection.socket.terminate();
  await lost;
  clock.advance(1);
  const second = await server.connection();
  await welcomed(second);
  clock.advance(3_000);
  await second.next('beat');
  await second.settled();
  assert.deepEqual(second.taken('rows'), []);
});

test('lives with a filter that cannot be read', GUARD, async (t) => {
  const { clock, troubles, connection } = await setUp(t);
  await welcomed(connection);
  connection.send({ ...WATCH, query: { ...WATCH.query, filter: '((' } });
  await connection.settled();
  assert.match(troubles.join(), /^the filter "\(\(" cannot be read/);
  clock.advance(400);
  await connection.next('beat');
});

test('says what went wrong in a sample, and takes the next', GUARD, async (t) => {
  const { clock, proc, troubles, connection } = await setUp(t);
  await welcomed(connection);
  clock.advance(400);
  await connection.next('beat');
  proc.remove('stat');
  clock.advance(500);
  assert.deepEqual(troubles, [`${proc.procRoot}/stat is gone`]);
  proc.cpu({});
  clock.advance(1_000);
  assert.equal((await connection.next('beat')).atMs, NOON + 2_000);
});

test('says how much of the disk use is hidden', GUARD, async (t) => {
  const { clock, proc, connection } = await setUp(t);
  await welcomed(connection);
  proc.process({ pid: 8 });
  clock.advance(400);
  assert.match((await connection.next('beat')).message ?? '', /^disk use of 1 of 2 processes is hidden /);
});

test('closes intervals on the wall clock, each as long as the samples say, without a gap', GUARD, async (t) => {
  const { clock, proc, connection } = await setUp(t);
  await welcomed(connection);
  await pass(clock, connection, 10_000);
  proc.process({ pid: 7, comm: 'mysqld', utime: 250 });
  await pass(clock, connection, 20_000);
  const intervals = [await nextInterval(connection), await nextInterval(connection), await nextInterval(connection)];
  assert.deepEqual(
    intervals.map(({ startMs, endMs, samples }) => [startMs - NOON, endMs - NOON, samples]),
    [
      [100, 10_000, 11],
      [10_000, 20_000, 10],
      [20_000, 30_000, 10],
    ],
  );
  const mysqld = intervals[1]?.processes.find(({ pid }) => pid === 7);
  assert.deepEqual([mysqld?.instance, mysqld?.cpuPercentMax], ['mysqld:3307', 150]);
});

test('has a tenth of its length for sending an interval that all hosts end', GUARD, async (t) => {
  const send = t.mock.method(Link.prototype, 'sendIntervals');
  const { clock, connection } = await setUp(t);
  await welcomed(connection);
  await pass(clock, connection, 10_000);
  assert.equal((await nextInterval(connection)).endMs, NOON + 10_000);
  assert.deepEqual(
    send.mock.calls.map(({ arguments: [withinMs] }) => withinMs),
    [1_000],
  );
});

test('gives freed memory back after each interval', GUARD, async (t) => {
  const { clock, connection, trim } = await setUp(t);
  await welcomed(connection);
  await pass(clock, connection, 9_000);
  assert.equal(trim.mock.callCount(), 0);
  await pass(clock, connection, 11_000);
  await nextInterval(connection);
  await nextInterval(connection);
  await pass(clock, connection, 1_000);
  assert.equal(trim.mock.callCount(), 2);
});

test('keeps intervals apart that end at the same time twice, as the clock was set back', GUARD, async (t) => {
  const { clock, connection } = await setUp(t);
  await welcomed(connection);
  const ends = async (count: number): Promise<number[]> => {
    const found: number[] = [];
    while (found.length < count) {
      const { endMs } = await nextInterval(connection);
      found.push(endMs - NOON);
      connection.send({ type: 'ack', endMs });
    }
    return found;
  };
  await pass(clock, connection, 30_000);
  assert.deepEqual(await ends(3), [10_000, 20_000, 30_000]);
  clock.wallMs -= 20_000;
  await pass(clock, connection, 20_000);
  assert.deepEqual(await ends(3), [11_000, 21_000, 31_000]);
  clock.wallMs -= 10_000;
  await pass(clock, connection, 10_000);
  assert.deepEqual(await ends(2), [22_000, 32_000]);
  clock.wallMs += 3_600_000;
  await pass(clock, connection, 10_000);
  assert.deepEqual(await ends(2), [3_632_000, 3_642_000]);
});

test('begins with a whole interval when its length is changed', GUARD, async (t) => {
  const { clock, connection } = await setUp(t);
  await welcomed(connection);
  await pass(clock, connection, 12_000);
  connection.send({ type: 'settings', settings: { ...SETTINGS, intervalMs: 4_000, sampleMs: 500 } });
  await connection.settled();
  await pass(clock, connection, 8_000);
  const intervals = [await nextInterval(connection), await nextInterval(connection), await nextInterval(connection)];
  assert.deepEqual(
    intervals.map(({ endMs, samples }) => [endMs - NOON, samples]),
    [
      [10_000, 11],
      [16_000, 10],
      [20_000, 8],
    ],
  );
});

test('keeps measuring as it was told when it starts before its server', GUARD, async (t) => {
  const { clock, dir, agent, server, start, connection } = await setUp(t);
  await welcomed(connection, { intervalMs: 5_000 });
  const file = join(dir, 'data/agent/settings.json');
  assert.equal(JSON.parse(readFileSync(file, 'utf8')).intervalMs, 5_000);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  agent.stop();
  start();
  clock.advance(16_000);
  const second = await server.connection();
  await welcomed(second);
  assert.deepEqual(
    [await nextInterval(second), await nextInterval(second)].map(({ endMs }) => endMs - NOON),
    [5_000, 10_000],
  );
});

test('waits for its server’s word when the settings it kept are damaged', GUARD, async (t) => {
  const { clock, dir, agent, server, start, connection } = await setUp(t);
  await welcomed(connection);
  agent.stop();
  writeFileSync(join(dir, 'data/agent/settings.json'), '{"intervalMs":');
  start();
  clock.advance(25_000);
  const second = await server.connection();
  assert.equal((await second.next('hello')).outbox.waiting, 0);
  await welcomed(second);
  await pass(clock, second, 20_000);
  assert.equal((await nextInterval(second)).endMs - NOON, 30_000);
});

test('stops for good', GUARD, async (t) => {
  const { clock, proc, agent, troubles, connection } = await setUp(t);
  await welcomed(connection);
  clock.advance(400);
  agent.stop();
  proc.remove('stat');
  const taken = connection.taken('beat').length;
  clock.advance(5_000);
  assert.equal((await connection.closed).code, 1_000);
  assert.ok(connection.taken('beat').length + taken <= 1);
  assert.deepEqual(troubles, []);
});
