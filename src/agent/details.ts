import { readdirSync } from 'node:fs';
import { absence, KernelText, readWhole } from '../procfs/kernel-file.ts';
import { parseCpuWaitMs } from '../procfs/pid-schedstat.ts';
import type { Details } from '../protocol/row.ts';
import { endpointsOf } from './network/endpoints.ts';
import type { PssReader } from './pss.ts';
import { roundFigure } from './rounding.ts';
import type { Sample } from './sampler.ts';
import type { ProcessCounters } from './snapshot.ts';

/** Rows of one answer that get details: each costs files that are dear to read. */
export const MAX_DETAILED_ROWS = 5;
const MAX_ENDPOINTS = 10;
/** Of a process with more threads the first ones stand for all. */
const MAX_THREADS = 512;
/** A process nobody looked at for this long is forgotten. */
const FORGET_MS = 60_000;

interface Looked {
  startTicks: number;
  atMs: number;
  cpuWaitMs: number | undefined;
  cpuWaitPercent: number | undefined;
}

/** What is read only of processes that somebody looks at. */
export class DetailReader {
  readonly #procRoot: string;
  readonly #pss: PssReader;
  readonly #text = new KernelText();
  readonly #looked = new Map<number, Looked>();

  constructor(procRoot: string, pss: PssReader) {
    this.#procRoot = procRoot;
    this.#pss = pss;
  }

  /** Of one process of the sample; asked again, it is not read again. */
  of(process: ProcessCounters, sample: Sample): Details {
    const { monotonicMs } = sample.snapshot;
    const looked = this.#look(process, monotonicMs);
    const pssBytes = this.#pss.read(process, monotonicMs);
    const openFiles = this.#entries(`${process.pid}/fd`)?.length;
    const { network } = sample;
    const endedChildren = sample.endedChildren.get(process.pid);
    const moved = network?.usage.get(process.pid);
    const rate = (bytes: number | undefined): number => Math.round(((bytes ?? 0) / sample.durationMs) * 1000);
    return {
      ...(openFiles !== undefined && { openFiles }),
      ...(pssBytes !== undefined && { pssBytes }),
      ...(looked.cpuWaitPercent !== undefined && { cpuWaitPercent: looked.cpuWaitPercent }),
      ...(network !== undefined && {
        loopbackInBytesPerSec: rate(moved?.loopbackInBytes),
        loopbackOutBytesPerSec: rate(moved?.loopbackOutBytes),
        endpoints: endpointsOf(process.pid, network.endpoints, sample.durationMs, MAX_ENDPOINTS),
      }),
      ...(endedChildren !== undefined && {
        endedChildren: endedChildren.map(({ comm, count, cpuTicks }) => ({
          ...{ comm, count, cpuPercent: roundFigure('cpuPercent', (cpuTicks / sample.durationMs) * 1000) },
        })),
      }),
    };
  }

  /** The little that is known without reading anything: the memory share, where the rotation came by. */
  known(process: ProcessCounters): Details {
    const pssBytes = this.#pss.of(process);
    return { ...(pssBytes !== undefined && { pssBytes }) };
  }

  #look(process: ProcessCounters, nowMs: number): Looked {
    for (const [pid, { atMs }] of this.#looked) if (nowMs - atMs > FORGET_MS) this.#looked.delete(pid);
    let looked = this.#looked.get(process.pid);
    if (looked?.startTicks !== process.startTicks) looked = undefined;
    if (looked?.atMs === nowMs) return looked;
    const cpuWaitMs = this.#cpuWaitMs(process.pid);
    const now: Looked = {
      startTicks: process.startTicks,
      atMs: nowMs,
      cpuWaitMs,
      cpuWaitPercent: waitPercent(looked, cpuWaitMs, nowMs),
    };
    this.#looked.set(process.pid, now);
    return now;
  }

  /** Threads that ended take their waiting with them, so that the sum may shrink. */
  #cpuWaitMs(pid: number): number | undefined {
    let sum: number | undefined;
    for (const tid of this.#entries(`${pid}/task`)?.slice(0, MAX_THREADS) ?? []) {
      if (readWhole(`${this.#procRoot}/${pid}/task/${tid}/schedstat`, this.#text) !== undefined) continue;
      sum = (sum ?? 0) + (parseCpuWaitMs(this.#text.toString()) ?? 0);
    }
    return sum;
  }

  #entries(path: string): string[] | undefined {
    try {
      return readdirSync(`${this.#procRoot}/${path}`);
    } catch (error) {
      absence(error);
      return undefined;
    }
  }
}

function waitPercent(before: Looked | undefined, cpuWaitMs: number | undefined, nowMs: number): number | undefined {
  if (before?.cpuWaitMs === undefined || cpuWaitMs === undefined) return undefined;
  return Math.round((Math.max(0, cpuWaitMs - before.cpuWaitMs) / (nowMs - before.atMs)) * 1000) / 10;
}
