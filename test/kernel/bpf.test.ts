import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { test } from 'node:test';
import { attachRawTracepoint, BpfMap } from '../../src/kernel/bpf.ts';
import { assemble, compute, exit, jumpIf, label, load } from '../../src/kernel/bpf-assembly.ts';
import { KernelError, type Libc, openLibc } from '../../src/kernel/libc.ts';

const libc = openLibc();
const nothing = assemble([compute('r0', '=', 0), exit()]);

function openBpfFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.includes('bpf') ? [target] : [];
    } catch {
      return [];
    }
  });
}

test('a program that the verifier refuses is refused with its last words', () => {
  const reckless = assemble([
    load('u64', 'r1', 'r1', 0),
    label('again'),
    load('u64', 'r2', 'r1', 0),
    jumpIf('r2', '==', 7, 'again'),
    compute('r0', '=', 0),
    exit(),
  ]);
  assert.throws(() => attachRawTracepoint(libc, 'sock_send_length', reckless), {
    name: 'KernelError',
    code: 'EACCES',
    message: /^bpf\(BPF_PROG_LOAD sock_send_length\): EACCES: .*R1 invalid mem access 'scalar'/,
  });
});

test('a tracepoint that this kernel does not have is refused, and nothing stays loaded', () => {
  assert.throws(() => attachRawTracepoint(libc, 'no_such_tracepoint', nothing), {
    code: 'ENOENT',
    message: 'bpf(BPF_RAW_TRACEPOINT_OPEN no_such_tracepoint): ENOENT',
  });
  assert.deepEqual(openBpfFiles(), []);
});

test('a program is loaded again when a signal made the verifier give up, though not for ever', () => {
  let interruptions = 3;
  const interrupted: Libc = {
    ...libc,
    bpf: (command, attributes) => {
      if (command !== 5 || interruptions === 0) return libc.bpf(command, attributes);
      interruptions -= 1;
      return -constants.errno.EAGAIN;
    },
  };
  for (const fd of attachRawTracepoint(interrupted, 'sock_send_length', nothing)) libc.close(fd);
  assert.equal(interruptions, 0);
  interruptions = Number.POSITIVE_INFINITY;
  assert.throws(() => attachRawTracepoint(interrupted, 'sock_send_length', nothing), { code: 'EAGAIN' });
});

test('a map is empty when nothing was counted, and again after it was emptied', () => {
  const map = new BpfMap(libc, { keyBytes: 4, valueBytes: 8, maxEntries: 64 });
  assert.equal(map.drain(), 0);
  assert.equal(map.drain(), 0);
  map.close();
  assert.throws(() => map.drain(), { code: 'EBADF' });
});

test('a map of impossible size is refused', () => {
  assert.throws(
    () => new BpfMap(libc, { keyBytes: 0, valueBytes: 8, maxEntries: 64 }),
    (error) => error instanceof KernelError && error.code === 'EINVAL',
  );
});
