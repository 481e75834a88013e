import type { Footprint } from '../protocol/row.ts';

/** What this process costs its host. */
export class OwnCost {
  #since = process.cpuUsage();

  /** CPU time of all its threads since the last call, ms. */
  takeCpuMs(): number {
    const { user, system } = process.cpuUsage(this.#since);
    this.#since = process.cpuUsage();
    return (user + system) / 1000;
  }
}

/** @param cpuMs within a time of `durationMs`; @param sampleMs between two samples, as they are taken now. */
export function footprintOf(cpuMs: number, durationMs: number, sampleMs: number): Footprint {
  return {
    cpuPercent: Math.round((cpuMs / durationMs) * 100_000) / 1000,
    rssBytes: process.memoryUsage.rss(),
    sampleMs,
  };
}
