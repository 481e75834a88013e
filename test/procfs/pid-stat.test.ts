import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { KernelText, readWhole } from '../../src/procfs/kernel-file.ts';
import { emptyPidStat, type PidStat, parsePidStat, parseStackStart } from '../../src/procfs/pid-stat.ts';
import { statLine } from '../support/fake-proc.ts';
import { kernelText } from './kernel-text.ts';

const MYSQLD =
  '1873 (mysqld) S 1 1873 1873 0 -1 4194560 2918322 15 1207 0 5120731 887123 3 4 20 0 61 0 2211 10737418240 781250 ' +
  '18446744073709551615 94906544361472 94906544381353 140727347013296 0 0 0 543239 4096 26345 0 0 0 17 3 0 0 51 0 0 ' +
  '94906544397360 94906544398976 94906759135232 140727347014135 140727347014155 140727347014155 140727347015659 0\n';

function parse(content: string | Buffer, leftovers?: string): PidStat | undefined {
  const stat = emptyPidStat();
  return parsePidStat(kernelText(content, leftovers), stat) ? stat : undefined;
}

test('parses name, state, parent, times, threads, start and memory', () => {
  assert.deepEqual(parse(MYSQLD), {
    comm: 'mysqld',
    state: 'S',
    ppid: 1,
    ownTicks: 5_120_731 + 887_123,
    reapedTicks: 3 + 4,
    threads: 61,
    startTicks: 2_211,
    rssPages: 781_250,
  });
});

test('takes fields behind negative numbers, such as no terminal and a real-time priority, from their places', () => {
  const stat = parse(MYSQLD.replace(' 20 0 61 ', ' -51 -20 61 '));
  assert.equal(stat?.threads, 61);
  assert.equal(stat?.startTicks, 2_211);
});

for (const comm of ['Web Content', 'a) S 1 (b', '(sd-pam)', ')', '(((', 'tab\tnew\nline', '', '1 2 3 4 5 6 7 8']) {
  test(`counts fields from the last bracket when the name is ${JSON.stringify(comm)}`, () => {
    const stat = parse(statLine({ pid: 7, comm, state: 'D', ppid: 4, utime: 11, stime: 22, cutime: 3, cstime: 4 }));
    assert.equal(stat?.comm, comm);
    assert.equal(stat?.state, 'D');
    assert.equal(stat?.ppid, 4);
    assert.equal(stat?.ownTicks, 33);
    assert.equal(stat?.reapedTicks, 7);
  });
}

test('reads on when the name is not UTF-8', () => {
  const [before = '', after = ''] = statLine({ pid: 7, comm: '@', ppid: 4, utime: 5 }).split('@');
  const stat = parse(Buffer.concat([Buffer.from(before), Buffer.from([0xff, 0xfe, 0x41]), Buffer.from(after)]));
  assert.equal(stat?.comm, '\ufffd\ufffdA');
  assert.equal(stat?.ppid, 4);
  assert.equal(stat?.ownTicks, 5);
});

test('parses a kernel thread, which has no memory', () => {
  const stat = parse(statLine({ pid: 15, comm: 'ksoftirqd/0', ppid: 2, stime: 99, rssPages: 0 }));
  assert.equal(stat?.comm, 'ksoftirqd/0');
  assert.equal(stat?.ownTicks, 99);
  assert.equal(stat?.rssPages, 0);
});

test('takes no whole line for one when it was cut anywhere before its memory ended', () => {
  const end = MYSQLD.indexOf(' 18446744073709551615');
  for (let length = 0; length <= end; length += 1) assert.equal(parse(MYSQLD.slice(0, length)), undefined);
  assert.equal(parse(MYSQLD.slice(0, end + 1))?.rssPages, 781_250);
});

test('does not read on into the leftovers of a longer line', () => {
  assert.equal(parse('', MYSQLD), undefined);
  assert.equal(parse('1873 (mysq', 'ld) S 1 1873'), undefined);
  assert.equal(parse(MYSQLD.slice(0, 40), MYSQLD.slice(40)), undefined);
  assert.equal(parse(MYSQLD, ') S 1 1873 ')?.comm, 'mysqld');
});

test('refuses what is no stat line', () => {
  for (const text of ['\n', 'no brackets', ')(', '7 () S', '7 (x) S 1 2', MYSQLD.replace(' 20 0 61 ', ' 20\n0 61 ')])
    assert.equal(parse(text), undefined);
});

test('parses the running kernel’s line', () => {
  const stat = parse(readFileSync('/proc/self/stat'));
  assert.equal(stat?.ppid, process.ppid);
  assert.ok((stat?.threads ?? 0) > 1);
  assert.ok((stat?.rssPages ?? 0) > 1_000);
});

test('finds the start of the stack, behind a name with brackets, unless the kernel hides it', () => {
  const of = (stackStart: number) => parseStackStart(kernelText(statLine({ pid: 7, comm: 'a) (b', stackStart })));
  assert.equal(of(140_727_347_013_296), 140_727_347_013_296);
  assert.equal(of(0), undefined);
  assert.equal(of(1), undefined);
  assert.equal(parseStackStart(kernelText('7 (cut) S 1 7')), undefined);
});

test('finds another start of the stack after an exec', () => {
  const text = new KernelText();
  const stackOf = (pid: number | 'self') =>
    readWhole(`/proc/${pid}/stat`, text) === undefined ? parseStackStart(text) : undefined;
  const child = spawn('sleep', ['60']);
  try {
    assert.equal(stackOf(process.pid), stackOf('self'));
    assert.ok(stackOf(process.pid));
    assert.notEqual(stackOf(child.pid ?? 0), stackOf(process.pid));
  } finally {
    child.kill();
  }
});
