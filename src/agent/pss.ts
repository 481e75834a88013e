import { KernelText, readWhole } from '../procfs/kernel-file.ts';
import { parsePss } from '../procfs/pid-smaps-rollup.ts';
import type { ProcessCounters } from './snapshot.ts';
import { threadCpuMs } from './thread-cpu.ts';

/** Memory of a process does not change so fast that walking its page tables more often would pay. */
const FRESH_MS = 10_000;
/** What is older than this says nothing any more. */
const STALE_MS = 900_000;
/** Of one core, for the rotation. */
const CPU_SHARE = 1 / 1_000;
/** What is smaller shares too little to matter. */
const MIN_RSS_PAGES = 4_096;

interface Known {
  startTicks: number;
  pssBytes: number | undefined;
  atMs: number;
}

/**
 * Proportional memory (PSS) of processes. It matters for servers that fork workers, of which each seems to hold all that
 * they share, and is dear to read: so it is read at once only of a process somebody looks at, and of the others in turn,
 * within a small share of the CPU. Times are monotonic.
 */
export class PssReader {
  readonly #procRoot: string;
  readonly #cpuMs: () => number;
  readonly #text = new KernelText();
  readonly #known = new Map<number, Known>();
  #nextTurnMs = 0;

  /** @param cpuMs CPU time of this thread. */
  constructor(procRoot: string, cpuMs: () => number = threadCpuMs) {
    this.#procRoot = procRoot;
    this.#cpuMs = cpuMs;
  }

  /** What was read last. */
  of(process: ProcessCounters): number | undefined {
    const known = this.#known.get(process.pid);
    return known?.startTicks === process.startTicks ? known.pssBytes : undefined;
  }

  /** Reads it unless that was done a moment ago. @returns undefined where this user may not. */
  read(process: ProcessCounters, nowMs: number): number | undefined {
    const known = this.#known.get(process.pid);
    if (known?.startTicks === process.startTicks && nowMs - known.atMs < FRESH_MS) return known.pssBytes;
    const path = `${this.#procRoot}/${process.pid}/smaps_rollup`;
    const pssBytes = readWhole(path, this.#text) === undefined ? parsePss(this.#text.toString()) : undefined;
    this.#known.set(process.pid, { startTicks: process.startTicks, pssBytes, atMs: nowMs });
    return pssBytes;
  }

  /** To be called with every snapshot: reads that of one more process when the budget allows, the longest unread first. */
  takeTurn(processes: ReadonlyMap<number, ProcessCounters>, nowMs: number): void {
    if (nowMs < this.#nextTurnMs) return;
    for (const [pid, { startTicks, atMs }] of this.#known) {
      if (processes.get(pid)?.startTicks !== startTicks || nowMs - atMs > STALE_MS) this.#known.delete(pid);
    }
    const startedMs = this.#cpuMs();
    const next = this.#longestUnread(processes);
    if (next !== undefined) this.read(next, nowMs);
    this.#nextTurnMs = nowMs + (this.#cpuMs() - startedMs) / CPU_SHARE;
  }

  #longestUnread(processes: ReadonlyMap<number, ProcessCounters>): ProcessCounters | undefined {
    let chosen: ProcessCounters | undefined;
    let chosenAtMs = Number.POSITIVE_INFINITY;
    for (const process of processes.values()) {
      if (process.rssPages < MIN_RSS_PAGES) continue;
      const atMs = this.#known.get(process.pid)?.atMs ?? Number.NEGATIVE_INFINITY;
      const isLarger = atMs === chosenAtMs && process.rssPages > (chosen?.rssPages ?? 0);
      if (atMs < chosenAtMs || isLarger) {
        chosen = process;
        chosenAtMs = atMs;
      }
    }
    return chosen;
  }
}
