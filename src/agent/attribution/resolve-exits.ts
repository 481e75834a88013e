import type { ProcessCounters, Snapshot } from '../snapshot.ts';
import type { ExitLog, ExitWindow } from './exits.ts';
import { isZombie, startsAlike } from './same-process.ts';
import { Tree } from './tree.ts';
import { add, none, type Usage } from './usage.ts';

/** Processes of one name that started and ended between two snapshots. */
export interface EndedChildren {
  comm: string;
  count: number;
  /** Of 1/100 s. */
  cpuTicks: number;
}

/** What processes used that no snapshot met, summed up under the one that started them. */
export interface Unseen {
  /** Of its own children. */
  children: Usage;
  /** Of processes further below, all of whose parents up to here are dead too: who reaped them is not known. */
  below: Usage;
  names: Map<string, EndedChildren>;
}

/** The last word on a process of the snapshot before that is gone. */
export interface Ended {
  /** Its parent when it ended. */
  ppid: number;
  /** Of its whole life, without its children. */
  own: Usage;
  /** Below it, since the scan before. */
  unseen: Unseen | undefined;
}

export interface ResolvedExits {
  ended: Map<number, Ended>;
  /** By a process that is alive, or gone without an exit that told of it. */
  unseen: Map<number, Unseen>;
  /** By a living process: all it may have been given already by exits that are charged in the next window. */
  pending: Map<number, Usage>;
  carry: Pick<ExitCarry, 'settled' | 'unmet'>;
}

/** What is remembered of exits from one window to the next. */
export interface ExitCarry {
  /** Start times of processes that are settled although their exits will come once more, by pid. */
  settled: ReadonlyMap<number, number>;
  /** Processes that vanished and were not told of. If they are now, it is too late: their reapers have been charged. */
  untold: ReadonlyMap<number, ProcessCounters>;
  /** What ended below processes too young for the snapshot. */
  unmet: ReadonlyMap<number, Unseen>;
}

/** Who lived longer than the window and this was there at its beginning. */
const WINDOW_SLACK_MS = 500;
/** Names that are told apart below one process; more are not worth showing. */
const MAX_NAMES = 16;

/**
 * Finds out whom each exit is about: a process that was seen, or one that no snapshot met, whose usage goes to the nearest
 * ancestor that one did meet. Exits come in order and a child's comes before its parent's, if the parent did not die first
 * and the child was given to another. So sums that are handed up at each exit end up with the right ancestor, and how
 * many processes there were between does not matter.
 */
export function resolveExits(
  previous: Snapshot,
  current: Snapshot,
  { exits, beforeScan }: ExitWindow,
  carry: ExitCarry,
): ResolvedExits {
  const ended = new Map<number, Ended>();
  const settled = new Map<number, number>();
  const sums = new Sums(exits, carry.unmet);
  const surelySeenMs = current.monotonicMs - previous.monotonicMs + WINDOW_SLACK_MS;

  const isSeen = (row: number): ProcessCounters | undefined => {
    const before = previous.processes.get(exits.pids[row] as number);
    if (before === undefined || ended.has(before.pid)) return undefined;
    const wasThere = (exits.livedMs[row] as number) > surelySeenMs;
    return wasThere || startsAlike(previous, before, exits.startedAtMs[row] as number) ? before : undefined;
  };

  for (let row = 0; row < beforeScan; row += 1) {
    const pid = exits.pids[row] as number;
    const untold = carry.untold.get(pid);
    const isLate = untold !== undefined && startsAlike(previous, untold, exits.startedAtMs[row] as number);
    if (isLate || carry.settled.get(pid) === exits.startedAtMs[row]) {
      sums.handUp(row, undefined);
      continue;
    }
    const before = isSeen(row);
    const now = current.processes.get(pid);
    if (before !== undefined && now?.startTicks !== before.startTicks) {
      ended.set(pid, { ppid: exits.ppids[row] as number, own: ownUsage(exits, row), unseen: sums.takeOut(pid) });
      continue;
    }
    // The counters of a zombie are its last ones. They are in the snapshot, and count when it vanishes.
    if (isZombie(now) && (before !== undefined || startsAlike(current, now, exits.startedAtMs[row] as number)))
      continue;
    const wasHidden = (exits.livedMs[row] as number) > surelySeenMs;
    sums.handUp(row, wasHidden ? undefined : ownUsage(exits, row));
  }
  const { unseen, unmet } = sums.resolve(previous, current, carry.unmet);

  const later = new Sums(exits, unmet);
  for (let row = beforeScan; row < exits.length; row += 1) {
    const pid = exits.pids[row] as number;
    const now = current.processes.get(pid);
    const before = isSeen(row);
    if (before !== undefined && now?.startTicks !== before.startTicks) {
      // It is gone already; what ended below it while the scan went on follows in the next window.
      ended.set(pid, { ppid: exits.ppids[row] as number, own: ownUsage(exits, row), unseen: unseen.get(pid) });
      unseen.delete(pid);
      settled.set(pid, exits.startedAtMs[row] as number);
      later.handUp(row, undefined);
    } else {
      const isRead = now !== undefined && startsAlike(current, now, exits.startedAtMs[row] as number);
      later.handUp(row, isRead ? wholeUsage(exits, row, now, unseen.get(pid)) : ownUsage(exits, row));
    }
  }
  const tree = new Tree(previous.processes, current.processes, ended);
  return { ended, unseen, pending: later.totals(tree), carry: { settled, unmet } };
}

