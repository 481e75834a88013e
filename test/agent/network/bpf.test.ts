import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ownPidNamespace } from '../../../src/agent/network/bpf.ts';
import { openLibc } from '../../../src/kernel/libc.ts';

const CHILD = fileURLToPath(new URL('./bpf-child.ts', import.meta.url));

interface Told {
  ownPid: number;
  namespaced: boolean;
  pids: number[];
  own: { loopbackOutBytes: number };
}

function run(wrapper: readonly string[]): Told {
  const [file = '', ...args] = [...wrapper, process.execPath, CHILD];
  const child = spawnSync(file, args, { encoding: 'utf8', timeout: 20_000 });
  assert.equal(child.status, 0, child.stderr);
  return JSON.parse(child.stdout);
}

test('names processes as this process sees them in the first PID namespace, children included', () => {
  const { ownPid, namespaced, pids, own } = run([]);
  assert.equal(namespaced, false);
  assert.equal(own.loopbackOutBytes, 500);
  assert.ok(pids.includes(ownPid));
});

test('names processes by their ids in a PID namespace of its own, and leaves those outside of it out', () => {
  // The child starts with a process id of 1 there, which no process outside that uses the network has.
  const { ownPid, namespaced, pids, own } = run(['unshare', '--pid', '--fork', '--mount-proc']);
  assert.deepEqual({ ownPid, namespaced, pids }, { ownPid: 1, namespaced: true, pids: [1] });
  assert.equal(own.loopbackOutBytes, 500);
});

const BPF_PROG_GET_NEXT_ID = 11;

/** Programs that the kernel holds, whoever loaded them. */
function loadedPrograms(): number[] {
  const libc = openLibc();
  const ids: number[] = [];
  const attributes = Buffer.alloc(12);
  while (libc.bpf(BPF_PROG_GET_NEXT_ID, attributes) >= 0) {
    ids.push(attributes.readUInt32LE(4));
    attributes.writeUInt32LE(attributes.readUInt32LE(4), 0);
  }
  return ids;
}

test('leaves nothing in the kernel when its process is killed', { timeout: 20_000 }, async () => {
  const child = spawn(process.execPath, [CHILD, 'stay'], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const own = readdirSync(`/proc/${child.pid}/fdinfo`).flatMap((fd) => {
    const id = /^prog_id:\s+(\d+)$/m.exec(readFileSync(`/proc/${child.pid}/fdinfo/${fd}`, 'utf8'))?.[1];
    return id === undefined ? [] : [Number(id)];
  });
  assert.equal(new Set(own).size, 2);
  for (const id of own) assert.ok(loadedPrograms().includes(id));
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  // The kernel frees them once no CPU can be running them any more.
  while (loadedPrograms().some((id) => own.includes(id))) await new Promise((resolve) => setImmediate(resolve));
});

test('is in the first namespace exactly when it sees the threads of the kernel', () => {
  const isFirst = ownPidNamespace('/proc') === undefined;
  // kthreadd is a process of the first namespace alone.
  const hasKernelThreads = existsSync('/proc/2/comm') && readFileSync('/proc/2/comm', 'utf8') === 'kthreadd\n';
  assert.equal(isFirst, hasKernelThreads);
});
