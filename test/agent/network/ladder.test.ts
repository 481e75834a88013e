import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openKernelAccess } from '../../../src/agent/kernel-access.ts';
import { openNetwork } from '../../../src/agent/network/ladder.ts';
import type { NetworkChoice } from '../../../src/agent/network/source.ts';
import { type Libc, openLibc } from '../../../src/kernel/libc.ts';

/** What stands where these system calls give other results than the kernel's. */
function opened(choice: NetworkChoice, calls: Partial<Libc> = {}) {
  const kernel = openKernelAccess(() => ({ ...openLibc(), ...calls }));
  const ladder = openNetwork({ choice, kernel, procRoot: '/proc', ownPid: process.pid });
  ladder.source?.close();
  return { source: ladder.source?.name, refusals: ladder.refusals };
}

test('stands on eBPF where the kernel lets it, and says nothing', () => {
  assert.deepEqual(opened('auto'), { source: 'bpf', refusals: [] });
  assert.deepEqual(opened('bpf'), { source: 'bpf', refusals: [] });
});

test('stands on the counters of sockets where it is told to', () => {
  assert.deepEqual(opened('sockets'), { source: 'sockets', refusals: [] });
});

for (const { title, bpf, refusal } of [
  {
    title: 'it may not load programs',
    bpf: () => -1,
    refusal:
      'no eBPF: bpf(BPF_MAP_CREATE): EPERM; run the agent as root (or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)',
  },
  {
    title: 'the kernel knows no such call',
    bpf: () => -38,
    refusal: 'no eBPF: bpf(BPF_MAP_CREATE): ENOSYS; this kernel was built without it',
  },
  {
    title: 'the kernel is older than the tracepoints',
    bpf: (command: number, attributes: Buffer) => (command === 17 ? -2 : openLibc().bpf(command, attributes)),
    refusal: 'no eBPF: bpf(BPF_RAW_TRACEPOINT_OPEN sock_send_length): ENOENT; it takes Linux 6.3 or newer',
  },
]) {
  test(`stands on the counters of sockets where ${title}, and says how to mend it`, () => {
    assert.deepEqual(opened('auto', { bpf }), { source: 'sockets', refusals: [refusal] });
    assert.deepEqual(opened('bpf', { bpf }), { source: undefined, refusals: [refusal] });
  });
}

test('stands on what ss tells where koffi cannot be loaded', () => {
  const missing = Object.assign(new Error("Cannot find module 'koffi'\nRequire stack:\n- here"), {
    code: 'MODULE_NOT_FOUND',
  });
  const kernel = openKernelAccess(() => {
    throw missing;
  });
  const { source, refusals } = openNetwork({ choice: 'auto', kernel, procRoot: '/proc', ownPid: process.pid });
  source?.close();
  assert.equal(source?.name, 'sockets');
  assert.deepEqual(refusals, ['no eBPF: koffi cannot be loaded (MODULE_NOT_FOUND); npm ci installs it']);
});

test('closes what it had opened before it was refused', () => {
  const openFiles: number[] = [];
  const libc = openLibc();
  const calls: Partial<Libc> = {
    bpf: (command, attributes) => {
      const result = command === 17 ? -1 : libc.bpf(command, attributes);
      if (result > 2) openFiles.push(result);
      return result;
    },
    close: (fd) => {
      openFiles.splice(openFiles.indexOf(fd), 1);
      return libc.close(fd);
    },
  };
  assert.equal(opened('bpf', calls).source, undefined);
  assert.deepEqual(openFiles, []);
});
