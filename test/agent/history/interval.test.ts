import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IntervalBuilder } from '../../../src/agent/history/interval.ts';
import { Identities } from '../../../src/agent/identity/identity.ts';
import type { Sample } from '../../../src/agent/sampler.ts';
import { type Interval, type IntervalProcess, intervalSchema } from '../../../src/protocol/interval.ts';
import type { Rules } from '../../../src/protocol/message.ts';
import { FakeProc } from '../../support/fake-proc.ts';
import { scratchFolder } from '../../support/scratch.ts';
import { bareIdentities, sample } from '../samples.ts';
import { countersOf, type ProcessFields, snapshot, T0_MS } from '../snapshots.ts';

const PAGE = 4_096;
/** Nothing is recorded but what a test asks for. */
const NEVER: Rules = {
  cpuPercent: 1e9,
  memBytes: 1e15,
  ioBytesPerSec: 1e15,
  netBytesPerSec: 1e15,
  queue: 1e9,
  utilPercent: 101,
  top: 0,
};
const ALL: Rules = { ...NEVER, cpuPercent: 0, memBytes: 0, ioBytesPerSec: 0 };

function setUp() {
  const identities = bareIdentities();
  const builder = new IntervalBuilder(identities, PAGE);
  const add = (...args: Parameters<typeof sample>): Sample => {
    const taken = sample(...args);
    identities.update(taken.snapshot);
    builder.add(taken);
    return taken;
  };
  return { builder, add };
}

function row({ processes }: Interval, pid: number): IntervalProcess | undefined {
  return processes.find((process) => process.pid === pid);
}

const pids = ({ processes }: Interval): number[] => processes.map(({ pid }) => pid);

test('averages over the whole interval and keeps the maxima of its samples', () => {
  const { builder, add } = setUp();
  add(snapshot(1, { 10: { rssPages: 100 } }), { 10: { cpuTicks: 50, writeBytes: 4_000 } });
  add(
    snapshot(4, { 10: { rssPages: 200 } }),
    { 10: { cpuTicks: 30 } },
    { durationMs: 3_000, host: { cpuPercent: 20 } },
  );
  const interval = builder.close(T0_MS + 4_000, ALL);
  const { cpuPercent, cpuPercentMax, writeBytesPerSec, writeBytesPerSecMax, rssBytes, rssBytesMax } =
    row(interval, 10) ?? {};
  assert.deepEqual([cpuPercent, cpuPercentMax], [20, 50]);
  assert.deepEqual([writeBytesPerSec, writeBytesPerSecMax], [1_000, 4_000]);
  assert.deepEqual([rssBytes, rssBytesMax], [175 * PAGE, 200 * PAGE]);
  assert.deepEqual([interval.startMs, interval.endMs, interval.samples], [T0_MS, T0_MS + 4_000, 2]);
  assert.equal(interval.host.cpuPercent, (310.7 + 3 * 20) / 4);
  assert.equal(interval.hostMax.cpuPercent, 310.7);
  assert.deepEqual(intervalSchema.parse(interval), interval);
});

test('records a process whose largest sample reaches a threshold', () => {
  const thresholds: readonly [Partial<Rules>, expected: number[]][] = [
    [{ cpuPercent: 60 }, [10]],
    [{ cpuPercent: 60.001 }, []],
    [{ memBytes: 500 * PAGE }, [11]],
    [{ ioBytesPerSec: 900 }, [12, 13]],
    [{ top: 1 }, [10, 11, 12, 13]],
    [{ top: 2 }, [10, 12, 11, 1, 13]],
  ];
  for (const [rules, expected] of thresholds) {
    const { builder, add } = setUp();
    const processes = { 10: { rssPages: 1 }, 11: { rssPages: 500 }, 12: {}, 13: {} };
    add(snapshot(1, processes), { 10: { cpuTicks: 60 }, 12: { cpuTicks: 1, readBytes: 900 }, 13: { writeBytes: 901 } });
    add(snapshot(2, processes));
    assert.deepEqual(pids(builder.close(T0_MS + 2_000, { ...NEVER, ...rules })), expected, JSON.stringify(rules));
  }
});

test('records everything that did disk I/O while the disk is busy', () => {
  for (const [rules, expected] of [
    [{ queue: 0.7 }, [10]],
    [{ utilPercent: 12.5 }, [10]],
    [{ queue: 0.71, utilPercent: 12.6 }, []],
  ] as const) {
    const { builder, add } = setUp();
    add(snapshot(1, { 10: {}, 11: {} }), { 10: { readBytes: 2 }, 11: { cpuTicks: 5 } });
    assert.deepEqual(pids(builder.close(T0_MS + 1_000, { ...NEVER, ...rules })), expected);
  }
});

