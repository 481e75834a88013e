import type { ProcessCounters, Snapshot } from './snapshot.ts';

/** What one process used up between two snapshots, its vanished children's share included. Never negative. */
export interface Usage {
  /** Of 1/100 s. */
  cpuTicks: number;
  readBytes: number;
  writeBytes: number;
}

const RESOURCES = ['cpuTicks', 'readBytes', 'writeBytes'] as const;

/** What attribution remembers from one window to the next. */
export interface Carry {
  /** Usage of vanished children, already shown, that their parent's counters have not taken in yet; kept for one window. */
  debits: ReadonlyMap<number, Usage>;
  /** Processes that take in orphans: init, and every subreaper that was seen to. */
  reapers: ReadonlySet<number>;
}

export const NO_CARRY: Carry = { debits: new Map(), reapers: new Set([1]) };

/** A process read twice within this much of its start may have been missed by the scan before. */
const START_SLACK_TICKS = 2;

/**
 * Charges everything that was used between two snapshots to exactly one process each, from /proc alone.
 *
 * The kernel adds a dead child's whole history to its parent when the parent reaps it: to `cutime`/`cstime` apart from
 * the parent's own time, to /proc/[pid]/io mixed with it. So what a parent's counter gained (its credit), less what had
 * been shown for its vanished children while they lived (debits), is what those children used unseen, and is charged
 * to the parent. Processes that never met a scan are charged to whoever started them.
 *
 * A pure function: the snapshots and the carry are left as they are.
 */
export function attribute(
  previous: Snapshot,
  current: Snapshot,
  carry: Carry,
): { usage: Map<number, Usage>; carry: Carry } {
  const tree = new Tree(previous.processes, current.processes);
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
      accounts.of(process.pid).credit = {
        cpuTicks: process.reapedTicks,
        readBytes: process.io?.readBytes ?? 0,
        writeBytes: process.io?.writeBytes ?? 0,
      };
      continue;
    }
    if (before.ppid !== process.ppid && !current.processes.has(before.ppid)) reapers.add(process.ppid);
    charge(usage, process.pid, 'cpuTicks', process.ownTicks - before.ownTicks);
    accounts.of(process.pid).credit = gain(before, process);
  }

  for (const [pid, debit] of carry.debits) {
    const heir = tree.liveHeir(pid);
    // With a new heir the wait begins anew: it too may have been read before it reaped.
    add(heir === pid ? accounts.of(heir).carried : accounts.of(heir).orphans, debit);
  }
  for (const dead of previous.processes.values()) {
    if (tree.isAlive(dead)) continue;
    const heir = tree.liveHeir(dead.ppid);
    // A zombie has lost its children to a reaper.
    const isParent = heir === dead.ppid && current.processes.get(heir)?.state !== 'Z';
    add(isParent ? accounts.of(heir).children : accounts.of(heir).orphans, history(dead));
  }
  return { usage, carry: { debits: accounts.settle(usage, reapers, tree), reapers } };
}

/** What each living process's counters took in, against what has been shown for its dead. */
interface Account {
  credit: Usage;
  /** Left over from the window before. */
  carried: Usage;
  /** Of children whose parent lives. */
  children: Usage;
  /** Of processes whose parent died in the same window: reaped by it before, or by a reaper after. */
  orphans: Usage;
}

class Accounts {
  readonly #accounts = new Map<number, Account>();

  of(pid: number): Account {
    let account = this.#accounts.get(pid);
    if (account === undefined) {
      account = { credit: none(), carried: none(), children: none(), orphans: none() };
      this.#accounts.set(pid, account);
    }
    return account;
  }

