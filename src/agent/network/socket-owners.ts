import { listDescriptors, readSocketInode } from '../../procfs/pid-fd.ts';
import { isAlive, isKernelThread, type ProcessCounters } from '../snapshot.ts';
import { Sought } from '../sought.ts';
import { threadCpuMs } from '../thread-cpu.ts';

type Processes = ReadonlyMap<number, ProcessCounters>;

/** CPU time that one search may take, ms; a link takes 3 to 6 µs. What is not found by then is sought further next time. */
const SEARCH_MS = 5;
/** The clock is looked at after so many descriptors of one process. */
const CLOCK_EVERY = 32;

/** A socket whose holder is asked for. */
export class OwnedSocket extends Sought {
  /** 0 while no process holds it. */
  inode = 0;
  /** Who held it when it was found; may have ended since. */
  holder: ProcessCounters | undefined;
  /** Name of its descriptor there. */
  fd = '';
  /** The holder still had it at a later look. */
  isConfirmed = false;
  /** Count of searches. */
  wantedAt = 0;
}

/**
 * Which process holds a socket, found through the links in /proc/[pid]/fd. A search goes on only while there are sockets
 * without a holder: first processes that are new, then those that listen on the sockets' ports and their children, then
 * those that hold others, then the rest, the newest first.
 *
 * Of several holders it is, as in ../identity/listeners.ts, the topmost: a parent that has the socket under the same number handed it
 * down to what it started. Between strangers that passed it on, it is the one found first. A server hands connections
 * to its children right after accepting them, so a holder is looked at once more when its socket moves bytes again; from
 * then on it stands until the process ends, and then the socket is sought anew.
 */
export class SocketOwners {
  readonly #procRoot: string;
  readonly #searchMs: number;
  readonly #cpuMs: () => number;
  readonly #sockets = new Map<number, OwnedSocket>();
  readonly #wanted = new Set<OwnedSocket>();
  /** Pids that hold sockets, also some that did. */
  readonly #holders = new Set<number>();
  /** Pids of those that listen on the ports of sockets sought since the last search. */
  readonly #listeners = new Set<number>();
  /** Processes there were at the last search. */
  #known = new Set<number>();
  #searches = 0;
  /** A round through all processes may take several searches: those still to be looked into, the next last. */
  #round: number[] | undefined;
  #roundStartedAt = 0;
  readonly #looked = new Set<number>();
  /** By pid: processes of so many descriptors that time was over among them, and those still to be looked at. */
  readonly #unfinished = new Map<number, { process: ProcessCounters; fds: string[] }>();
  #isDenied = false;

  /** `cpuMs` is the CPU time this thread has used. */
  constructor(procRoot: string, { searchMs = SEARCH_MS, cpuMs = threadCpuMs } = {}) {
    this.#procRoot = procRoot;
    this.#searchMs = searchMs;
    this.#cpuMs = cpuMs;
  }

  /** Whether there are processes that this user may not look into. */
  get isDenied(): boolean {
    return this.#isDenied;
  }

