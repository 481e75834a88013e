import assert from 'node:assert/strict';
import { chmodSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Scanner } from '../../src/agent/snapshot.ts';
import { FakeProc, ioLines, statLine } from '../support/fake-proc.ts';
import { asNobody } from '../support/nobody.ts';
import { scratchFolder } from '../support/scratch.ts';
import { kill, sleeper } from '../support/sleeper.ts';

function setUp(t: TestContext, keptDescriptors = 100): { proc: FakeProc; scanner: Scanner } {
  const proc = new FakeProc(scratchFolder(t));
  const scanner = new Scanner({ procRoot: proc.procRoot, sysRoot: proc.sysRoot, keptDescriptors });
  t.after(() => scanner.close());
  return { proc, scanner };
}

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

test('takes in every process with its counters', (t) => {
  const { proc, scanner } = setUp(t);
  proc.process(
    { pid: 7, comm: 'a) b', state: 'R', ppid: 3, utime: 1, stime: 2, cutime: 3, cstime: 4, threads: 5, rssPages: 6 },
    { io: ioLines(10, 30, 5) },
  );
  proc.process({ pid: 1234, startTicks: 77 }, { io: ioLines(0, 0) });
  proc.write('sys/kernel/pid_max', '4194304\n');
  const { processes, ioHidden } = scanner.take();
  assert.deepEqual([...processes.keys()].sort(), [1234, 7]);
  assert.deepEqual(processes.get(7), {
    pid: 7,
    comm: 'a) b',
    state: 'R',
    ppid: 3,
    ownTicks: 3,
    reapedTicks: 7,
    threads: 5,
    startTicks: 100,
    rssPages: 6,
    io: { readBytes: 10, writeBytes: 25 },
  });
  assert.equal(ioHidden, 0);
});

test('hands out the same object for as long as nothing about a process changes', (t) => {
  const { proc, scanner } = setUp(t);
  const same = { pid: 7, utime: 1 };
  proc.process(same, { io: ioLines(1, 1) });
  const first = scanner.take().processes.get(7);
  proc.process(same, { io: ioLines(1, 1) });
  assert.equal(scanner.take().processes.get(7), first);
  for (const change of [
    { utime: 2 },
    { cutime: 3 },
    { rssPages: 9 },
    { state: 'D' },
    { ppid: 9 },
    { threads: 2 },
    { comm: 'x' },
    { startTicks: 5 },
  ]) {
    const before = scanner.take().processes.get(7);
    Object.assign(same, change);
    proc.process(same);
    assert.notEqual(scanner.take().processes.get(7), before, JSON.stringify(change));
  }
  proc.process({ pid: 8, startTicks: 1 });
  const hidden = scanner.take().processes.get(8);
  proc.process({ pid: 8, startTicks: 2 });
  assert.notEqual(scanner.take().processes.get(8), hidden);
  const before = scanner.take().processes.get(7);
  proc.process(same, { io: ioLines(1, 2) });
  const now = scanner.take().processes.get(7);
  assert.equal(now?.io?.writeBytes, 2);
  assert.equal(before?.io?.writeBytes, 1);
});

test('looks for new processes when the kernel started some, and once in sixteen scans', (t) => {
  const { proc, scanner } = setUp(t, 0);
  const seen = (): number[] => [...scanner.take().processes.keys()];
  proc.process({ pid: 7 });
  proc.cpu({ forks: 50 });
  assert.deepEqual(seen(), [7]);
  proc.process({ pid: 8 });
  assert.deepEqual(seen(), [7]);
  proc.cpu({ forks: 51 });
  assert.deepEqual(seen(), [7, 8]);
  proc.process({ pid: 9 });
  proc.remove(7);
  for (let scan = 4; scan < 16; scan += 1) assert.deepEqual(seen(), [8]);
  assert.deepEqual(seen(), [8, 9]);
});

test('leaves out a process that vanished between the listing and the reading', (t) => {
  const { proc, scanner } = setUp(t);
  proc.process({ pid: 7 }, { io: ioLines(0, 0) });
  proc.write('8/cmdline', '');
  assert.deepEqual([...scanner.take().processes.keys()], [7]);
});