test('ranks by the average, not by one sample', () => {
  const { builder, add } = setUp();
  const processes = { 10: {}, 11: {} };
  add(snapshot(1, processes), { 10: { cpuTicks: 90 }, 11: { cpuTicks: 50 } });
  add(snapshot(2, processes), { 11: { cpuTicks: 50 } });
  assert.deepEqual(pids(builder.close(T0_MS + 2_000, { ...NEVER, top: 1 })).slice(0, 1), [11]);
});

test('takes in a process that ended, with what it used and for as long as it had memory', () => {
  const { builder, add } = setUp();
  add(snapshot(1, { 10: { comm: 'job', rssPages: 40 } }), { 10: { cpuTicks: 20 } });
  add(snapshot(2, {}), { 1: { cpuTicks: 1 } });
  add(snapshot(4, {}), {}, { durationMs: 2_000 });
  const ended = row(builder.close(T0_MS + 4_000, ALL), 10);
  assert.deepEqual([ended?.comm, ended?.cpuPercent, ended?.cpuPercentMax], ['job', 5, 20]);
  assert.deepEqual([ended?.rssBytes, ended?.rssBytesMax], [10 * PAGE, 40 * PAGE]);
});

test('takes in the last use of a process in the window it ended in, and no memory beyond', () => {
  const { builder, add } = setUp();
  add(snapshot(1, { 10: { comm: 'job', rssPages: 40 } }), { 10: { cpuTicks: 20 } });
  const ended = [countersOf(10, { comm: 'job', state: 'X', rssPages: 0 })];
  add(snapshot(2, {}), { 10: { cpuTicks: 60 } }, { ended });
  add(snapshot(4, {}), {}, { durationMs: 2_000 });
  const job = row(builder.close(T0_MS + 4_000, ALL), 10);
  assert.deepEqual([job?.comm, job?.cpuPercent, job?.cpuPercentMax], ['job', 20, 60]);
  assert.deepEqual([job?.rssBytes, job?.rssBytesMax], [10 * PAGE, 40 * PAGE]);
});

test('records a process that ended in the first window of an interval', () => {
  const { builder, add } = setUp();
  const ended = [countersOf(10, { comm: 'job', state: 'X', rssPages: 0 })];
  add(snapshot(1, {}), { 10: { cpuTicks: 60 } }, { ended });
  add(snapshot(2, { 10: { comm: 'other', bornAt: 1.5 } }), { 10: { cpuTicks: 20 } });
  const rows = builder.close(T0_MS + 2_000, { ...NEVER, cpuPercent: 1 }).processes;
  assert.deepEqual(
    rows.map(({ comm, state, cpuPercent, rssBytes }) => [comm, state, cpuPercent, rssBytes]),
    [
      ['job', 'X', 30, 0],
      ['other', 'S', 10, 5 * PAGE],
    ],
  );
});

test('keeps two processes with the same pid apart', () => {
  const { builder, add } = setUp();
  add(snapshot(1, { 10: { comm: 'old' } }), { 10: { cpuTicks: 20 } });
  add(snapshot(2, { 10: { comm: 'new', bornAt: 1.5 } }), { 10: { cpuTicks: 70 } });
  const rows = builder.close(T0_MS + 2_000, { ...NEVER, cpuPercent: 1 }).processes;
  assert.deepEqual(
    rows.map(({ comm, cpuPercent }) => [comm, cpuPercent]),
    [
      ['new', 35],
      ['old', 10],
    ],
  );
});

test('counts the memory of a process that does nothing, and leaves out what cannot be known', () => {
  const { builder, add } = setUp();
  const idle: Record<number, ProcessFields> = { 10: { rssPages: 300, ioHidden: true } };
  const taken = snapshot(1, idle);
  add(taken);
  add({ ...snapshot(2, idle), processes: taken.processes });
  const { rssBytes, rssBytesMax, cpuPercent, ...rest } = row(builder.close(T0_MS + 2_000, ALL), 10) ?? {};
  assert.deepEqual([rssBytes, rssBytesMax, cpuPercent], [300 * PAGE, 300 * PAGE, 0]);
  assert.equal('readBytesPerSec' in rest || 'netInBytesPerSec' in rest, false);
});

test('begins each interval anew, for processes that live on too', () => {
  const { builder, add } = setUp();
  const first = add(snapshot(1, { 10: { rssPages: 300 }, 11: {} }), { 10: { cpuTicks: 90 } });
  builder.close(T0_MS + 1_000, ALL);
  assert.equal(builder.isEmpty, true);
  add({ ...snapshot(2, {}), processes: first.snapshot.processes });
  const second = builder.close(T0_MS + 2_000, ALL);
  const { cpuPercent, cpuPercentMax, rssBytes } = row(second, 10) ?? {};
  assert.deepEqual([cpuPercent, cpuPercentMax, rssBytes, second.samples], [0, 0, 300 * PAGE, 1]);
});