  /** Makes a socket's inode known, or one that replaces it. */
  track(socket: OwnedSocket, inode: number): void {
    if (this.#sockets.get(socket.inode) === socket) this.#sockets.delete(socket.inode);
    socket.inode = inode;
    this.#sockets.set(inode, socket);
  }

  forget(socket: OwnedSocket): void {
    if (this.#sockets.get(socket.inode) === socket) this.#sockets.delete(socket.inode);
    this.#wanted.delete(socket);
  }

  /**
   * Of a socket that is open and moved bytes: has it found by the next search if its holder is not known. `listener` is
   * who listens on its port, if anybody.
   */
  seek(socket: OwnedSocket, processes: Processes, listener?: ProcessCounters): void {
    const { holder } = socket;
    if (holder !== undefined && isAlive(holder, processes)) {
      if (socket.isConfirmed) return;
      socket.isConfirmed = readSocketInode(this.#procRoot, holder.pid, socket.fd) === socket.inode;
      if (socket.isConfirmed) return;
      socket.holder = undefined;
    }
    const next = this.#searches + 1;
    if (!socket.isDue(next) || this.#wanted.has(socket)) return;
    socket.wantedAt = next;
    this.#wanted.add(socket);
    if (listener !== undefined) this.#listeners.add(listener.pid);
  }

  /** To be called once per reading; for a bounded time, finds holders of the sockets that are sought, and of others met. */
  search(processes: Processes): void {
    this.#searches += 1;
    if (this.#wanted.size === 0) {
      this.#end();
      return;
    }
    const until = this.#cpuMs() + this.#searchMs;
    this.#round ??= this.#begin(processes);
    this.#enlist(this.#round, processes);
    while (this.#wanted.size > 0) {
      const pid = this.#round.pop();
      if (pid === undefined) {
        this.#giveUp();
        break;
      }
      const process = processes.get(pid);
      if (process === undefined || this.#looked.has(pid) || isKernelThread(process)) continue;
      if (!this.#lookInto(process, processes, until)) {
        this.#round.push(pid);
        return;
      }
      this.#looked.add(pid);
      if (this.#wanted.size > 0 && this.#cpuMs() >= until) return;
    }
    this.#end();
  }

  #end(): void {
    this.#round = undefined;
    this.#unfinished.clear();
  }

  #begin(processes: Processes): number[] {
    this.#roundStartedAt = this.#searches;
    this.#looked.clear();
    // Maps keep their order: what was seen first comes first, and pids ascend until they wrap around.
    const round = [...processes.keys()];
    for (const pid of this.#holders) {
      if (processes.has(pid)) round.push(pid);
      else this.#holders.delete(pid);
    }
    return round;
  }

  #enlist(round: number[], processes: Processes): void {
    if (this.#listeners.size > 0) {
      for (const { pid, ppid } of processes.values()) {
        if (this.#listeners.has(pid) || this.#listeners.has(ppid)) round.push(pid);
      }
      this.#listeners.clear();
    }
    for (const pid of processes.keys()) if (!this.#known.has(pid)) round.push(pid);
    this.#known = new Set(processes.keys());
  }

  /** @returns false when the time is over; the rest is looked through the next time. */
  #lookInto(process: ProcessCounters, processes: Processes, until: number): boolean {
    const fds = this.#descriptorsOf(process);
    for (let looked = 1; ; looked += 1) {
      const fd = fds.pop();
      if (fd === undefined) break;
      const inode = readSocketInode(this.#procRoot, process.pid, fd);
      const socket = inode === undefined ? undefined : this.#sockets.get(inode);
      if (socket !== undefined && !(socket.holder !== undefined && isAlive(socket.holder, processes))) {
        this.#found(socket, process, fd, processes);
        if (this.#wanted.size === 0) break;
      }
      if (looked % CLOCK_EVERY === 0 && this.#cpuMs() >= until) {
        this.#unfinished.set(process.pid, { process, fds });
        return false;
      }
    }
    this.#unfinished.delete(process.pid);
    return true;
  }

  #descriptorsOf(process: ProcessCounters): string[] {
    const unfinished = this.#unfinished.get(process.pid);
    if (unfinished?.process.startTicks === process.startTicks) return unfinished.fds;
    const listed = listDescriptors(this.#procRoot, process.pid);
    if (listed === 'denied') this.#isDenied = true;
    // Looked through from the end, as a server's newest connections tend to have the highest numbers.
    return typeof listed === 'string' ? [] : listed;
  }

  #found(socket: OwnedSocket, process: ProcessCounters, fd: string, processes: Processes): void {
    let holder = process;
    for (let steps = 0; steps < 64; steps += 1) {
      const parent = processes.get(holder.ppid);
      if (parent === undefined || parent.pid === 1) break;
      if (readSocketInode(this.#procRoot, parent.pid, fd) !== socket.inode) break;
      holder = parent;
    }
    socket.holder = holder;
    socket.fd = fd;
    socket.isConfirmed = false;
    socket.wasFound();
    this.#holders.add(holder.pid);
    this.#wanted.delete(socket);
  }

  /** What was sought throughout the round is sought ever more seldom; the next round is for the others. */
  #giveUp(): void {
    for (const socket of this.#wanted) {
      if (socket.wantedAt > this.#roundStartedAt) continue;
      socket.wasMissed(this.#searches);
      this.#wanted.delete(socket);
    }
  }
}
