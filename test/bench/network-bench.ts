import { type ChildProcess, type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { AGENT_NODE_OPTIONS } from '../../src/server/release/agent-process.ts';
import { joinedNamespaces } from '../support/net-namespaces.ts';
import { cpuMs, ended, median, ROOT, startProcesses, type Workshop } from './tools.ts';

const SECONDS = 8;
const TALKERS = 1_000;
const CONNECTIONS_PER_SEC = 5_000;

interface Reading {
  readingMs: number[];
  processes: number[];
  /** CPU time of the whole reader. */
  ownMs: number;
  calls: number;
  /** CPU time of the programs in the kernel. */
  runMs: number;
  nsPerCall: number;
}

/** What it costs to read so many processes that all use the network, and what their calls cost in the kernel. */
export async function activeProcesses(
  workshop: Workshop,
): Promise<{ readingMs: number; processes: number; nsPerCall: number }> {
  const crowd = await startProcesses(workshop.compile('talkers'), TALKERS);
  const { readingMs, processes, nsPerCall } = await readNetwork();
  await crowd.end();
  // The kernel tells CPU time of threads in steps: a single reading may seem to cost nothing, or a whole step.
  const meanMs = readingMs.reduce((sum, ms) => sum + ms, 0) / readingMs.length;
  return { readingMs: meanMs, processes: median(processes), nsPerCall };
}

/**
 * CPU time of nethogs beside our own, programs in the kernel included, while short connections come and go between two
 * namespaces, ms per second. We count both ends of each; a nethogs sees one namespace, so there is one in each.
 */
export async function shortConnections(
  workshop: Workshop,
): Promise<{ ownMs: number; nethogsMs: number; perSec: number; nsPerCall: number }> {
  const net = `${workshop.dir}/net`;
  execFileSync('cc', ['-O2', '-Wall', '-o', net, `${ROOT}test/coverage/programs/net.c`]);
  const cleanUps: (() => void)[] = [];
  const children: ChildProcess[] = [];
  const [a, b] = joinedNamespaces({ after: (clean) => cleanUps.push(clean as () => void) });
  const start = (namespace: typeof a, ...command: [string, ...string[]]) => {
    const [file, args] = namespace.inside(...command);
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    return child;
  };
  try {
    const server = start(a, net, 'http-server', '8080');
    await once(server.stdout, 'data');
    // It wants the cable to carry, which the kernel finds out some time after both ends are up.
    await delay(2_000);
    const nethogs = [a, b].map((namespace) => start(namespace, 'nethogs', '-t', '-v', '2', '-d', '1', 'cable0'));
    await Promise.all(nethogs.map(speaking));
    const count = CONNECTIONS_PER_SEC * (SECONDS + 6);
    start(b, net, 'http-client', a.address4, '8080', String(count), String(CONNECTIONS_PER_SEC));
    const reading = readNetwork();
    // The reader warms up for as long, and measures from then on.
    const used = await Promise.all(nethogs.map(({ pid = 0 }) => cpuWhile(pid, reading)));
    const nethogsMs = used.reduce((sum, ms) => sum + ms, 0);
    const { ownMs, runMs, calls, nsPerCall } = await reading;
    // A connection is at least two calls at each end.
    return { ownMs: (ownMs + runMs) / SECONDS, nethogsMs: nethogsMs / SECONDS, perSec: calls / 4 / SECONDS, nsPerCall };
  } finally {
    for (const child of children) await ended(child, () => child.kill());
    for (const clean of cleanUps) clean();
  }
}

/** Resolves when a child has said something. @throws Error when it ends before. */
async function speaking(child: ChildProcessByStdio<Writable, Readable, null>): Promise<void> {
  await Promise.race([
    once(child.stdout.resume(), 'data'),
    once(child, 'exit').then(() => {
      throw new Error(`${child.spawnfile} ended at once`);
    }),
  ]);
}

async function cpuWhile(pid: number, measured: Promise<unknown>): Promise<number> {
  await delay(3_000);
  const before = cpuMs(pid);
  await measured;
  return cpuMs(pid) - before;
}

async function readNetwork(): Promise<Reading> {
  const args = [...AGENT_NODE_OPTIONS, `${ROOT}test/bench/read-network.ts`, String(SECONDS)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [text] = await once(child.stdout, 'data');
  await ended(child, () => undefined);
  return JSON.parse(String(text)) as Reading;
}