test('leaves out a process whose stat line is cut short, and takes it in again when it is whole', (t) => {
  const { proc, scanner } = setUp(t);
  proc.process({ pid: 7 }, { io: ioLines(0, 0) });
  scanner.take();
  scanner.take();
  proc.write('7/stat', statLine({ pid: 7 }).slice(0, 50));
  assert.equal(scanner.take().processes.size, 0);
  proc.process({ pid: 7, utime: 9 });
  assert.equal(scanner.take().processes.get(7)?.ownTicks, 9);
});

test('knows a process without its I/O where that may not be read, and counts it', (t) => {
  const { proc, scanner } = setUp(t);
  proc.process({ pid: 7, utime: 4 }, { io: ioLines(1, 2) });
  proc.process({ pid: 8 }, { io: ioLines(3, 4) });
  chmodSync(join(proc.procRoot, '7/io'), 0o000);
  asNobody(() => {
    for (let scan = 0; scan < 3; scan += 1) {
      const { processes, ioHidden } = scanner.take();
      assert.equal(processes.get(7)?.io, undefined);
      assert.equal(processes.get(7)?.ownTicks, 4);
      assert.deepEqual(processes.get(8)?.io, { readBytes: 3, writeBytes: 4 });
      assert.equal(ioHidden, 1);
    }
  });
});

test('keeps what was known of the I/O of a zombie, which no longer tells', (t) => {
  const { proc, scanner } = setUp(t);
  const io = join(proc.procRoot, '7/io');
  proc.process({ pid: 7 }, { io: ioLines(100, 200) });
  asNobody(() => void scanner.take());
  proc.process({ pid: 7, state: 'Z', utime: 3 });
  chmodSync(io, 0o000);
  asNobody(() => {
    const { processes, ioHidden } = scanner.take();
    assert.equal(processes.get(7)?.state, 'Z');
    assert.deepEqual(processes.get(7)?.io, { readBytes: 100, writeBytes: 200 });
    assert.equal(ioHidden, 0);
  });
});

test('goes on from what another scanner read: the same objects, and the I/O of zombies', (t) => {
  const { proc, scanner } = setUp(t);
  const io = join(proc.procRoot, '7/io');
  proc.process({ pid: 7 }, { io: ioLines(100, 200) });
  proc.process({ pid: 8 }, { io: ioLines(0, 0) });
  proc.process({ pid: 9 }, { io: ioLines(5, 6) });
  proc.process({ pid: 10 }, { io: ioLines(7, 8) });
  const before = scanner.take().processes;
  const next = new Scanner({ procRoot: proc.procRoot, sysRoot: proc.sysRoot, keptDescriptors: 0 });
  next.resume(structuredClone(before));
  proc.process({ pid: 7, state: 'Z', utime: 3 });
  chmodSync(io, 0o000);
  proc.process({ pid: 9, startTicks: 500 }, { io: ioLines(0, 0) });
  chmodSync(join(proc.procRoot, '9/io'), 0o000);
  proc.remove(10);
  asNobody(() => {
    const { processes } = next.take();
    assert.deepEqual(processes.get(7)?.io, { readBytes: 100, writeBytes: 200 });
    assert.deepEqual(processes.get(8), before.get(8));
    assert.equal(processes.get(9)?.io, undefined, 'another process with the same pid');
  });
  proc.process({ pid: 10 });
  chmodSync(join(proc.procRoot, '9/io'), 0o644);
  assert.equal(next.take().processes.get(10)?.io, undefined, 'what was not there at first is not known');
});

test('asks again for I/O that was refused when the process becomes another program', (t) => {
  const { proc, scanner } = setUp(t);
  const io = join(proc.procRoot, '7/io');
  proc.process({ pid: 7, comm: 'sudo' }, { io: ioLines(1, 2) });
  chmodSync(io, 0o000);
  asNobody(() => void scanner.take());
  chmodSync(io, 0o644);
  asNobody(() => assert.equal(scanner.take().processes.get(7)?.io, undefined));
  proc.process({ pid: 7, comm: 'make' });
  asNobody(() => assert.deepEqual(scanner.take().processes.get(7)?.io, { readBytes: 1, writeBytes: 2 }));
});

