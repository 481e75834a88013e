import type { ProcessCounters, Snapshot } from '../snapshot.ts';
import { Accounts, type Debits } from './accounts.ts';
import type { ExitWindow } from './exits.ts';
import { type Ended, type EndedChildren, type ExitCarry, resolveExits, type Unseen } from './resolve-exits.ts';
import { Tree } from './tree.ts';
import { add, charge, RESOURCES, type Usage } from './usage.ts';

export type { EndedChildren } from './resolve-exits.ts';
export type { Usage } from './usage.ts';

/** What attribution remembers from one window to the next. */
export interface Carry {
  /** Usage of vanished processes that their reaper's counters have not taken in yet, by reaper; kept for one window. */
  debits: ReadonlyMap<number, Debits>;
  /** Processes that take in orphans: init, and every subreaper that was seen to. */
  reapers: ReadonlySet<number>;
  /** Only where exits are known. */
  exact?: ExactCarry;
}

interface ExactCarry extends ExitCarry {
  /** CPU time by which counters lag behind what has been shown; kept as long as the process lives. */
  roundingTicks: ReadonlyMap<number, number>;
  /** Credit that was left for this window. */
  postponed: ReadonlyMap<number, Usage>;
  /** Processes that ignore SIGCHLD. */
  ignoring: ReadonlySet<number>;
}

export interface Attributed {
  usage: Map<number, Usage>;
  /** Last rows of processes that are gone and have usage: their last counters, in state X and without memory. */
  ended: ProcessCounters[];
  /** The few names that used most of what ended unseen below a process, which was charged for it. */
  endedChildren: Map<number, EndedChildren[]>;
  carry: Carry;
}

export const NO_CARRY: Carry = { debits: new Map(), reapers: new Set([1]) };

const NO_EXACT_CARRY: ExactCarry = {
  settled: new Map(),
  untold: new Map(),
  unmet: new Map(),
  roundingTicks: new Map(),
  postponed: new Map(),
  ignoring: new Set(),
};

/** A process read twice within this much of its start may have been missed by the scan before. */
const START_SLACK_TICKS = 2;
const MAX_ENDED_CHILDREN = 5;

/**
 * Charges everything that was used between two snapshots to exactly one process each.
 *
 * The kernel adds a dead child's whole history to its parent when the parent reaps it: to `cutime`/`cstime` apart from
 * the parent's own time, to /proc/[pid]/io mixed with it. So what a parent's counter gained (its credit), less what had
 * been shown for its vanished children (debits), is what those children used unseen, and is charged to the parent.
 * Processes that never met a scan are charged to whoever started them.
 *
 * Where exits are known, each is the last observation of a process: what it used since it was last seen is charged to
 * it, or, if it never was, to whoever started it, and is a debit as well. So a credit finds all that was told, and what is left of it
 * is only what nobody told: exits that were lost, and what a process used after its exit was reported.
 *
 * A pure function: the snapshots, the exits and the carry are left as they are.
 */
