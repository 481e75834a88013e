import { KernelError } from '../../kernel/libc.ts';
import { KernelText } from '../../procfs/kernel-file.ts';
import { type ListeningSocket, readListening } from '../../procfs/net-tcp.ts';
import { readNetNamespace, readSocketInodes } from '../../procfs/pid-fd.ts';
import { isAlive, isKernelThread, type ProcessCounters } from '../snapshot.ts';
import { Sought } from '../sought.ts';
import { threadCpuMs } from '../thread-cpu.ts';

/**
 * In /proc even a table with few listening sockets costs milliseconds, because the kernel walks its whole hash of
 * connections to find where listening ends, and so does the search for who holds a new one. So it is read this seldom,
 * and never for more than this share of one core.
 */
const REFRESH_MS = 5_000;
const MAX_SHARE = 1 / 500;
/** And this seldom while somebody meets a server that is not known. */
const URGENT_REFRESH_MS = 500;

/** A listening socket whose holders are looked for, a round with each refresh. */
class Listener extends Sought {
  readonly port: number;
  /** In this process's own network namespace. */
  readonly isOwn: boolean;
  /** Processes that hold it open; empty while not found. */
  holders: ProcessCounters[] = [];

  constructor(port: number, isOwn: boolean) {
    super();
    this.port = port;
    this.isOwn = isOwn;
  }
}

export interface ListenersOptions {
  /** As for `leaderOf`. */
  isFork?: IsFork;
  /** Knows the listening sockets of this process's network namespace at less cost than /proc. */
  dump?: { read(): ListeningSocket[] } | undefined;
  /** Monotonic, ms. */
  nowMs?: () => number;
  /** CPU time that this thread has used, ms. */
  cpuMs?: () => number;
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
  readonly #dump: ListenersOptions['dump'];
  readonly #nowMs: () => number;
  readonly #cpuMs: () => number;
  readonly #listeners = new Map<number, Listener>();
  /** One living member of each other network namespace: containers have tables of their own. */
  readonly #namespaces = new Map<string, number>();
  #portsByLeader = new Map<number, number[]>();
  /** Of this process's own network namespace; undefined where the holder is not known, or is not one program. */
  #holderByPort = new Map<number, ProcessCounters | undefined>();
  #refreshes = 0;
  #refreshedMs = Number.NEGATIVE_INFINITY;
  /** CPU time that may be used now: what was not used of the last seconds. */
  #budgetMs = REFRESH_MS * MAX_SHARE;

  constructor(procRoot: string, ownPid: number, options: ListenersOptions = {}) {
    const { isFork = () => true, dump, nowMs = () => performance.now(), cpuMs = threadCpuMs } = options;
    this.#procRoot = procRoot;
    this.#isFork = isFork;
    this.#dump = dump;
    this.#nowMs = nowMs;
    this.#cpuMs = cpuMs;
    this.#ownNamespace = readNetNamespace(procRoot, ownPid);
  }

