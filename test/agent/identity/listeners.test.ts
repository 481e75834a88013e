import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Listeners, leaderOf } from '../../../src/agent/identity/listeners.ts';
import type { ProcessCounters } from '../../../src/agent/snapshot.ts';
import { KernelError } from '../../../src/kernel/libc.ts';
import { FakeProc, listenLine, TCP_HEADER } from '../../support/fake-proc.ts';
import { scratchFolder } from '../../support/scratch.ts';
import { type ProcessFields, snapshot } from '../snapshots.ts';

const OWN = 50;

type Processes = ReadonlyMap<number, ProcessCounters>;

/** Each refresh comes five seconds after the one before and takes no time. */
function setUp(t: TestContext) {
  const proc = new FakeProc(scratchFolder(t));
  proc.enterNamespace(OWN, 1);
  let nowMs = 0;
  const listeners = new Listeners(proc.procRoot, OWN, { nowMs: () => nowMs });
  const refresh = (processes: Processes): void => {
    nowMs += 5_000;
    listeners.refresh(processes);
  };
  return { proc, listeners, refresh };
}

function living(processes: Record<number, ProcessFields>): Processes {
  return snapshot(0, processes).processes;
}

/** Makes a table of sockets, `port: inode`, listen. */
function listen(proc: FakeProc, sockets: Record<number, number>, dir = 'net'): void {
  const lines = Object.entries(sockets).map(([port, inode]) => listenLine(Number(port), inode));
  proc.write(`${dir}/tcp`, TCP_HEADER + lines.join(''));
}

test('finds the ports of a process, ascending and each once', (t) => {
  const { proc, listeners, refresh } = setUp(t);
  proc.write('net/tcp', TCP_HEADER + listenLine(33_060, 2) + listenLine(3_306, 1) + listenLine(80, 9));
  proc.write('net/tcp6', TCP_HEADER + listenLine(3_306, 3));
  proc.open(10, ['/dev/null', 'socket:[1]', 'socket:[2]', 'socket:[3]', 'socket:[77]']);
  refresh(living({ 10: {} }));
  assert.deepEqual(listeners.portsOf(10), [3_306, 33_060]);
  assert.deepEqual(listeners.portsOf(11), []);
});

test('gives a socket that workers inherited to their master', (t) => {
  const { proc, listeners, refresh } = setUp(t);
  const processes = living({
    10: { comm: 'nginx' },
    11: { ppid: 10, comm: 'nginx' },
    12: { ppid: 11, comm: 'helper' },
  });
  listen(proc, { 80: 1 });
  for (const pid of [10, 11, 12]) proc.open(pid, ['socket:[1]']);
  refresh(processes);
  assert.deepEqual(
    [10, 11, 12].map((pid) => listeners.portsOf(pid)),
    [[80], [], []],
  );
});

test('gives a socket that a worker opened to its group’s leader', (t) => {
  const { proc, listeners, refresh } = setUp(t);
  listen(proc, { 5432: 1 });
  proc.open(11, ['socket:[1]']);
  refresh(living({ 10: { comm: 'postgres' }, 11: { ppid: 10, comm: 'postgres' } }));
  assert.deepEqual(listeners.portsOf(10), [5_432]);
});

test('gives a socket that init opened to the service, and to init while there is none', (t) => {
  const { proc, listeners, refresh } = setUp(t);
  listen(proc, { 22: 1 });
  proc.open(1, ['socket:[1]']);
  refresh(living({}));
  assert.deepEqual(listeners.portsOf(1), [22]);
  listen(proc, { 631: 2 });
  for (const pid of [1, 20]) proc.open(pid, ['socket:[2]']);
  refresh(living({ 20: { comm: 'cupsd' } }));
  assert.deepEqual(listeners.portsOf(20), [631]);
  assert.deepEqual(listeners.portsOf(1), []);
});

test('gives a port that two strangers share to both', (t) => {
  const { proc, listeners, refresh } = setUp(t);
  listen(proc, { 80: 1 });
  for (const pid of [10, 20]) proc.open(pid, ['socket:[1]']);
  refresh(living({ 10: { comm: 'a' }, 20: { comm: 'b' } }));
  assert.deepEqual([listeners.portsOf(10), listeners.portsOf(20)], [[80], [80]]);
});

test('forgets a socket that was closed, and looks for one whose holder is another now', (t) => {
  const { proc, listeners, refresh } = setUp(t);
  listen(proc, { 80: 1, 81: 2 });
  proc.open(10, ['socket:[1]', 'socket:[2]']);
  proc.open(11, ['socket:[2]']);
  refresh(living({ 10: {} }));
  assert.deepEqual(listeners.portsOf(10), [80, 81]);
  listen(proc, { 81: 2 });
  refresh(living({ 10: {} }));
  assert.deepEqual(listeners.portsOf(10), [81]);
  refresh(living({ 11: {} }));
  assert.deepEqual(listeners.portsOf(10), []);
  assert.deepEqual(listeners.portsOf(11), [81]);
});

