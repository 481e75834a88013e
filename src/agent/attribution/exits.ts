import { KernelError } from '../../kernel/libc.ts';

/** Tasks that exited, one after the other: `TaskExits` of the kernel, which tells what each field means. */
export interface TaskExitSource {
  readonly overruns: number;
  readonly tgid: number;
  readonly ppid: number;
  readonly comm: string;
  readonly isLast: boolean;
  readonly cpuNs: number;
  readonly startedAtMs: number;
  readonly livedMs: number;
  readonly readBytes: number;
  readonly writeBytes: number;
  next(): boolean;
  close(): void;
}

/** What tasks had used when they were reaped: `TaskEnds` of the kernel. */
export interface TaskEndSource {
  drain(visit: (tgid: number, cpuNs: number, tasks: number) => void): void;
  close(): void;
}

/** What ended since the scan before. It stays as it is until the end of the next scan. */
export interface ExitWindow {
  readonly exits: ExitLog;
  /**
   * So many of `exits` had ended before the scan began. The others ended while it went on, and the snapshot may or may
   * not have taken that in; they come once more, first of all, in the next window.
   */
  readonly beforeScan: number;
  /** How many times exits were lost since the scan before. */
  readonly overruns: number;
}

const FIRST_CAPACITY = 1_024;
/** What 10,000 exits per second make in 6 seconds: 3 MB. Exits beyond are lost, as those that the kernel drops. */
const MAX_EXITS = 65_536;
/** Living processes some of whose threads did I/O and ended; of one more, the oldest is forgotten. */
const MAX_PARTIAL = 16_384;
/** Two threads' words on when their process started differ by less. */
const SAME_START_MS = 1_100;
const NS_PER_TICK = 1e7;
/** More than this no process uses on its way out; it would be another process with the same pid. */
const MAX_LAST_TICKS = 10;

/**
 * Processes that ended, oldest first, in columns: a storm makes tens of thousands of them, and no garbage. What they
 * used is their own, of their whole life and all their threads.
 */
export class ExitLog {
  length = 0;
  pids = new Int32Array(FIRST_CAPACITY);
  /** Parents when they ended. */
  ppids = new Int32Array(FIRST_CAPACITY);
  readonly comms: string[] = [];
  /** Epoch ms, right to ± 500. */
  startedAtMs = new Float64Array(FIRST_CAPACITY);
  /** Monotonic. */
  livedMs = new Float64Array(FIRST_CAPACITY);
  /** Of 1/100 s, with fractions. */
  cpuTicks = new Float64Array(FIRST_CAPACITY);
  readBytes = new Float64Array(FIRST_CAPACITY);
  /** Less what was thrown away before it was written; never below 0. */
  writeBytes = new Float64Array(FIRST_CAPACITY);

  /** Opens the next row. @returns undefined when there is no room. */
  add(): number | undefined {
    const row = this.length;
    if (row >= MAX_EXITS) return undefined;
    if (row === this.pids.length) this.#resize(row * 2);
    this.length += 1;
    return row;
  }

  /** Copies the rows from `start` on into this log, which is emptied before, and shrunk if it had become much too large. */
  takeRest(log: ExitLog, start: number): void {
    const count = log.length - start;
    const wanted = Math.max(FIRST_CAPACITY, this.pids.length / 2);
    if (this.length < this.pids.length / 8 && count <= wanted && wanted < this.pids.length) this.#resize(wanted);
    while (this.pids.length < count) this.#resize(this.pids.length * 2);
    this.length = count;
    this.comms.length = 0;
    for (let row = start; row < log.length; row += 1) this.comms.push(log.comms[row] as string);
    for (const column of COLUMNS) this[column].set(log[column].subarray(start, log.length));
  }

  #resize(capacity: number): void {
    const kept = Math.min(capacity, this.length);
    for (const column of ['pids', 'ppids'] as const) {
      const grown = new Int32Array(capacity);
      grown.set(this[column].subarray(0, kept));
      this[column] = grown;
    }
    for (const column of NUMBER_COLUMNS) {
      const grown = new Float64Array(capacity);
      grown.set(this[column].subarray(0, kept));
      this[column] = grown;
    }
  }
}

const NUMBER_COLUMNS = ['startedAtMs', 'livedMs', 'cpuTicks', 'readBytes', 'writeBytes'] as const;
const COLUMNS = ['pids', 'ppids', ...NUMBER_COLUMNS] as const;

/** I/O of threads that ended before their process. */
interface Partial {
  startedAtMs: number;
  readBytes: number;
  writeBytes: number;
}

