import { interfaceSpeed } from '../../procfs/net-interface.ts';
import type { IntervalInterface } from '../../protocol/interval.ts';
import type { NetworkInterface } from '../../protocol/row.ts';
import { Mean } from '../history/mean.ts';
import type { Snapshot } from '../snapshot.ts';
import { gain } from './accounting.ts';

/** More than this are not reported one by one; the host's total has all of them. */
const MAX_INTERFACES = 64;
/** A link's speed changes when it comes up or is negotiated anew. */
const SPEED_EVERY_MS = 30_000;

interface InterfaceMeans {
  in: Mean;
  out: Mean;
}

/** Load of the interfaces that count for the host, now and per interval. */
export class Interfaces {
  readonly #sysRoot: string;
  readonly #speeds = new Map<string, number | undefined>();
  #speedsAtMs = Number.NEGATIVE_INFINITY;
  #previous: Snapshot | undefined;
  #latest: NetworkInterface[] = [];
  #means = new Map<string, InterfaceMeans>();

  constructor(sysRoot: string) {
    this.#sysRoot = sysRoot;
  }

  /** Of the last window, by name. */
  get latest(): readonly NetworkInterface[] {
    return this.#latest;
  }

  add(snapshot: Snapshot): void {
    const previous = this.#previous;
    this.#previous = snapshot;
    if (previous === undefined) return;
    if (snapshot.monotonicMs - this.#speedsAtMs >= SPEED_EVERY_MS) {
      this.#speeds.clear();
      this.#speedsAtMs = snapshot.monotonicMs;
    }
    const durationMs = snapshot.monotonicMs - previous.monotonicMs;
    this.#latest = [];
    for (const now of snapshot.host.interfaces.slice(0, MAX_INTERFACES)) {
      const before = previous.host.interfaces.find(({ name }) => name === now.name);
      const rate = (direction: 'in' | 'out') => (gain(before, now, direction).bytes / durationMs) * 1000;
      const figures = { inBytesPerSec: Math.round(rate('in')), outBytesPerSec: Math.round(rate('out')) };
      this.#latest.push({ name: now.name, ...this.#speedOf(now.name), ...figures });
      let means = this.#means.get(now.name);
      if (means === undefined) {
        means = { in: new Mean(), out: new Mean() };
        this.#means.set(now.name, means);
      }
      means.in.add(figures.inBytesPerSec, durationMs);
      means.out.add(figures.outBytesPerSec, durationMs);
    }
  }

  /** Averages and maxima since the last call, and a new beginning. */
  close(): IntervalInterface[] {
    const means = this.#means;
    this.#means = new Map();
    return Array.from(means, ([name, { in: received, out: sent }]) => ({
      name,
      ...this.#speedOf(name),
      inBytesPerSec: Math.round(received.average),
      outBytesPerSec: Math.round(sent.average),
      inBytesPerSecMax: received.max,
      outBytesPerSecMax: sent.max,
    }));
  }

  #speedOf(name: string): { speedBitsPerSec?: number } {
    if (!this.#speeds.has(name)) this.#speeds.set(name, interfaceSpeed(this.#sysRoot, name));
    const speedBitsPerSec = this.#speeds.get(name);
    return speedBitsPerSec === undefined ? {} : { speedBitsPerSec };
  }
}