test('does not take a new process with the pid of the late holder for it', (t) => {
  const { proc, listeners, refresh } = setUp(t);
  listen(proc, { 80: 1 });
  proc.open(10, ['socket:[1]']);
  refresh(living({ 10: {} }));
  proc.open(10, []);
  refresh(living({ 10: { bornAt: 0 } }));
  assert.deepEqual(listeners.portsOf(10), []);
});

for (const [visibleFrom, found] of [
  [1, 1],
  [2, 3],
  [4, 7],
  [8, 15],
  [16, 31],
] as const) {
  test(`finds a holder that can be seen from look ${visibleFrom} on at look ${found}, as it searches ever more seldom`, (t) => {
    const { proc, listeners, refresh } = setUp(t);
    listen(proc, { 80: 1 });
    let look = 0;
    while (listeners.portsOf(10).length === 0 && look < 100) {
      look += 1;
      if (look === visibleFrom) proc.open(10, ['socket:[1]']);
      refresh(living({ 10: {} }));
    }
    assert.equal(look, found);
  });
}

test('reads the table of another network namespace once it was noticed, and while it has a member', (t) => {
  const { proc, listeners, refresh } = setUp(t);
  for (const pid of [10, 11]) proc.enterNamespace(pid, 2);
  proc.enterNamespace(12, 1);
  listen(proc, { 80: 1 });
  listen(proc, { 8080: 2 }, '10/net');
  listen(proc, { 8080: 2 }, '11/net');
  proc.open(10, ['socket:[2]']);
  const processes = living({ 10: {}, 11: {}, 12: {} });
  refresh(processes);
  assert.deepEqual(listeners.portsOf(10), []);
  listeners.noticeNamespace(12);
  listeners.noticeNamespace(11);
  refresh(processes);
  assert.deepEqual(listeners.portsOf(10), [8_080]);
  refresh(living({ 10: {} }));
  assert.deepEqual(listeners.portsOf(10), []);
});

/** Listeners on clocks that are set for each look, and what they know of the process 10 after it. */
function setUpClocks(t: TestContext) {
  const proc = new FakeProc(scratchFolder(t));
  let moments: number[] = [];
  let used: number[] = [];
  const listeners = new Listeners(proc.procRoot, OWN, {
    nowMs: () => moments.shift() ?? Number.NaN,
    cpuMs: () => used.shift() ?? Number.NaN,
  });
  const processes = living({ 10: {} });
  proc.open(10, ['socket:[1]', 'socket:[2]']);
  const portsAt = (nowMs: number, cpuMs: number, { lastsMs = cpuMs, isUrgent = false } = {}): number[] => {
    moments = [nowMs, nowMs + lastsMs];
    used = [7_000, 7_000 + cpuMs];
    listeners.refresh(processes, { isUrgent });
    return listeners.portsOf(10);
  };
  return { proc, portsAt };
}

test('looks every five seconds, and more seldom where looking takes much CPU time, however long it lasts', (t) => {
  const { proc, portsAt } = setUpClocks(t);
  listen(proc, { 80: 1 });
  assert.deepEqual(portsAt(1_000, 5, { lastsMs: 5_000 }), [80]);
  listen(proc, { 81: 2 });
  assert.deepEqual(portsAt(5_999, 0), [80]);
  assert.deepEqual(portsAt(6_000, 40), [81]);
  listen(proc, { 80: 1 });
  assert.deepEqual(portsAt(20_999, 0), [81]);
  assert.deepEqual(portsAt(21_000, 0), [80]);
});

test('looks sooner when it is urgent, but not where looking takes much CPU time', (t) => {
  const { proc, portsAt } = setUpClocks(t);
  const isUrgent = true;
  listen(proc, { 80: 1 });
  assert.deepEqual(portsAt(1_000, 0), [80]);
  listen(proc, { 81: 2 });
  assert.deepEqual(portsAt(1_499, 0, { isUrgent }), [80]);
  assert.deepEqual(portsAt(1_500, 0), [80]);
  assert.deepEqual(portsAt(1_500, 8, { isUrgent }), [81]);
  listen(proc, { 80: 1 });
  assert.deepEqual(portsAt(2_000, 7, { isUrgent }), [80]);
  listen(proc, { 81: 2 });
  assert.deepEqual(portsAt(3_499, 0, { isUrgent }), [80]);
  assert.deepEqual(portsAt(4_000, 0, { isUrgent }), [81]);
});

