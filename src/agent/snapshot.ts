import { readdirSync } from 'node:fs';
import { DescriptorPool, KernelFile, KernelText } from '../procfs/kernel-file.ts';
import { type PidIo, parsePidIo } from '../procfs/pid-io.ts';
import { emptyPidStat, parsePidStat } from '../procfs/pid-stat.ts';
import { type HostCounters, HostReader } from './host-counters.ts';

/**
 * Cumulative counters of one process at one moment. The same object stands in consecutive snapshots for as long as
 * nothing about the process changes, so an idle process costs neither memory nor attribution.
 */
export interface ProcessCounters {
  pid: number;
  /** With the pid it identifies a process for as long as the machine runs. */
  startTicks: number;
  ppid: number;
  comm: string;
  state: string;
  threads: number;
  rssPages: number;
  ownTicks: number;
  reapedTicks: number;
  /** Undefined where /proc/[pid]/io may not be read. Reaped children's history included. */
  io: PidIo | undefined;
}

/** Everything the kernel said at one moment. Raw: rates always come from two of these. */
export interface Snapshot {
  /** Monotonic, suspended time left out. */
  monotonicMs: number;
  /** Epoch. */
  wallMs: number;
  host: HostCounters;
  processes: Map<number, ProcessCounters>;
  /** Processes whose I/O this user may not see. */
  ioHidden: number;
}

/** A process's two files and what they said last. */
interface Tracked {
  stat: KernelFile;
  io: KernelFile;
  /** The scan that saw it last. */
  scan: number;
  /** io was refused; it stays so until the process becomes another program. */
  ioDenied: boolean;
  last: ProcessCounters | undefined;
}

export interface ScannerOptions {
  procRoot: string;
  sysRoot: string;
  /** Descriptors that may stay open, two per process. */
  keptDescriptors: number;
}

/** /proc is listed at least this often, for processes that could not be read when they were new. */
const LIST_EVERY = 16;

/** Takes snapshots of one machine. */
export class Scanner {
  readonly #procRoot: string;
  readonly #host: HostReader;
  readonly #pool: DescriptorPool;
  readonly #text = new KernelText();
  readonly #stat = emptyPidStat();
  readonly #io: PidIo = { readBytes: 0, writeBytes: 0 };
  readonly #tracked = new Map<number, Tracked>();
  /** Until the first scan: what another scanner read last. */
  #before: ReadonlyMap<number, ProcessCounters> = new Map();
  #scan = 0;
  #forksListed: number | undefined;

  constructor(options: ScannerOptions) {
    this.#procRoot = options.procRoot;
    this.#host = new HostReader(options.procRoot, options.sysRoot);
    this.#pool = new DescriptorPool(options.keptDescriptors);
  }

  /** Goes on from the last scan of another scanner; to be called before the first one. */
  resume(processes: ReadonlyMap<number, ProcessCounters>): void {
    this.#before = processes;
  }

  /** @throws when the host's own files cannot be read; a process that cannot is left out. */
  take(): Snapshot {
    this.#scan += 1;
    const wallMs = Date.now();
    const host = this.#host.read();
    const processes = new Map<number, ProcessCounters>();
    let ioHidden = 0;
    for (const pid of this.#pids(host.cpu.forks)) {
      const counters = this.#readProcess(pid);
      if (counters === undefined) continue;
      processes.set(pid, counters);
      if (counters.io === undefined) ioHidden += 1;
    }
    this.#forgetVanished();
    this.#before = new Map();
    return { monotonicMs: host.monotonicMs, wallMs, host, processes, ioHidden };
  }

  close(): void {
    for (const tracked of this.#tracked.values()) closeFiles(tracked);
    this.#tracked.clear();
  }

  /**
   * Listing /proc costs a twelfth of a scan. The kernel counts what is ever started, and that count is read before the
   * listing: while it stands still there is no process that an earlier listing did not show.
   */
  #pids(forks: number | undefined): Iterable<number> {
    const isDue = forks === undefined || forks !== this.#forksListed || this.#scan % LIST_EVERY === 0;
    if (!isDue) return this.#tracked.keys();
    this.#forksListed = forks;
    return listPids(this.#procRoot);
  }

  #readProcess(pid: number): ProcessCounters | undefined {
    let tracked = this.#tracked.get(pid);
    if (tracked === undefined) {
      const dir = `${this.#procRoot}/${pid}`;
      const stat = new KernelFile(`${dir}/stat`, this.#pool);
      const io = new KernelFile(`${dir}/io`, this.#pool);
      tracked = { stat, io, scan: 0, ioDenied: false, last: this.#before.get(pid) };
    }
    if (tracked.stat.read(this.#text) !== undefined || !parsePidStat(this.#text, this.#stat)) return undefined;
    if (tracked.scan === 0) this.#tracked.set(pid, tracked);
    tracked.scan = this.#scan;

    const stat = this.#stat;
    const last = tracked.last;
    if (last !== undefined && (last.startTicks !== stat.startTicks || last.comm !== stat.comm))
      tracked.ioDenied = false;
    const io = this.#readIo(tracked, last);
    if (
      last !== undefined &&
      last.ownTicks === stat.ownTicks &&
      last.startTicks === stat.startTicks &&
      last.io === io &&
      last.reapedTicks === stat.reapedTicks &&
      last.rssPages === stat.rssPages &&
      last.state === stat.state &&
      last.ppid === stat.ppid &&
      last.threads === stat.threads &&
      last.comm === stat.comm
    ) {
      return last;
    }
    tracked.last = { pid, ...stat, io };
    return tracked.last;
  }

  /** @returns the very object of the last scan while the figures stay the same. */
  #readIo(tracked: Tracked, last: ProcessCounters | undefined): PidIo | undefined {
    // A zombie refuses its io to all but root; what it had used stays known, or its parent would seem to use it anew.
    const before = last?.startTicks === this.#stat.startTicks ? last.io : undefined;
    if (tracked.ioDenied) return before;
    const absent = tracked.io.read(this.#text);
    if (absent === 'denied') tracked.ioDenied = true;
    if (absent !== undefined || !parsePidIo(this.#text, this.#io)) return before;
    const { readBytes, writeBytes } = this.#io;
    return before?.readBytes === readBytes && before.writeBytes === writeBytes ? before : { readBytes, writeBytes };
  }

  #forgetVanished(): void {
    for (const [pid, tracked] of this.#tracked) {
      if (tracked.scan === this.#scan) continue;
      closeFiles(tracked);
      this.#tracked.delete(pid);
    }
  }
}

function listPids(procRoot: string): number[] {
  const pids: number[] = [];
  for (const entry of readdirSync(procRoot)) {
    const first = entry.charCodeAt(0);
    if (first >= 0x31 && first <= 0x39) pids.push(Number(entry));
  }
  return pids;
}

function closeFiles(tracked: Tracked): void {
  tracked.stat.close();
  tracked.io.close();
}

/** Whether this very process, not another with its pid, is among them. */
export function isAlive(
  process: Pick<ProcessCounters, 'pid' | 'startTicks'>,
  processes: ReadonlyMap<number, ProcessCounters>,
): boolean {
  return processes.get(process.pid)?.startTicks === process.startTicks;
}

/** kthreadd, or a child of it: a process without memory or files of its own. */
export function isKernelThread({ pid, ppid }: ProcessCounters): boolean {
  return pid === 2 || ppid === 2;
}
