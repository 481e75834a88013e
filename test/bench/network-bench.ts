import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { AGENT_NODE_OPTIONS } from '../../src/cli/start.ts';
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
 * namespaces, ms per second.
 */
export async function shortConnections(
  workshop: Workshop,
): Promise<{ ownMs: number; nethogsMs: number; perSec: number; nsPerCall: number }> {
  const net = `${workshop.dir}/net`;
  execFileSync('cc', ['-O2', '-Wall', '-o', net, `${ROOT}test/coverage/programs/net.c`]);
  const cleanUps: (() => void)[] = [];
  const [a, b] = joinedNamespaces({ after: (clean) => cleanUps.push(clean as () => void) });
  const start = (namespace: typeof a, ...command: [string, ...string[]]) => {
    const [file, args] = namespace.inside(...command);
    return spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  };
  try {
    const server = start(a, net, 'http-server', '8080');
    await once(server.stdout, 'data');
    const nethogs = start(a, 'nethogs', '-t', '-v', '2', '-d', '1', 'cable');
    nethogs.stdout.resume();
    await once(nethogs.stdout, 'data');
    const count = CONNECTIONS_PER_SEC * (SECONDS + 6);
    const client = start(b, net, 'http-client', a.address4, '8080', String(count), String(CONNECTIONS_PER_SEC));
    const reading = readNetwork();
    // The reader warms up for as long, and measures from then on.
    const nethogsMs = await cpuWhile(nethogs.pid ?? 0, reading);
    const { ownMs, runMs, calls, nsPerCall } = await reading;
    for (const child of [client, server, nethogs]) await ended(child, () => child.kill());
    // A connection is at least two calls at each end.
    return { ownMs: (ownMs + runMs) / SECONDS, nethogsMs: nethogsMs / SECONDS, perSec: calls / 4 / SECONDS, nsPerCall };
  } finally {
    for (const clean of cleanUps) clean();
  }
}

async function cpuWhile(pid: number, measured: Promise<unknown>): Promise<number> {
  const warmUp = new Promise((resolve) => setTimeout(resolve, 3_000));
  await warmUp;
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
