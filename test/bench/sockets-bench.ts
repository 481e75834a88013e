import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { AGENT_NODE_OPTIONS } from '../../src/server/release/agent-process.ts';
import { ended, median, numberFrom, ROOT } from './tools.ts';

/** Both ends of each are sockets of this machine. */
const CONNECTIONS = 5_000;
const ROUNDS = 5;
const READINGS = 50;

/** What `compare` of bench.ts takes. */
export type SocketRow = [
  what: string,
  value: number,
  reference: [name: string, value: number],
  asked: number,
  unit: string,
];

/** One reading of 10,000 TCP sockets beside one run of ss. `rusage` is the compiled rusage.c. Wants Debian's iproute2. */
export async function readingOfSockets(rusage: string): Promise<SocketRow[]> {
  // Twice as many descriptors as connections, and some to live on.
  const limit = `--nofile=${CONNECTIONS * 3}`;
  const holder = spawn('prlimit', [limit, process.execPath, `${ROOT}test/bench/connections.ts`, String(CONNECTIONS)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  try {
    const times = { procmesh: [] as number[], ssWithProcesses: [] as number[], ss: [] as number[] };
    const poll = [...AGENT_NODE_OPTIONS, `${ROOT}test/bench/poll-procmesh.ts`, String(READINGS)];
    for (let round = 0; round < ROUNDS; round += 1) {
      times.procmesh.push(numberFrom(process.execPath, ...poll) / 1000);
      times.ssWithProcesses.push(numberFrom(rusage, 'ss', '-tiepnOH') / 1000);
      times.ss.push(numberFrom(rusage, 'ss', '-tienOH') / 1000);
    }
    const own = median(times.procmesh);
    const what = `bytes per process of ${CONNECTIONS * 2} TCP sockets, one reading, CPU`;
    return [
      [what, own, ['ss -tiepnOH', median(times.ssWithProcesses)], 0.25, 'ms'],
      [what, own, ['ss -tienOH', median(times.ss)], 0.5, 'ms'],
    ];
  } finally {
    await ended(holder, () => holder.stdin.end());
  }
}
