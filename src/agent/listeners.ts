import { KernelText } from '../procfs/kernel-file.ts';
import { readListening } from '../procfs/net-tcp.ts';
import { readNetNamespace, readSocketInodes } from '../procfs/pid-fd.ts';
import type { ProcessCounters } from './snapshot.ts';

/**
 * Even a table with few listening sockets costs milliseconds, because the kernel walks its whole hash of connections to
 * find where listening ends. So it is read this seldom, and never for more than this share of the time.
 */
const REFRESH_MS = 5_000;
const MAX_SHARE = 1 / 500;

/** A socket whose holder cannot be found is looked for again after this many refreshes, then twice as many, and so on. */
const FIRST_RETRY = 2;
const LAST_RETRY = 512;

interface Listener {
  port: number;
  /** Processes that hold it open; empty while not found. */
  holders: ProcessCounters[];
  retryAt: number;
  retryAfter: number;
}

/**
 * Who listens on which TCP port. The search for a socket's holder, through every process's descriptors, is made only for
 * sockets not seen before.
 */
export class Listeners {
  readonly #procRoot: string;
  readonly #text = new KernelText();
  readonly #ownNamespace: string | undefined;
  readonly #isFork: IsFork;
  readonly #listeners = new Map<number, Listener>();
  /** One living member of each other network namespace: containers have tables of their own. */
  readonly #namespaces = new Map<string, number>();
  #portsByLeader = new Map<number, number[]>();
  #refreshes = 0;
  #nextRefreshMs = Number.NEGATIVE_INFINITY;

  /** `isFork` as for `leaderOf`. */
  constructor(procRoot: string, ownPid: number, isFork: IsFork = () => true) {
    this.#procRoot = procRoot;
    this.#isFork = isFork;
    this.#ownNamespace = readNetNamespace(procRoot, ownPid);
  }

  /** Makes the listening sockets of this process's network namespace known from the next refresh on. */
  noticeNamespace(pid: number): void {
    const namespace = readNetNamespace(this.#procRoot, pid);
    if (namespace !== undefined && namespace !== this.#ownNamespace) this.#namespaces.set(namespace, pid);
  }

  /** To be called with every snapshot; looks anew when it is time. `now` is a monotonic clock in ms. */
  refresh(processes: ReadonlyMap<number, ProcessCounters>, now: () => number = () => performance.now()): void {
    const startedMs = now();
    if (startedMs < this.#nextRefreshMs) return;
    this.#refresh(processes);
    this.#nextRefreshMs = startedMs + Math.max(REFRESH_MS, (now() - startedMs) / MAX_SHARE);
  }

  #refresh(processes: ReadonlyMap<number, ProcessCounters>): void {
    this.#refreshes += 1;
    const open = new Set<number>();
    let wanted = false;
    for (const dir of this.#tables(processes)) {
      for (const { inode, port } of readListening(dir, this.#text)) {
        open.add(inode);
        const known = this.#listeners.get(inode);
        if (known === undefined) {
          this.#listeners.set(inode, { port, holders: [], retryAt: 0, retryAfter: FIRST_RETRY });
          wanted = true;
          continue;
        }
        known.holders = known.holders.filter((holder) => processes.get(holder.pid)?.startTicks === holder.startTicks);
        if (known.holders.length === 0 && known.retryAt <= this.#refreshes) wanted = true;
      }
    }
    for (const inode of this.#listeners.keys()) if (!open.has(inode)) this.#listeners.delete(inode);
    if (wanted) this.#findHolders(processes);
    this.#portsByLeader = this.#groupPorts(processes);
  }

  /** Ports of the process group with this leader, ascending; empty when it listens on none. */
  portsOf(leaderPid: number): number[] {
    return this.#portsByLeader.get(leaderPid) ?? [];
  }

  #tables(processes: ReadonlyMap<number, ProcessCounters>): string[] {
    const tables = [`${this.#procRoot}/net`];
    for (const [namespace, pid] of this.#namespaces) {
      if (processes.has(pid)) tables.push(`${this.#procRoot}/${pid}/net`);
      else this.#namespaces.delete(namespace);
    }
    return tables;
  }

  #findHolders(processes: ReadonlyMap<number, ProcessCounters>): void {
    for (const process of processes.values()) {
      if (process.ppid === 2 || process.pid === 2) continue;
      for (const inode of readSocketInodes(this.#procRoot, process.pid)) {
        const listener = this.#listeners.get(inode);
        if (listener?.holders.every(({ pid }) => pid !== process.pid)) listener.holders.push(process);
      }
    }
    for (const listener of this.#listeners.values()) {
      if (listener.holders.length > 0 || listener.retryAt > this.#refreshes) continue;
      listener.retryAt = this.#refreshes + listener.retryAfter;
      listener.retryAfter = Math.min(LAST_RETRY, listener.retryAfter * 2);
    }
  }

  #groupPorts(processes: ReadonlyMap<number, ProcessCounters>): Map<number, number[]> {
    const ports = new Map<number, number[]>();
    for (const { holders, port } of this.#listeners.values()) {
      for (const owner of ownersAmong(holders, processes)) {
        const leader = leaderOf(owner, processes, this.#isFork).pid;
        const known = ports.get(leader);
        if (known === undefined) ports.set(leader, [port]);
        else if (!known.includes(port)) known.push(port);
      }
    }
    for (const list of ports.values()) list.sort((a, b) => a - b);
    return ports;
  }
}

/**
 * A socket may be held by many: a server's workers and whatever it started inherit it, and init holds it first when it
 * activates services by socket. It belongs to the topmost holder below init.
 */
function ownersAmong(
  holders: readonly ProcessCounters[],
  processes: ReadonlyMap<number, ProcessCounters>,
): readonly ProcessCounters[] {
  const services = holders.length > 1 ? holders.filter(({ pid }) => pid !== 1) : holders;
  const pids = new Set(services.map(({ pid }) => pid));
  return services.filter((holder) => {
    for (let ppid = processes.get(holder.pid)?.ppid ?? 0, steps = 0; ppid > 1 && steps < 64; steps += 1) {
      if (pids.has(ppid)) return false;
      ppid = processes.get(ppid)?.ppid ?? 0;
    }
    return true;
  });
}

/** Whether a child is still the program that its parent is; true where it cannot be known. */
export type IsFork = (child: ProcessCounters, parent: ProcessCounters) => boolean;

/**
 * The topmost of an unbroken line of ancestors of the same name that were forked without an exec: the postmaster of a
 * backend, the master of a worker, but not a supervisor that starts programs of its own kind. Kernel process groups do
 * not tell, as backends of PostgreSQL make groups of their own.
 */
export function leaderOf(
  process: ProcessCounters,
  processes: ReadonlyMap<number, ProcessCounters>,
  isFork: IsFork = () => true,
): ProcessCounters {
  let leader = process;
  for (let steps = 0; steps < 64; steps += 1) {
    const parent = processes.get(leader.ppid);
    if (parent === undefined || parent.pid === 1 || parent.comm !== leader.comm || !isFork(leader, parent))
      return leader;
    leader = parent;
  }
  return leader;
}