test('asks the kernel for its own network namespace where it may, and /proc where that fails', (t) => {
  const proc = new FakeProc(scratchFolder(t));
  proc.enterNamespace(OWN, 1);
  let answer: () => { inode: number; port: number }[] = () => [{ inode: 1, port: 81 }];
  let nowMs = 0;
  const listeners = new Listeners(proc.procRoot, OWN, { nowMs: () => nowMs, dump: { read: () => answer() } });
  const portsNow = (): number[] => {
    nowMs += 5_000;
    listeners.refresh(living({ 10: {} }));
    return listeners.portsOf(10);
  };
  listen(proc, { 80: 1 });
  proc.open(10, ['socket:[1]', 'socket:[2]']);
  assert.deepEqual(portsNow(), [81]);
  assert.equal(listeners.holderOf(81)?.pid, 10);
  answer = () => {
    throw new KernelError('send', -1);
  };
  listen(proc, { 80: 2 });
  assert.deepEqual(portsNow(), [80]);
});

test('finds a port by the clocks of the machine', (t) => {
  const { proc, listeners } = setUp(t);
  listen(proc, { 80: 1 });
  proc.open(10, ['socket:[1]']);
  listeners.refresh(living({ 10: {} }));
  assert.deepEqual(listeners.portsOf(10), [80]);
});

test('names the topmost holder of a port, and knows a port whose holder it cannot see', (t) => {
  const { proc, listeners, refresh } = setUp(t);
  listen(proc, { 80: 1, 81: 2 });
  for (const pid of [10, 11]) proc.open(pid, ['socket:[1]']);
  refresh(living({ 10: { comm: 'nginx' }, 11: { ppid: 10, comm: 'nginx' } }));
  assert.equal(listeners.holderOf(80)?.pid, 10);
  assert.deepEqual(
    [80, 81, 82].map((port) => listeners.isListening(port)),
    [true, true, false],
  );
  assert.equal(listeners.holderOf(81), undefined);
  assert.equal(listeners.holderOf(82), undefined);
});

test('names the leader of workers that listen side by side', (t) => {
  const { proc, listeners, refresh } = setUp(t);
  proc.write('net/tcp', TCP_HEADER + listenLine(80, 1) + listenLine(80, 2));
  proc.open(11, ['socket:[1]']);
  proc.open(12, ['socket:[2]']);
  refresh(living({ 10: { comm: 'unit' }, 11: { ppid: 10, comm: 'unit' }, 12: { ppid: 10, comm: 'unit' } }));
  assert.equal(listeners.holderOf(80)?.pid, 10);
});

test('names nobody for a port that strangers share, or one of whose holders it cannot see', (t) => {
  const { proc, listeners, refresh } = setUp(t);
  proc.write('net/tcp', TCP_HEADER + [1, 2].map((inode) => listenLine(80, inode)).join(''));
  proc.write('net/tcp6', TCP_HEADER + [3, 4].map((inode) => listenLine(81, inode)).join(''));
  proc.open(10, ['socket:[1]', 'socket:[3]']);
  proc.open(20, ['socket:[2]']);
  refresh(living({ 10: { comm: 'a' }, 20: { comm: 'b' } }));
  assert.deepEqual(
    [80, 81].map((port) => listeners.isListening(port)),
    [true, true],
  );
  assert.deepEqual(
    [80, 81].map((port) => listeners.holderOf(port)),
    [undefined, undefined],
  );
});

test('keeps the ports of other network namespaces apart from its own', (t) => {
  const { proc, listeners, refresh } = setUp(t);
  proc.enterNamespace(10, 2);
  listen(proc, { 80: 1 });
  listen(proc, { 80: 2, 8080: 3 }, '10/net');
  proc.open(10, ['socket:[2]', 'socket:[3]']);
  proc.open(20, ['socket:[1]']);
  listeners.noticeNamespace(10);
  refresh(living({ 10: { comm: 'a' }, 20: { comm: 'b' } }));
  assert.deepEqual(listeners.portsOf(10), [80, 8_080]);
  assert.equal(listeners.holderOf(80)?.pid, 20);
  assert.equal(listeners.isListening(8_080), false);
});

test('never looks into kernel threads', (t) => {
  const { proc, listeners, refresh } = setUp(t);
  listen(proc, { 80: 1 });
  proc.open(5, ['socket:[1]']);
  refresh(living({ 2: { ppid: 0, comm: 'kthreadd' }, 5: { ppid: 2, comm: 'kworker/0:1' } }));
  assert.deepEqual(listeners.portsOf(5), []);
});

test('leads a group with the topmost of a line of the same name, init left out', () => {
  const processes = living({
    10: { comm: 'postgres' },
    11: { ppid: 10, comm: 'postgres' },
    12: { ppid: 11, comm: 'postgres' },
    13: { ppid: 12, comm: 'archive' },
    14: { ppid: 13, comm: 'postgres' },
    15: { comm: 'systemd' },
    16: { ppid: 99, comm: 'lost' },
  });
  const leader = (pid: number): number => leaderOf(processes.get(pid) as ProcessCounters, processes).pid;
  assert.deepEqual([10, 11, 12, 13, 14, 15, 16].map(leader), [10, 10, 10, 13, 14, 15, 16]);
});