/** Makes processes of the tasks that exit, and keeps them from scan to scan. */
export class Exits {
  /** Why nothing more is heard, since the source failed. */
  problem: KernelError | undefined;
  readonly #source: TaskExitSource;
  #ends: TaskEndSource | undefined;
  readonly #cpuNsByPid = new Map<number, number>();
  readonly #partial = new Map<number, Partial>();
  #log = new ExitLog();
  #spare = new ExitLog();
  #beforeScan = 0;
  #lost = 0;
  #lostBefore = 0;

  /** `ends` knows what the exits do not tell: what processes used on their way out. */
  constructor(source: TaskExitSource, ends?: TaskEndSource) {
    this.#source = source;
    this.#ends = ends;
  }

  /** How many times exits were lost, by the kernel or here. */
  get overruns(): number {
    return this.#source.overruns + this.#lost;
  }

  /** Takes in what has exited. To be called often enough that the kernel's queue never fills: a few times per second. */
  poll(): void {
    if (this.problem !== undefined) return;
    const source = this.#source;
    let isFull = false;
    try {
      while (source.next()) {
        if (!source.isLast) this.#addThread();
        else if (!this.#addProcess()) isFull = true;
      }
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      this.problem = error;
      source.close();
    }
    if (isFull) this.#lost += 1;
  }

  /** To be called right before the processes are read; what ended until now is known to be over for the snapshot. */
  beginScan(): void {
    this.poll();
    this.#beforeScan = this.#log.length;
  }

  /** To be called right after the processes were read. */
  endScan(): ExitWindow {
    this.poll();
    this.#takeLastRuns();
    const window = {
      exits: this.#log,
      beforeScan: this.#beforeScan,
      overruns: this.overruns - this.#lostBefore,
    };
    this.#lostBefore = this.overruns;
    this.#spare.takeRest(this.#log, this.#beforeScan);
    [this.#log, this.#spare] = [this.#spare, this.#log];
    return window;
  }

  close(): void {
    if (this.problem === undefined) this.#source.close();
    this.#ends?.close();
  }

  /**
   * Where nobody waits for a process, this is all that tells of its last run. One that is reaped later than this window
   * ends has been shown by then; of several threads those that ended early may be missing, so they are left alone.
   */
  #takeLastRuns(): void {
    const log = this.#log;
    const known = this.#cpuNsByPid;
    known.clear();
    try {
      this.#ends?.drain((tgid, cpuNs, tasks) => {
        if (tasks === 1) known.set(tgid, cpuNs);
      });
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      this.#ends?.close();
      this.#ends = undefined;
    }
    if (known.size === 0) return;
    for (let row = 0; row < log.length; row += 1) {
      const cpuTicks = (known.get(log.pids[row] as number) ?? 0) / NS_PER_TICK;
      const lastTicks = cpuTicks - (log.cpuTicks[row] as number);
      if (lastTicks > 0 && lastTicks < MAX_LAST_TICKS) log.cpuTicks[row] = cpuTicks;
    }
  }

  #addThread(): void {
    const { tgid, readBytes, writeBytes, startedAtMs } = this.#source;
    if (readBytes === 0 && writeBytes === 0) return;
    const known = this.#partialOf(tgid, startedAtMs);
    if (known !== undefined) {
      known.readBytes += readBytes;
      known.writeBytes += writeBytes;
      return;
    }
    if (this.#partial.size >= MAX_PARTIAL) {
      for (const oldest of this.#partial.keys()) {
        this.#partial.delete(oldest);
        break;
      }
    }
    this.#partial.set(tgid, { startedAtMs, readBytes, writeBytes });
  }

  /** What was heard of this very process; the end of an earlier one with its pid may have been lost. */
  #partialOf(tgid: number, startedAtMs: number): Partial | undefined {
    if (this.#partial.size === 0) return undefined;
    const known = this.#partial.get(tgid);
    if (known === undefined || Math.abs(known.startedAtMs - startedAtMs) < SAME_START_MS) return known;
    this.#partial.delete(tgid);
    return undefined;
  }

  #addProcess(): boolean {
    const source = this.#source;
    const log = this.#log;
    const { tgid, startedAtMs } = source;
    const threads = this.#partialOf(tgid, startedAtMs);
    if (threads !== undefined) this.#partial.delete(tgid);
    const row = log.add();
    if (row === undefined) return false;
    log.pids[row] = tgid;
    log.ppids[row] = source.ppid;
    log.comms.push(source.comm);
    log.startedAtMs[row] = startedAtMs;
    log.livedMs[row] = source.livedMs;
    log.cpuTicks[row] = source.cpuNs / NS_PER_TICK;
    log.readBytes[row] = source.readBytes + (threads?.readBytes ?? 0);
    log.writeBytes[row] = Math.max(0, source.writeBytes + (threads?.writeBytes ?? 0));
    return true;
  }
}
