import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { KernelError, openLibc } from '../../src/kernel/libc.ts';
import { TaskEnds } from '../../src/kernel/task-ends.ts';

const BTF = readFileSync('/sys/kernel/btf/vmlinux');
const GUARD = { timeout: 20_000 };

function open(t: TestContext): TaskEnds {
  const ends = new TaskEnds(openLibc(), BTF);
  t.after(() => ends.close());
  return ends;
}

/** Waits until the kernel has forgotten a process, which it does some time after it was reaped. */
async function endOf(ends: TaskEnds, child: ChildProcess): Promise<{ cpuNs: number; tasks: number }> {
  for (;;) {
    let found: { cpuNs: number; tasks: number } | undefined;
    ends.drain((tgid, cpuNs, tasks) => {
      if (tgid === child.pid) found = { cpuNs, tasks };
    });
    if (found !== undefined) return found;
    await delay(20);
  }
}

test('tells what a process used in its whole life, no less than its own clock said at its end', GUARD, async (t) => {
  const ends = open(t);
  const script = 'my $i = 0; $i++ while $i < 2e6; use POSIX; my ($u, $s) = times; print $u + $s; exit';
  const child = spawn('perl', ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await once(child.stdout, 'data');
  const { cpuNs, tasks } = await endOf(ends, child);
  assert.equal(tasks, 1);
  // times(2) tells whole ticks of 10 ms.
  assert.ok(cpuNs / 1e9 >= Number(said) - 0.01, `${cpuNs} ns of ${said} s`);
  assert.ok(cpuNs / 1e9 < Number(said) + 1);
});

test('knows a process of several tasks by how many they were', GUARD, async (t) => {
  const ends = open(t);
  const child = spawn(process.execPath, ['--eval', ''], { stdio: 'ignore' });
  await once(child, 'exit');
  await delay(500);
  const { tasks } = await endOf(ends, child);
  assert.ok(tasks > 1, `${tasks} tasks`);
});

test('tells each end once', GUARD, async (t) => {
  const ends = open(t);
  const child = spawn('true', { stdio: 'ignore' });
  await endOf(ends, child);
  ends.drain((tgid) => assert.notEqual(tgid, child.pid));
});

test('refuses types that are none, and says what the kernel says', () => {
  assert.throws(() => new TaskEnds(openLibc(), Buffer.alloc(100)), RangeError);
  const refusing = { ...openLibc(), bpf: () => -1 };
  assert.throws(
    () => new TaskEnds(refusing, BTF),
    (error) => error instanceof KernelError && error.code === 'EPERM',
  );
});