  /** Makes the listening sockets of this process's network namespace known from the next refresh on. */
  noticeNamespace(pid: number): void {
    const namespace = readNetNamespace(this.#procRoot, pid);
    if (namespace !== undefined && namespace !== this.#ownNamespace) this.#namespaces.set(namespace, pid);
  }

  /** To be called with every snapshot; looks anew when it is time, which is sooner when it is urgent. */
  refresh(processes: ReadonlyMap<number, ProcessCounters>, { isUrgent = false } = {}): void {
    const startedMs = this.#nowMs();
    const elapsedMs = startedMs - this.#refreshedMs;
    if (elapsedMs < (isUrgent ? URGENT_REFRESH_MS : REFRESH_MS)) return;
    const budgetMs = Math.min(REFRESH_MS * MAX_SHARE, this.#budgetMs + elapsedMs * MAX_SHARE);
    if (budgetMs < 0) return;
    this.#refreshedMs = startedMs;
    const cpuBeforeMs = this.#cpuMs();
    this.#refresh(processes);
    this.#budgetMs = budgetMs - (this.#cpuMs() - cpuBeforeMs);
  }

  #refresh(processes: ReadonlyMap<number, ProcessCounters>): void {
    this.#refreshes += 1;
    const open = new Set<number>();
    let wanted = false;
    for (const [index, sockets] of this.#tables(processes).entries()) {
      for (const { inode, port } of sockets) {
        open.add(inode);
        const known = this.#listeners.get(inode);
        if (known === undefined) {
          this.#listeners.set(inode, new Listener(port, index === 0));
          wanted = true;
          continue;
        }
        known.holders = known.holders.filter((holder) => isAlive(holder, processes));
        if (known.holders.length === 0 && known.isDue(this.#refreshes)) wanted = true;
      }
    }
    for (const inode of this.#listeners.keys()) if (!open.has(inode)) this.#listeners.delete(inode);
    if (wanted) this.#findHolders(processes);
    this.#portsByLeader = this.#groupPorts(processes);
    this.#holderByPort = this.#singleHolders(processes);
  }

  /** Ports of the process group with this leader, ascending; empty when it listens on none. */
  portsOf(leaderPid: number): number[] {
    return this.#portsByLeader.get(leaderPid) ?? [];
  }

  /** Whether somebody in this process's network namespace listened on the port at the last look. */
  isListening(port: number): boolean {
    return this.#holderByPort.has(port);
  }

  /**
   * Who listened on a port in this process's network namespace at the last look: the topmost holder of its socket, or
   * the leader of those that listen side by side. Undefined where that is not known, and where strangers share the
   * port, each on an address of its own.
   */
  holderOf(port: number): ProcessCounters | undefined {
    return this.#holderByPort.get(port);
  }

  /** Of each network namespace its listening sockets, those of this process's own first. */
  #tables(processes: ReadonlyMap<number, ProcessCounters>): ListeningSocket[][] {
    const tables = [this.#ownTable()];
    for (const [namespace, pid] of this.#namespaces) {
      if (processes.has(pid)) tables.push(readListening(`${this.#procRoot}/${pid}/net`, this.#text));
      else this.#namespaces.delete(namespace);
    }
    return tables;
  }

  #ownTable(): ListeningSocket[] {
    try {
      if (this.#dump !== undefined) return this.#dump.read();
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
    }
    return readListening(`${this.#procRoot}/net`, this.#text);
  }

  #findHolders(processes: ReadonlyMap<number, ProcessCounters>): void {
    for (const process of processes.values()) {
      if (isKernelThread(process)) continue;
      for (const inode of readSocketInodes(this.#procRoot, process.pid)) {
        const listener = this.#listeners.get(inode);
        if (listener?.holders.every(({ pid }) => pid !== process.pid)) listener.holders.push(process);
      }
    }
    for (const listener of this.#listeners.values()) {
      if (listener.holders.length === 0 && listener.isDue(this.#refreshes)) listener.wasMissed(this.#refreshes);
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

  #singleHolders(processes: ReadonlyMap<number, ProcessCounters>): Map<number, ProcessCounters | undefined> {
    const owners = new Map<number, Map<number, ProcessCounters>>();
    const unknown = new Set<number>();
    for (const { holders, isOwn, port } of this.#listeners.values()) {
      if (!isOwn) continue;
      if (holders.length === 0) unknown.add(port);
      const known = owners.get(port) ?? new Map<number, ProcessCounters>();
      for (const owner of ownersAmong(holders, processes)) known.set(owner.pid, owner);
      owners.set(port, known);
    }
    const single = new Map<number, ProcessCounters | undefined>();
    for (const [port, known] of owners) {
      single.set(port, unknown.has(port) ? undefined : this.#single([...known.values()], processes));
    }
    return single;
  }

  #single(
    owners: readonly ProcessCounters[],
    processes: ReadonlyMap<number, ProcessCounters>,
  ): ProcessCounters | undefined {
    if (owners.length < 2) return owners[0];
    const leaders = owners.map((owner) => leaderOf(owner, processes, this.#isFork));
    return leaders.every(({ pid }) => pid === leaders[0]?.pid) ? leaders[0] : undefined;
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
