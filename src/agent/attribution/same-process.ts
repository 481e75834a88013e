import type { ProcessCounters, Snapshot } from '../snapshot.ts';

/** Start times from an exit and from a snapshot differ by less, if they are of the same process. */
const SAME_START_MS = 1_200;

/** @param startedAtMs as an exit tells it, epoch ms. */
export function startsAlike(snapshot: Snapshot, process: ProcessCounters, startedAtMs: number): boolean {
  const ageMs = (snapshot.host.uptimeTicks - process.startTicks) * 10;
  return Math.abs(snapshot.wallMs - ageMs - startedAtMs) < SAME_START_MS;
}

/** Ended, and its parent has not asked for it yet. */
export function isZombie(process: ProcessCounters | undefined): process is ProcessCounters {
  return process?.state === 'Z' || process?.state === 'X';
}