test('keeps nothing of a process whose pid is used again', (t) => {
  const { proc, scanner } = setUp(t);
  proc.process({ pid: 7 }, { io: ioLines(100, 200) });
  scanner.take();
  proc.process({ pid: 7, startTicks: 500 });
  proc.write('7/io', '');
  assert.equal(scanner.take().processes.get(7)?.io, undefined);
});

test('reads the new process when a real pid is used again, though it kept descriptors of the old one', {
  timeout: 10_000,
}, async (t) => {
  const { proc, scanner } = setUp(t);
  const [old, young] = await Promise.all([sleeper(t, 'cat'), sleeper(t, 'tee')]);
  const link = join(proc.procRoot, '4711');
  symlinkSync(`/proc/${old.pid}`, link);
  scanner.take();
  const before = scanner.take().processes.get(4711);
  await kill(old);
  proc.remove(4711);
  symlinkSync(`/proc/${young.pid}`, link);
  const after = scanner.take().processes.get(4711);
  assert.deepEqual([before?.comm, after?.comm], ['cat', 'tee']);
  await kill(young);
  assert.equal(scanner.take().processes.get(4711), undefined);
});

for (const { kept, title } of [
  { kept: 0, title: 'none' },
  { kept: 5, title: 'as many as allowed' },
  { kept: 100, title: 'two of each process' },
]) {
  test(`keeps ${title} open, reads the rest anew, and gives all back`, (t) => {
    const { proc, scanner } = setUp(t, kept);
    for (let pid = 1; pid <= 10; pid += 1) proc.process({ pid, utime: pid }, { io: ioLines(pid, pid) });
    const before = openDescriptors();
    for (const scan of [1, 2, 3]) {
      const { processes } = scanner.take();
      assert.equal(processes.size, 10);
      assert.deepEqual(processes.get(10)?.io, { readBytes: 10, writeBytes: 10 });
      assert.equal(openDescriptors() - before, scan === 1 ? 0 : Math.min(kept, 20));
    }
    for (let pid = 1; pid <= 9; pid += 1) proc.remove(pid);
    scanner.take();
    scanner.take();
    assert.equal(openDescriptors() - before, Math.min(kept, 2));
    scanner.close();
    assert.equal(openDescriptors(), before);
  });
}

test('lists /proc again when something was started, and every sixteenth time', (t) => {
  const { proc, scanner } = setUp(t);
  const cpu = 'cpu  0 0 0 0 0 0 0 0 0 0\n';
  proc.write('stat', `${cpu}processes 100\n`);
  proc.process({ pid: 1 }, { io: ioLines(0, 0) });
  assert.deepEqual([...scanner.take().processes.keys()], [1]);
  proc.process({ pid: 2 }, { io: ioLines(0, 0) });
  assert.deepEqual([...scanner.take().processes.keys()], [1], 'nothing was started, so nothing is looked for');
  proc.write('stat', `${cpu}processes 101\n`);
  assert.deepEqual([...scanner.take().processes.keys()].sort(), [1, 2]);
  proc.process({ pid: 3 }, { io: ioLines(0, 0) });
  const seenAt = Array.from({ length: 16 }, (_, scan) => scan).find(() => scanner.take().processes.has(3));
  assert.equal(seenAt, 12, 'the sixteenth scan lists whatever the count says');
});

test('reads this machine', () => {
  const scanner = new Scanner({ procRoot: '/proc', sysRoot: '/sys', keptDescriptors: 10 });
  const { processes, wallMs, monotonicMs } = scanner.take();
  scanner.close();
  assert.equal(processes.get(process.pid)?.ppid, process.ppid);
  assert.ok(processes.has(1));
  assert.ok(wallMs > monotonicMs);
});
