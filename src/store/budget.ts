import type { Incomplete } from '../protocol/message.ts';
import type { Extent } from './records.ts';
import { MAX_HISTORY_ROWS, MAX_RECORDS_READ } from './store.ts';

/** Bounds of one answer; those of the port, unless a test wants less. */
export interface Limits {
  records: number;
  rows: number;
}
export const LIMITS: Limits = { records: MAX_RECORDS_READ, rows: MAX_HISTORY_ROWS };

const NOTHING = 'nothing was recorded then';
const TOO_MUCH = 'too much history for one answer: ask for one host or a shorter window';
export const ONLY_LARGEST = 'only its largest processes: ask for one host or a shorter window';

export interface HostExtent {
  host: string;
  extent: Extent;
}

/**
 * Decides what an answer reads before it is read: of each host its intervals, and of those that fit its processes too. A
 * host that is too much leaves room for smaller ones.
 */
export function withinBudget<Host extends HostExtent>(
  found: readonly Host[],
  options: { records: number; processes: boolean },
): { hosts: Host[]; withProcesses: Host[]; incomplete: Incomplete[] } {
  const hosts: Host[] = [];
  const withProcesses: Host[] = [];
  const incomplete: Incomplete[] = [];
  let left = options.records;
  for (const one of found) {
    const { host, extent } = one;
    if (left <= 0) incomplete.push({ host, reason: TOO_MUCH });
    else if (extent.intervals === 0) incomplete.push({ host, reason: NOTHING });
    else {
      left -= extent.intervals;
      hosts.push(one);
      if (!options.processes) continue;
      if (extent.recorded > left) incomplete.push({ host, reason: TOO_MUCH });
      else {
        left -= extent.recorded;
        withProcesses.push(one);
      }
    }
  }
  return { hosts, withProcesses, incomplete };
}
