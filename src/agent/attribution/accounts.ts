import type { Tree } from './tree.ts';
import { charge, none, RESOURCES, type Usage } from './usage.ts';

/** Usage of vanished processes, already shown, that the counters of whoever reaps them have not taken in yet. */
export interface Debits {
  /** Of children whose parent lives: nobody else can reap them. */
  children: Usage;
  /** Of processes whose parent died: reaped by it before, or by a reaper after. */
  orphans: Usage;
}

/**
 * Counters are in whole ticks, of user and of system time apart, while exits are told in nanoseconds. So what is missing
 * from a counter by no more than this may only not be visible yet, for as long as the process lives.
 */
const ROUNDING_TICKS = 2;

/** What each living process's counters took in, against what has been shown for its dead. */
interface Account extends Debits {
  credit: Usage;
  /** Of the credit, what came in this very window. */
  gainedTicks: number;
  /** Left over from the window before. */
  carried: Debits;
  /** CPU time that its counters lag behind what has been shown, left over from all windows before. */
  roundingTicks: number;
  /** Most that its counters may hold already of exits that will be charged in the next window. */
  pending: Usage;
}

export interface Settled {
  /** What waits for another window. */
  debits: Map<number, Debits>;
  roundingTicks: Map<number, number>;
  /** Credit that is left for the next window, as the exits it may be of will be charged then. */
  postponed: Map<number, Usage>;
  /** Parents whose children vanish without ever being added to their counters: they ignore SIGCHLD. */
  ignoring: Set<number>;
}

export class Accounts {
  readonly #accounts = new Map<number, Account>();

  of(pid: number): Account {
    let account = this.#accounts.get(pid);
    if (account === undefined) {
      account = {
        credit: none(),
        gainedTicks: 0,
        carried: { children: none(), orphans: none() },
        roundingTicks: 0,
        children: none(),
        orphans: none(),
        pending: none(),
      };
      this.#accounts.set(pid, account);
    }
    return account;
  }

  /** Takes down what a process's counters took in. */
  gain(pid: number, credit: Usage): void {
    const account = this.of(pid);
    account.credit = credit;
    account.gainedTicks = credit.cpuTicks;
  }

  /**
   * Charges what is left of each credit and says which debits wait for another window. Debits of orphans that found no
   * credit are tried against the nearest reaper: new ones at once, carried ones for the last time, then dropped.
   * Reapers settle last.
   * @param ignoring parents that were found to ignore SIGCHLD; undefined where exits are not known, and it cannot be told.
   */
  settle(
    usage: Map<number, Usage>,
    reapers: ReadonlySet<number>,
    ignoring: ReadonlySet<number> | undefined,
    tree: Tree,
  ): Settled {
    const settled: Settled = { debits: new Map(), roundingTicks: new Map(), postponed: new Map(), ignoring: new Set() };
    const isExact = ignoring !== undefined;
    if (isExact) {
      for (const [pid, account] of this.#accounts) {
        if (ignoresChildren(account, ignoring.has(pid))) forgetChildren(account, pid, settled);
      }
      for (const pid of ignoring) if (!this.#accounts.has(pid)) settled.ignoring.add(pid);
    }
    const pids = [...this.#accounts.keys()];
    for (const pid of pids) {
      if (!reapers.has(pid))
        settleOne(pid, this.of(pid), this.of(tree.reaperOf(pid, reapers)), isExact, usage, settled);
    }
    for (const [pid, account] of this.#accounts) {
      if (reapers.has(pid)) settleOne(pid, account, undefined, isExact, usage, settled);
    }
    return settled;
  }
}

/**
 * Whoever reaps has something to show for it one window later, unless it is too little to be seen. Who does not, and whose
 * children are gone all the same, ignores SIGCHLD.
 */
function ignoresChildren({ gainedTicks, carried, roundingTicks }: Account, wasFound: boolean): boolean {
  return gainedTicks === 0 && (wasFound || carried.children.cpuTicks + roundingTicks > ROUNDING_TICKS);
}

/** Its counters will never take in its children, so nothing in them may be taken for theirs. */
function forgetChildren(account: Account, pid: number, settled: Settled): void {
  account.carried.children = none();
  account.children = none();
  account.pending = none();
  account.roundingTicks = 0;
  settled.ignoring.add(pid);
}

function settleOne(
  pid: number,
  account: Account,
  reaper: Account | undefined,
  isExact: boolean,
  usage: Map<number, Usage>,
  settled: Settled,
): void {
  for (const resource of RESOURCES) {
    let missing = owed(account, resource) - account.credit[resource];
    if (missing <= 0) {
      const postponed = Math.min(-missing, account.pending[resource]);
      if (postponed > 0) settled.postponed.getOrInsertComputed(pid, none)[resource] = postponed;
      charge(usage, pid, resource, -missing - postponed);
      continue;
    }
    const { children, orphans } = account;
    if (reaper !== undefined) missing -= takeFromReaper(account, reaper, resource, missing, isExact);
    const keptOrphans = Math.min(missing, orphans[resource]);
    const keptChildren = Math.min(missing - keptOrphans, children[resource]);
    // The reaper may have been given what is missing here: which of the two it was shows in the next window.
    if (isExact && reaper !== undefined) reaper.pending[resource] += keptOrphans;
    if (keptOrphans > 0) settled.debits.getOrInsertComputed(pid, noDebits).orphans[resource] = keptOrphans;
    if (keptChildren > 0) settled.debits.getOrInsertComputed(pid, noDebits).children[resource] = keptChildren;
    if (!isExact || resource !== 'cpuTicks') continue;
    const rounding = Math.min(missing - keptOrphans - keptChildren, ROUNDING_TICKS);
    if (rounding > 0) settled.roundingTicks.set(pid, rounding);
  }
}

/** Tries debits of orphans against the credit of the nearest reaper. @returns how much was found there. */
function takeFromReaper(
  { credit, carried, orphans }: Account,
  reaper: Account,
  resource: keyof Usage,
  missing: number,
  isExact: boolean,
): number {
  // What is carried may not wait any longer, so it goes before the reaper's own, which may.
  const reserved = waiting(reaper, resource);
  if (isExact) return take(reaper, resource, Math.min(carried.orphans[resource], missing), reserved);
  const unpaid = carried.children[resource] + carried.orphans[resource] - credit[resource];
  const late = Math.min(carried.orphans[resource], Math.max(0, unpaid));
  const taken = take(reaper, resource, late, reserved);
  // Orphans that never were this process's to reap took up the credit of others.
  const doubtful = Math.min(missing - taken, carried.orphans[resource] + orphans[resource]);
  return taken + take(reaper, resource, doubtful, owed(reaper, resource));
}

/** What has waited for a window. */
function waiting({ carried, roundingTicks }: Account, resource: keyof Usage): number {
  const rounding = resource === 'cpuTicks' ? roundingTicks : 0;
  return carried.children[resource] + carried.orphans[resource] + rounding;
}

/** Everything shown for dead processes that this account's credit may hold. */
function owed(account: Account, resource: keyof Usage): number {
  return waiting(account, resource) + account.children[resource] + account.orphans[resource];
}

/** Takes as much of a debit out of a reaper's credit as there is beyond what is reserved. @returns how much that was. */
function take(reaper: Account, resource: keyof Usage, debit: number, reserved: number): number {
  const taken = Math.min(Math.max(0, reaper.credit[resource] - reserved), debit);
  reaper.credit[resource] -= taken;
  return taken;
}

function noDebits(): Debits {
  return { children: none(), orphans: none() };
}