test('joins intervals without a gap, though samples come milliseconds after the boundary', () => {
  const { builder, add } = setUp();
  const close = (second: number, durationMs: number): number[] => {
    add(snapshot(second, {}), {}, { durationMs });
    const { startMs, endMs } = builder.close(T0_MS + second * 1_000, ALL);
    return [startMs - T0_MS, endMs - T0_MS];
  };
  assert.deepEqual(close(30, 12_345), [17_655, 30_000]);
  assert.deepEqual(close(60, 29_990), [30_000, 60_000]);
  assert.deepEqual(close(90, 31_000), [60_000, 90_000]);
  assert.deepEqual(close(120, 28_999), [91_001, 120_000]);
  assert.deepEqual(close(3_600, 30_000), [3_570_000, 3_600_000]);
});

test('joins intervals whose samples come late under load, and not across a gap', () => {
  const { builder, add } = setUp();
  const close = (sampleAt: number, durationMs: number, end: number): number[] => {
    add(snapshot(sampleAt, {}), {}, { durationMs });
    const { startMs, endMs } = builder.close(T0_MS + end * 1_000, ALL);
    return [startMs - T0_MS, endMs - T0_MS];
  };
  close(12, 10_000, 10);
  assert.deepEqual(close(21, 9_000, 20), [10_000, 20_000]);
  assert.deepEqual(close(36, 15_000, 30), [20_000, 30_000]);
  assert.deepEqual(close(41, 2_000, 40), [39_000, 40_000]);
});

test('is never empty, whatever the clock did', () => {
  const { builder, add } = setUp();
  add(snapshot(30, {}), {}, { durationMs: 30_000 });
  builder.close(T0_MS + 30_000, ALL);
  add(snapshot(29, {}), {}, { durationMs: 0.4 });
  const { startMs, endMs } = builder.close(T0_MS + 29_500, ALL);
  assert.deepEqual([startMs - T0_MS, endMs - T0_MS], [29_499, 29_500]);
});

test('says of a process that lives what it is now, and of one that ended what it was when it first used anything', (t) => {
  const proc = new FakeProc(scratchFolder(t));
  const identities = new Identities({ procRoot: proc.procRoot, passwdPath: proc.passwdPath, ownPid: 1 });
  const builder = new IntervalBuilder(identities, PAGE);
  const add = (second: number, processes: Record<number, ProcessFields>, used: Parameters<typeof sample>[1]): void => {
    const taken = sample(snapshot(second, processes), used);
    identities.update(taken.snapshot);
    builder.add(taken);
  };
  for (const pid of [10, 11, 12]) proc.write(`${pid}/cmdline`, `first ${pid}\0`);
  add(1, { 10: {}, 11: {}, 12: {} }, { 10: { cpuTicks: 5 }, 11: { cpuTicks: 5 } });
  proc.write('10/cmdline', 'second 10\0');
  for (const pid of [11, 12]) proc.remove(pid);
  add(31, { 10: {} }, {});
  const interval = builder.close(T0_MS + 31_000, ALL);
  assert.deepEqual(
    [10, 11, 12].map((pid) => row(interval, pid)?.cmdline),
    ['second 10', 'first 11', ''],
  );
  assert.equal(row(interval, 12)?.instance, 'p12');
});

test('keeps account of no more processes than it has room for', () => {
  const { builder, add } = setUp();
  const many = Object.fromEntries(Array.from({ length: 50_010 }, (_, index) => [index + 2, {}]));
  add(snapshot(1, many), { 50000: { cpuTicks: 5 }, 50001: { cpuTicks: 6 } });
  assert.deepEqual(pids(builder.close(T0_MS + 1_000, { ...NEVER, cpuPercent: 1 })), [50_000]);
});

test('makes no interval of no samples', () => {
  assert.throws(() => setUp().builder.close(T0_MS, ALL), RangeError);
});

test('keeps the largest of each resource when there are too many rows', () => {
  const { builder, add } = setUp();
  const many = Array.from({ length: 2_100 }, (_, index) => 10 + index);
  const used = Object.fromEntries(many.map((pid) => [pid, { cpuTicks: 50 }]));
  add(snapshot(1, { ...Object.fromEntries(many.map((pid) => [pid, {}])), 5: {} }), { ...used, 5: { writeBytes: 9 } });
  const interval = builder.close(T0_MS + 1_000, { ...ALL, top: 1 });
  assert.equal(interval.processes.length, 2_000);
  assert.equal(row(interval, 5)?.writeBytesPerSec, 9);
});
