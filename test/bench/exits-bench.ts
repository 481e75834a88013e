import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { AGENT_NODE_OPTIONS } from '../../src/server/release/agent-process.ts';
import { ROOT, type Workshop } from './tools.ts';

const SECONDS = 8;
const SPAWNERS = 2;

/** What hearing of so many exits a second costs, % of one core, and how many of them were not heard of. */
export async function exitStorm(
  workshop: Workshop,
  rate: number,
): Promise<{ cpuPercent: number; perSec: number; lost: number; overruns: number }> {
  const spawner = workshop.compile('spawner');
  const args = [...AGENT_NODE_OPTIONS, `${ROOT}test/bench/read-exits.ts`];
  const reader = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(reader.stdout, 'data');
  // One alone cannot start as many as are asked for.
  const spawners = Array.from({ length: SPAWNERS }, () =>
    promisify(execFile)(spawner, [String(rate / SPAWNERS), String(SECONDS)]),
  );
  const counts = await Promise.all(spawners);
  reader.stdin.end();
  const [text] = await once(reader.stdout, 'data');
  const { counted, overruns, cpuMs } = JSON.parse(String(text)) as Record<'counted' | 'overruns' | 'cpuMs', number>;
  const started = counts.reduce((sum, { stdout }) => sum + Number(stdout), 0);
  // Others end processes too: more are heard of than the spawner started, never fewer.
  return {
    cpuPercent: cpuMs / 10 / SECONDS,
    perSec: started / SECONDS,
    lost: Math.max(0, started - counted),
    overruns,
  };
}
