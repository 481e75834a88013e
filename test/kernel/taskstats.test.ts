import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Libc, openLibc } from '../../src/kernel/libc.ts';
import { TaskExits } from '../../src/kernel/taskstats.ts';
import { scratchFolder } from '../support/scratch.ts';

const CPUS = readFileSync('/sys/devices/system/cpu/possible', 'utf8');

function open(t: TestContext, calls: Partial<Libc> = {}): TaskExits {
  const exits = new TaskExits({ ...openLibc(), ...calls }, CPUS);
  t.after(() => exits.close());
  return exits;
}

/** What is told of a program and its threads, after it has ended. */
function told(exits: TaskExits, program: string, args: readonly string[]) {
  while (exits.next());
  const startedMs = Date.now();
  const child = spawnSync(program, args, { encoding: 'utf8', timeout: 20_000 });
  assert.equal(child.status, 0, child.stderr);
  const tasks = [];
  while (exits.next()) {
    if (exits.tgid !== child.pid) continue;
    const { isLast, cpuNs, comm, ppid, readBytes, writeBytes, startedAtMs, livedMs } = exits;
    tasks.push({ isLast, cpuNs, comm, ppid, readBytes, writeBytes, startedAtMs, livedMs });
  }
  return { tasks, last: tasks.findLast(({ isLast }) => isLast), startedMs, endedMs: Date.now() };
}

test('hears of a process that ended: its name, parent, CPU time and start', (t) => {
  const { tasks, last, startedMs, endedMs } = told(open(t), 'perl', ['-e', '1 while times < 0.05']);
  assert.equal(tasks.length, 1);
  assert.ok(last !== undefined);
  assert.deepEqual([last.comm, last.ppid], ['perl', process.pid]);
  assert.ok(last.cpuNs > 40e6 && last.cpuNs < (endedMs - startedMs) * 1e6, `${last.cpuNs}`);
  assert.ok(Math.abs(last.startedAtMs - startedMs) <= 1_000, `${last.startedAtMs - startedMs}`);
  assert.ok(last.livedMs > 40 && last.livedMs <= endedMs - startedMs + 10, `${last.livedMs}`);
});

test('tells the threads of a process from its end, which has the CPU time of all of them', (t) => {
  const program = `
    const { Worker } = require('node:worker_threads');
    for (let i = 0; i < 2; i += 1)
      new Worker('const start = process.threadCpuUsage(); while (process.threadCpuUsage(start).user < 100000);', { eval: true });`;
  const { tasks, last } = told(open(t), process.execPath, ['--eval', program]);
  assert.ok(tasks.length > 3, `${tasks.length} tasks`);
  assert.deepEqual(tasks.map(({ isLast }) => isLast).indexOf(true), tasks.length - 1);
  assert.ok((last?.cpuNs ?? 0) > 200e6, `${last?.cpuNs}`);
});

test('hears what was written to a disk, and little else', (t) => {
  const args = ['if=/dev/zero', `of=${join(scratchFolder(t), 'file')}`, 'bs=64k', 'count=16', 'oflag=direct'];
  const writeBytes = told(open(t), 'dd', args).last?.writeBytes ?? 0;
  // The file system adds some pages of its own.
  assert.ok(writeBytes >= 1_048_576 && writeBytes < 1_200_000, `${writeBytes}`);
});

test('counts how often the kernel had to drop exits, and goes on', (t) => {
  let isOverrun = false;
  const libc = openLibc();
  const exits = open(t, {
    recv: (fd, buffer, flags) => {
      if (!isOverrun) return libc.recv(fd, buffer, flags);
      isOverrun = false;
      return -constants.errno.ENOBUFS;
    },
  });
  isOverrun = true;
  const { last } = told(exits, 'true', []);
  assert.equal(exits.overruns, 1);
  assert.equal(last?.comm, 'true');
});

for (const [title, calls, code] of [
  ['no right to', { send: () => -constants.errno.EPERM }, 'EPERM'],
  ['no netlink', { socket: () => -constants.errno.EPROTONOSUPPORT }, 'EPROTONOSUPPORT'],
] as const) {
  test(`is refused with the kernel’s word where there is ${title}`, () => {
    assert.throws(() => new TaskExits({ ...openLibc(), ...calls }, CPUS), { name: 'KernelError', code });
  });
}

test('is refused by the kernel without the powers of root', () => {
  const program = `
    import { openLibc } from ${JSON.stringify(new URL('../../src/kernel/libc.ts', import.meta.url).href)};
    import { TaskExits } from ${JSON.stringify(new URL('../../src/kernel/taskstats.ts', import.meta.url).href)};
    try { new TaskExits(openLibc(), ${JSON.stringify(CPUS)}); } catch (error) { console.log(error.code); }`;
  const args = ['--bounding-set=-all', '--inh-caps=-all', process.execPath, '--input-type=module', '--eval', program];
  const child = spawnSync('setpriv', args, { encoding: 'utf8', timeout: 20_000 });
  assert.equal(child.stdout, 'EPERM\n', child.stderr);
});
