import type { ProcessCounters, Snapshot } from '../snapshot.ts';
import type { ExitWindow } from './exits.ts';
import { isZombie, startsAlike } from './same-process.ts';

interface SettledZombie {
  /** As the scan read it. */
  read: ProcessCounters;
  /** The same with its exact CPU time. */
  exact: ProcessCounters;
}

/** By pid. */
export type SettledZombies = ReadonlyMap<number, SettledZombie>;

/**
 * A process that has ended stands as a zombie until its parent reaps it, and its CPU time stands in whole ticks: nothing
 * of a process that lived for some milliseconds. Where the kernel told of its exit, the exact time takes their place, so
 * that it counts when it was used and not when some init gets round to reaping.
 */
export class Zombies {
  /** Zombies of the last snapshot whose exact time is known. */
  settled: SettledZombies = new Map();

  /** @returns the snapshot with exact zombies; itself where there are none. */
  settle(snapshot: Snapshot, window: ExitWindow | undefined): Snapshot {
    const settled = new Map<number, SettledZombie>();
    for (const [pid, known] of this.settled) {
      const read = snapshot.processes.get(pid);
      if (read?.startTicks === known.read.startTicks && isZombie(read)) {
        const { ownTicks } = known.exact;
        settled.set(pid, read === known.read ? known : { read, exact: { ...read, ownTicks } });
      }
    }
    const log = window?.exits;
    for (let row = 0; log !== undefined && row < log.length; row += 1) {
      const read = snapshot.processes.get(log.pids[row] ?? 0);
      if (!isZombie(read) || settled.has(read.pid)) continue;
      if (!startsAlike(snapshot, read, log.startedAtMs[row] ?? 0)) continue;
      const ownTicks = Math.max(read.ownTicks, log.cpuTicks[row] ?? 0);
      settled.set(read.pid, { read, exact: { ...read, ownTicks } });
    }
    this.settled = settled;
    if (settled.size === 0) return snapshot;
    const processes = new Map(snapshot.processes);
    for (const [pid, { exact }] of settled) processes.set(pid, exact);
    return { ...snapshot, processes };
  }
}
