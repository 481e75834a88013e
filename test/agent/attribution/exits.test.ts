import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exits, type ExitWindow } from '../../../src/agent/attribution/exits.ts';
import { KernelError } from '../../../src/kernel/libc.ts';
import { FakeTaskExits } from './task-exits.ts';

function setUp() {
  const tasks = new FakeTaskExits();
  return { tasks, exits: new Exits(tasks) };
}

function rows({ exits }: ExitWindow): unknown[] {
  return Array.from({ length: exits.length }, (_, row) => ({
    pid: exits.pids[row],
    ppid: exits.ppids[row],
    comm: exits.comms[row],
    cpuTicks: exits.cpuTicks[row],
    io: [exits.readBytes[row], exits.writeBytes[row]],
  }));
}

test('a process ends with its last task, and has the I/O of all its threads', () => {
  const { tasks, exits } = setUp();
  tasks.tell(
    { tgid: 7, isLast: false, readBytes: 100, writeBytes: 10 },
    { tgid: 8, isLast: false, readBytes: 9 },
    { tgid: 7, isLast: false },
    { tgid: 7, ppid: 3, comm: 'mysqld', cpuTicks: 2.5, readBytes: 1, writeBytes: -4 },
  );
  exits.beginScan();
  assert.deepEqual(rows(exits.endScan()), [{ pid: 7, ppid: 3, comm: 'mysqld', cpuTicks: 2.5, io: [101, 6] }]);
});

test('writes that were thrown away before they reached a disk never make it less than nothing', () => {
  const { tasks, exits } = setUp();
  tasks.tell({ tgid: 7, writeBytes: -4_096 });
  exits.beginScan();
  assert.deepEqual(rows(exits.endScan()), [{ pid: 7, ppid: 1, comm: 'p7', cpuTicks: 0, io: [0, 0] }]);
});

test('threads of an earlier process with the pid, whose own end was lost, are not the later one’s', () => {
  const { tasks, exits } = setUp();
  tasks.tell(
    { tgid: 7, isLast: false, readBytes: 100, startedAtMs: 1_000 },
    { tgid: 7, readBytes: 5, startedAtMs: 9_000 },
  );
  exits.beginScan();
  assert.deepEqual(rows(exits.endScan()), [{ pid: 7, ppid: 1, comm: 'p7', cpuTicks: 0, io: [5, 0] }]);
});

test('what ended while the scan went on comes once more in the next window, what ended before does not', () => {
  const { tasks, exits } = setUp();
  tasks.tell({ tgid: 7 });
  exits.poll();
  tasks.tell({ tgid: 8 });
  exits.beginScan();
  tasks.tell({ tgid: 9 });
  const first = exits.endScan();
  assert.deepEqual([first.beforeScan, [...first.exits.pids.subarray(0, first.exits.length)]], [2, [7, 8, 9]]);
  tasks.tell({ tgid: 10 });
  exits.beginScan();
  const second = exits.endScan();
  assert.deepEqual([second.beforeScan, [...second.exits.pids.subarray(0, second.exits.length)]], [2, [9, 10]]);
});

test('tens of thousands of exits are kept, and of more than there is room for it is said that they are lost', () => {
  const { tasks, exits } = setUp();
  for (let index = 0; index < 70_000; index += 1) tasks.tell({ tgid: 1 + (index % 32_000) });
  exits.beginScan();
  const window = exits.endScan();
  assert.deepEqual([window.exits.length, window.overruns], [65_536, 1]);
  exits.beginScan();
  assert.equal(exits.endScan().overruns, 0);
  exits.beginScan();
  assert.equal(exits.endScan().exits.length, 0);
});

test('exits that the kernel had to drop are told with the window they were lost in', () => {
  const { tasks, exits } = setUp();
  tasks.overruns = 2;
  exits.beginScan();
  assert.equal(exits.endScan().overruns, 2);
  exits.beginScan();
  assert.equal(exits.endScan().overruns, 0);
  assert.equal(exits.overruns, 2);
});

test('a source that fails is closed and said to have failed, and what was heard before counts', () => {
  const { tasks, exits } = setUp();
  tasks.tell({ tgid: 7 });
  tasks.failure = new KernelError('recv(AF_NETLINK)', -9);
  exits.beginScan();
  assert.equal(exits.endScan().exits.length, 1);
  assert.deepEqual([exits.problem?.code, tasks.isClosed], ['EBADF', true]);
  exits.poll();
});

/** Tells once of the ends that a test makes up: pid, ticks, tasks. */
class FakeTaskEnds {
  told: [pid: number, cpuTicks: number, tasks: number][] = [];
  failure: Error | undefined;
  closed = 0;

  drain(visit: (tgid: number, cpuNs: number, tasks: number) => void): void {
    if (this.failure !== undefined) throw this.failure;
    for (const [pid, cpuTicks, tasks] of this.told.splice(0)) visit(pid, cpuTicks * 1e7, tasks);
  }

  close(): void {
    this.closed += 1;
  }
}

function setUpWithEnds() {
  const tasks = new FakeTaskExits();
  const ends = new FakeTaskEnds();
  return { tasks, ends, exits: new Exits(tasks, ends) };
}

function cpuTicks({ exits }: ExitWindow): number[] {
  return [...exits.cpuTicks.subarray(0, exits.length)];
}

test('what a process used on its way out counts, where its end tells of it in time', () => {
  const { tasks, ends, exits } = setUpWithEnds();
  tasks.tell({ tgid: 7, cpuTicks: 1 }, { tgid: 8, cpuTicks: 2 }, { tgid: 9, cpuTicks: 3 });
  exits.beginScan();
  ends.told = [
    [7, 1.5, 1],
    [9, 3.25, 1],
    [10, 4, 1],
  ];
  assert.deepEqual(cpuTicks(exits.endScan()), [1.5, 2, 3.25]);
  tasks.tell({ tgid: 10, cpuTicks: 1 });
  exits.beginScan();
  ends.told = [[8, 9, 1]];
  assert.deepEqual(cpuTicks(exits.endScan()), [1], 'what comes too late, or too soon, is nobody’s');
});

test('an exit that comes once more keeps what its end told', () => {
  const { tasks, ends, exits } = setUpWithEnds();
  exits.beginScan();
  tasks.tell({ tgid: 7, cpuTicks: 1 });
  ends.told = [[7, 1.5, 1]];
  assert.deepEqual(cpuTicks(exits.endScan()), [1.5]);
  exits.beginScan();
  assert.deepEqual(cpuTicks(exits.endScan()), [1.5]);
});

test('ends of several tasks, of less than was told, or of another process change nothing', () => {
  const { tasks, ends, exits } = setUpWithEnds();
  tasks.tell({ tgid: 7, cpuTicks: 1 }, { tgid: 8, cpuTicks: 2 }, { tgid: 9, cpuTicks: 3 });
  exits.beginScan();
  ends.told = [
    [7, 1.5, 2],
    [8, 1.9, 1],
    [9, 13, 1],
  ];
  assert.deepEqual(cpuTicks(exits.endScan()), [1, 2, 3]);
});

test('goes on without ends when they fail, and closes them once', () => {
  const { tasks, ends, exits } = setUpWithEnds();
  ends.failure = new KernelError('bpf', -1);
  tasks.tell({ tgid: 7, cpuTicks: 1 });
  exits.beginScan();
  assert.deepEqual(cpuTicks(exits.endScan()), [1]);
  exits.beginScan();
  exits.endScan();
  exits.close();
  assert.equal(ends.closed, 1);
});