export function attribute(previous: Snapshot, current: Snapshot, carry: Carry, exits?: ExitWindow): Attributed {
  const exact = carry.exact ?? NO_EXACT_CARRY;
  const told = exits && resolveExits(previous, current, exits, exact);
  const tree = new Tree(previous.processes, current.processes, told?.ended ?? new Map());
  const usage = new Map<number, Usage>();
  const accounts = new Accounts();
  const reapers = new Set([...carry.reapers].filter((pid) => pid === 1 || current.processes.has(pid)));

  for (const process of current.processes.values()) {
    const before = tree.earlier(process);
    if (before === process) continue;
    if (before === undefined) {
      // Born before the last scan and not in it: it was hidden, and its history is not this window's.
      if (process.startTicks + START_SLACK_TICKS < previous.host.uptimeTicks) continue;
      charge(usage, process.pid, 'cpuTicks', process.ownTicks);
      accounts.gain(process.pid, {
        cpuTicks: process.reapedTicks,
        readBytes: process.io?.readBytes ?? 0,
        writeBytes: process.io?.writeBytes ?? 0,
      });
      continue;
    }
    if (before.ppid !== process.ppid && !current.processes.has(before.ppid)) reapers.add(process.ppid);
    charge(usage, process.pid, 'cpuTicks', process.ownTicks - before.ownTicks);
    accounts.gain(process.pid, gain(before, process));
  }

  for (const [pid, debits] of carry.debits) {
    const heir = tree.liveHeir(pid);
    const account = accounts.of(heir);
    // With a new heir the wait begins anew: it too may have been read before it reaped.
    add(heir === pid ? account.carried.orphans : account.orphans, debits.orphans);
    if (canReap(heir, pid, current)) add(account.carried.children, debits.children);
    else add(account.orphans, debits.children);
  }
  for (const [pid, ticks] of exact.roundingTicks) {
    const heir = tree.liveHeir(pid);
    if (heir === pid) accounts.of(heir).roundingTicks = ticks;
    else accounts.of(heir).orphans.cpuTicks += ticks;
  }
  for (const [pid, credit] of exact.postponed) add(accounts.of(tree.liveHeir(pid)).credit, credit);

  const untold = new Map<number, ProcessCounters>();
  for (const dead of previous.processes.values()) {
    if (tree.isAlive(dead)) continue;
    const parent = tree.parentOf(dead);
    const heir = tree.liveHeir(parent);
    const account = accounts.of(heir);
    const debits = canReap(heir, parent, current) ? account.children : account.orphans;
    add(debits, history(dead));
    if (told === undefined) continue;
    const ended = told.ended.get(dead.pid);
    if (ended === undefined) {
      untold.set(dead.pid, dead);
      continue;
    }
    if (parent !== dead.ppid && !current.processes.has(dead.ppid)) reapers.add(heir);
    const late = remaining(dead, ended);
    add(debits, late);
    chargeAll(usage, rowOf(dead, tree, current), late);
  }
  const endedChildren = new Map<number, EndedChildren[]>();
  const chargeUnseen = (pid: number, unseen: Unseen, dead: ProcessCounters | undefined): void => {
    const row = dead === undefined ? pid : rowOf(dead, tree, current);
    chargeAll(usage, row, unseen.children);
    chargeAll(usage, row, unseen.below);
    const heir = dead === undefined ? pid : tree.liveHeir(tree.parentOf(dead));
    const account = accounts.of(heir);
    add(canReap(heir, pid, current) ? account.children : account.orphans, unseen.children);
    add(account.orphans, unseen.below);
    endedChildren.set(row, largestNames([...(endedChildren.get(row) ?? []), ...unseen.names.values()]));
  };
  for (const [pid, unseen] of told?.unseen ?? []) {
    chargeUnseen(pid, unseen, current.processes.has(pid) ? undefined : previous.processes.get(pid));
  }
  for (const [pid, { unseen }] of told?.ended ?? []) {
    if (unseen !== undefined) chargeUnseen(pid, unseen, previous.processes.get(pid));
  }
  for (const [pid, most] of told?.pending ?? []) add(accounts.of(pid).pending, most);

  const ignoring = new Set(
    [...exact.ignoring].filter((pid) => tree.liveHeir(pid) === pid && previous.processes.has(pid)),
  );
  const { debits, ...waiting } = accounts.settle(usage, reapers, told && ignoring, tree);
  return {
    usage,
    ended: lastRows(usage.keys(), previous, current),
    endedChildren,
    carry: { debits, reapers, ...(told !== undefined && { exact: { ...told.carry, untold, ...waiting } }) },
  };
}

/** Whether this is the parent itself, and alive: a zombie has lost its children to a reaper. */
function canReap(heir: number, parent: number, current: Snapshot): boolean {
  return heir === parent && current.processes.get(heir)?.state !== 'Z';
}

/** Under which pid a dead process's usage is shown: its own, unless that is another's by now. */
function rowOf(dead: ProcessCounters, tree: Tree, current: Snapshot): number {
  return current.processes.has(dead.pid) ? tree.liveHeir(tree.parentOf(dead)) : dead.pid;
}

/** Of those that are gone: their last counters, in state X and without memory. */
export function lastRows(pids: Iterable<number>, previous: Snapshot, current: Snapshot): ProcessCounters[] {
  const rows: ProcessCounters[] = [];
  for (const pid of pids) {
    const dead = current.processes.has(pid) ? undefined : previous.processes.get(pid);
    if (dead !== undefined) rows.push({ ...dead, state: 'X', rssPages: 0 });
  }
  return rows;
}

function largestNames(names: EndedChildren[]): EndedChildren[] {
  return names.sort((a, b) => b.cpuTicks - a.cpuTicks || b.count - a.count).slice(0, MAX_ENDED_CHILDREN);
}

function chargeAll(usage: Map<number, Usage>, pid: number, amounts: Usage): void {
  for (const resource of RESOURCES) charge(usage, pid, resource, amounts[resource]);
}

/** Everything a dead process had been seen to use: what its reaper's counters will gain at least. */
function history(dead: ProcessCounters): Usage {
  return {
    cpuTicks: dead.ownTicks + dead.reapedTicks,
    readBytes: dead.io?.readBytes ?? 0,
    writeBytes: Math.max(0, dead.io?.writeBytes ?? 0),
  };
}

/**
 * What a process had used by its end beyond what it was seen to. Its I/O as seen holds its reaped children's too, which
 * cannot be told apart: then this is too little, and what is missing is left to whoever reaps it.
 */
function remaining(dead: ProcessCounters, { own }: Ended): Usage {
  const seen = history(dead);
  return {
    cpuTicks: Math.max(0, own.cpuTicks - dead.ownTicks),
    readBytes: dead.io === undefined ? 0 : Math.max(0, own.readBytes - seen.readBytes),
    writeBytes: dead.io === undefined ? 0 : Math.max(0, own.writeBytes - seen.writeBytes),
  };
}

/** What a living process's counters took in. A counter that went backwards gained nothing. */
function gain(before: ProcessCounters, now: ProcessCounters): Usage {
  const { io: ioBefore } = before;
  const { io } = now;
  const known = ioBefore !== undefined && io !== undefined;
  return {
    cpuTicks: Math.max(0, now.reapedTicks - before.reapedTicks),
    readBytes: known ? Math.max(0, io.readBytes - ioBefore.readBytes) : 0,
    writeBytes: known ? Math.max(0, io.writeBytes - ioBefore.writeBytes) : 0,
  };
}
