import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { BpfNetwork } from '../../src/agent/network/bpf.ts';
import { openLibc } from '../../src/kernel/libc.ts';

/** What reading the network once a second costs, for so many seconds; run by network-bench.ts with the agent's flags. */
const BPF_ENABLE_STATS = 32;
const WARM_UP_READS = 3;

const seconds = Number(process.argv[2]);
const libc = openLibc();
const network = new BpfNetwork(libc, { procRoot: '/proc', ownPid: process.pid });
for (let read = 0; read < WARM_UP_READS; read += 1) {
  await delay(1_000);
  network.read();
}
// The kernel measures the programs as long as this descriptor is open.
const measuring = libc.bpf(BPF_ENABLE_STATS, Buffer.alloc(4));
const before = process.cpuUsage();
const readingMs: number[] = [];
const processes: number[] = [];
for (let read = 0; read < seconds; read += 1) {
  await delay(1_000);
  const start = process.threadCpuUsage();
  processes.push(network.read().processes.size);
  const { user, system } = process.threadCpuUsage(start);
  readingMs.push((user + system) / 1_000);
}
const used = process.cpuUsage(before);
const programs = readdirSync('/proc/self/fdinfo').map(runTime);
const calls = programs.reduce((sum, program) => sum + program.calls, 0);
const runNs = programs.reduce((sum, program) => sum + program.ns, 0);
libc.close(measuring);
network.close();
process.stdout.write(
  `${JSON.stringify({ readingMs, processes, ownMs: (used.user + used.system) / 1_000, calls, runMs: runNs / 1e6, nsPerCall: runNs / calls })}\n`,
);

/** Of one descriptor; those of programs have these lines, each program has two descriptors but only one of its own. */
function runTime(fd: string): { calls: number; ns: number } {
  try {
    const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
    if (!text.includes('prog_type') || text.includes('link_type')) return { calls: 0, ns: 0 };
    const figure = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
    return { calls: figure('run_cnt'), ns: figure('run_time_ns') };
  } catch {
    return { calls: 0, ns: 0 };
  }
}