  /**
   * Charges what is left of each credit and says which debits wait for another window. Debits that found no credit are
   * tried against the nearest reaper: orphans at once, carried ones for the last time, then dropped. Reapers settle last.
   */
  settle(usage: Map<number, Usage>, reapers: ReadonlySet<number>, tree: Tree): Map<number, Usage> {
    const debits = new Map<number, Usage>();
    const pids = [...this.#accounts.keys()];
    const ordinary = pids.filter((pid) => !reapers.has(pid));
    for (const pid of ordinary) this.#settleOne(pid, usage, debits, this.of(tree.reaperOf(pid, reapers)));
    for (const pid of this.#accounts.keys()) if (reapers.has(pid)) this.#settleOne(pid, usage, debits, undefined);
    return debits;
  }

  #settleOne(pid: number, usage: Map<number, Usage>, debits: Map<number, Usage>, reaper: Account | undefined): void {
    const account = this.of(pid);
    for (const resource of RESOURCES) {
      const { credit, carried, children, orphans } = account;
      let missing = owed(account, resource) - credit[resource];
      if (missing <= 0) {
        charge(usage, pid, resource, -missing);
        continue;
      }
      if (reaper !== undefined) {
        // What is carried may not wait any longer, so it goes before the reaper's own, which may.
        const late = Math.max(0, carried[resource] - credit[resource]);
        missing -= take(reaper, resource, late, reaper.carried[resource]);
        // Orphans that never were this process's to reap, or carried debits of that kind, took up the credit of others.
        const doubtful = Math.min(missing, carried[resource] + orphans[resource]);
        missing -= take(reaper, resource, doubtful, owed(reaper, resource));
      }
      const kept = Math.min(missing, children[resource] + orphans[resource]);
      if (kept > 0) {
        const debit = debits.get(pid) ?? none();
        debit[resource] += kept;
        debits.set(pid, debit);
      }
    }
  }
}

/** Everything shown for dead processes that this account's credit may hold. */
function owed({ carried, children, orphans }: Account, resource: keyof Usage): number {
  return carried[resource] + children[resource] + orphans[resource];
}

/** Takes as much of a debit out of a reaper's credit as there is beyond what is reserved. @returns how much that was. */
function take(reaper: Account, resource: keyof Usage, debit: number, reserved: number): number {
  const taken = Math.min(Math.max(0, reaper.credit[resource] - reserved), debit);
  reaper.credit[resource] -= taken;
  return taken;
}

/** Who is who's parent, across two snapshots. */
class Tree {
  readonly #previous: ReadonlyMap<number, ProcessCounters>;
  readonly #current: ReadonlyMap<number, ProcessCounters>;

  constructor(previous: ReadonlyMap<number, ProcessCounters>, current: ReadonlyMap<number, ProcessCounters>) {
    this.#previous = previous;
    this.#current = current;
  }

  /** The same process in the snapshot before; a pid in use again is another process. */
  earlier(process: ProcessCounters): ProcessCounters | undefined {
    const before = this.#previous.get(process.pid);
    return before?.startTicks === process.startTicks ? before : undefined;
  }

  isAlive(process: ProcessCounters): boolean {
    return this.#current.get(process.pid)?.startTicks === process.startTicks;
  }

  /** The process itself while it lives, else its nearest living ancestor, else init. */
  liveHeir(pid: number): number {
    for (let heir = pid, steps = 0; steps < 64; steps += 1) {
      const before = this.#previous.get(heir);
      if (before === undefined) return this.#current.has(heir) ? heir : 1;
      if (this.isAlive(before)) return heir;
      heir = before.ppid;
    }
    return 1;
  }

  /** The nearest ancestor that takes in orphans. */
  reaperOf(pid: number, reapers: ReadonlySet<number>): number {
    let ancestor = this.#current.get(pid)?.ppid;
    for (let steps = 0; ancestor !== undefined && steps < 64; steps += 1) {
      if (reapers.has(ancestor)) return ancestor;
      ancestor = this.#current.get(ancestor)?.ppid;
    }
    return 1;
  }
}

function none(): Usage {
  return { cpuTicks: 0, readBytes: 0, writeBytes: 0 };
}

function add(sum: Usage, more: Usage): void {
  for (const resource of RESOURCES) sum[resource] += more[resource];
}

function charge(usage: Map<number, Usage>, pid: number, resource: keyof Usage, amount: number): void {
  if (amount <= 0) return;
  let used = usage.get(pid);
  if (used === undefined) {
    used = none();
    usage.set(pid, used);
  }
  used[resource] += amount;
}

/** Everything a dead process had been seen to use: what its reaper's counters will gain at least. */
function history(dead: ProcessCounters): Usage {
  return {
    cpuTicks: dead.ownTicks + dead.reapedTicks,
    readBytes: dead.io?.readBytes ?? 0,
    writeBytes: Math.max(0, dead.io?.writeBytes ?? 0),
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