/** What is summed up below each process. */
class Sums {
  readonly #exits: ExitLog;
  readonly #sums = new Map<number, Unseen>();

  constructor(exits: ExitLog, first: ReadonlyMap<number, Unseen>) {
    this.#exits = exits;
    for (const [pid, unseen] of first) mergeBelow(this.#of(pid), unseen, 'children');
  }

  takeOut(pid: number): Unseen | undefined {
    const sum = this.#sums.get(pid);
    if (sum !== undefined) this.#sums.delete(pid);
    return sum;
  }

  /** Adds a process that ended, and all that was summed up below it, to its parent's sum. */
  handUp(row: number, own: Usage | undefined): void {
    const below = this.takeOut(this.#exits.pids[row] as number);
    if (own === undefined && below === undefined) return;
    const sum = this.#of(this.#exits.ppids[row] as number);
    if (below !== undefined) mergeBelow(sum, below, 'below');
    if (own === undefined) return;
    add(sum.children, own);
    count(sum.names, this.#exits.comms[row] as string, 1, own.cpuTicks);
  }

  /**
   * Whose sums these are. Where a process was met by no snapshot and has not ended, it is too young for this one; if it
   * is not met by the next one either, its exit was lost, and init is charged.
   */
  resolve(previous: Snapshot, current: Snapshot, waited: ReadonlyMap<number, Unseen>) {
    const unseen = new Map<number, Unseen>();
    const unmet = new Map<number, Unseen>();
    for (const [pid, sum] of this.#sums) {
      if (current.processes.has(pid) || previous.processes.has(pid)) unseen.set(pid, sum);
      else if (!waited.has(pid)) unmet.set(pid, sum);
    }
    for (const [pid, sum] of this.#sums) {
      if (unseen.has(pid) || unmet.has(pid)) continue;
      const init = unseen.get(1);
      if (init === undefined) unseen.set(1, sum);
      else mergeBelow(init, sum, 'below');
    }
    return { unseen, unmet };
  }

  totals(tree: Tree): Map<number, Usage> {
    const totals = new Map<number, Usage>();
    for (const [pid, { children, below }] of this.#sums) {
      const heir = tree.liveHeir(pid);
      const total = totals.get(heir) ?? none();
      add(total, children);
      add(total, below);
      totals.set(heir, total);
    }
    return totals;
  }

  #of(pid: number): Unseen {
    let sum = this.#sums.get(pid);
    if (sum === undefined) {
      sum = { children: none(), below: none(), names: new Map() };
      this.#sums.set(pid, sum);
    }
    return sum;
  }
}

/** Adds one sum to another; `as` says where its direct children belong there. */
function mergeBelow(sum: Unseen, more: Unseen, as: 'children' | 'below'): void {
  add(sum[as], more.children);
  add(sum.below, more.below);
  for (const { comm, count: processes, cpuTicks } of more.names.values()) count(sum.names, comm, processes, cpuTicks);
}

function count(names: Map<string, EndedChildren>, comm: string, processes: number, cpuTicks: number): void {
  const known = names.get(comm);
  if (known !== undefined) {
    known.count += processes;
    known.cpuTicks += cpuTicks;
  } else if (names.size < MAX_NAMES) names.set(comm, { comm, count: processes, cpuTicks });
}

function ownUsage(exits: ExitLog, row: number): Usage {
  return {
    cpuTicks: exits.cpuTicks[row] as number,
    readBytes: exits.readBytes[row] as number,
    writeBytes: exits.writeBytes[row] as number,
  };
}

/** All that whoever reaps it is given, of a process that was read while it lived: what it had reaped itself, too. */
function wholeUsage(exits: ExitLog, row: number, now: ProcessCounters, unseen: Unseen | undefined): Usage {
  const whole = {
    cpuTicks: Math.max(exits.cpuTicks[row] as number, now.ownTicks) + now.reapedTicks,
    readBytes: Math.max(exits.readBytes[row] as number, now.io?.readBytes ?? 0),
    writeBytes: Math.max(exits.writeBytes[row] as number, now.io?.writeBytes ?? 0),
  };
  if (unseen !== undefined) {
    add(whole, unseen.children);
    add(whole, unseen.below);
  }
  return whole;
}
