import { isAlive, type ProcessCounters } from '../snapshot.ts';

type Processes = ReadonlyMap<number, ProcessCounters>;

/** Longest line of ancestors that is followed. */
const MAX_STEPS = 64;

/** Who is who's parent, across two snapshots. */
export class Tree {
  readonly #previous: Processes;
  readonly #current: Processes;
  /** Parents of dead processes when they ended, where that is known better than from the snapshot before. */
  readonly #lastParents: ReadonlyMap<number, { ppid: number }>;

  constructor(previous: Processes, current: Processes, lastParents: ReadonlyMap<number, { ppid: number }>) {
    this.#previous = previous;
    this.#current = current;
    this.#lastParents = lastParents;
  }

  /** The same process in the snapshot before; a pid in use again is another process. */
  earlier(process: ProcessCounters): ProcessCounters | undefined {
    const before = this.#previous.get(process.pid);
    return before?.startTicks === process.startTicks ? before : undefined;
  }

  isAlive(process: ProcessCounters): boolean {
    return isAlive(process, this.#current);
  }

  /** Of a process that is gone. */
  parentOf(dead: ProcessCounters): number {
    return this.#lastParents.get(dead.pid)?.ppid ?? dead.ppid;
  }

  /** The process itself while it lives, else its nearest living ancestor, else init. */
  liveHeir(pid: number): number {
    for (let heir = pid, steps = 0; steps < MAX_STEPS; steps += 1) {
      const before = this.#previous.get(heir);
      if (before === undefined) return this.#current.has(heir) ? heir : 1;
      if (this.isAlive(before)) return heir;
      heir = this.parentOf(before);
    }
    return 1;
  }

  /** The nearest ancestor that takes in orphans. */
  reaperOf(pid: number, reapers: ReadonlySet<number>): number {
    let ancestor = this.#current.get(pid)?.ppid;
    for (let steps = 0; ancestor !== undefined && steps < MAX_STEPS; steps += 1) {
      if (reapers.has(ancestor)) return ancestor;
      ancestor = this.#current.get(ancestor)?.ppid;
    }
    return 1;
  }
}
