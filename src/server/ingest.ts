import pRetry from 'p-retry';
import type { Interval } from '../protocol/interval.ts';
import type { Store } from '../store/store.ts';
import type { ServerMetrics } from './metrics.ts';

/** Intervals of one transaction at the most: handing over more would hold up the loop for milliseconds. */
const MAX_BATCH = 50;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;

interface Pending {
  host: string;
  interval: Interval;
  acknowledge: () => void;
}

/**
 * Brings intervals into the store, one transaction at a time, and acknowledges each after its commit. While the store
 * takes nothing they wait here and the agents hold back: each has only a few on their way.
 */
export class Ingest {
  readonly #store: Store;
  readonly #metrics: ServerMetrics;
  readonly #onTrouble: (error: Error) => void;
  readonly #stop = new AbortController();
  #pending: Pending[] = [];
  #writing = false;

  constructor(options: { store: Store; metrics: ServerMetrics; onTrouble: (error: Error) => void }) {
    this.#store = options.store;
    this.#metrics = options.metrics;
    this.#onTrouble = options.onTrouble;
  }

  /** The same interval twice, as after a reconnect, takes the place of the first, whose connection is gone. */
  add(host: string, interval: Interval, acknowledge: () => void): void {
    const same = this.#pending.find((pending) => pending.host === host && pending.interval.endMs === interval.endMs);
    if (same === undefined) this.#pending.push({ host, interval, acknowledge });
    else same.acknowledge = acknowledge;
    if (!this.#writing) void this.#writeAll();
  }

  /** What is not stored yet is not acknowledged, and comes again. */
  close(): void {
    this.#stop.abort();
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    while (this.#pending.length > 0 && !this.#stop.signal.aborted) {
      const batch = this.#pending.slice(0, MAX_BATCH);
      try {
        await pRetry(() => this.#write(batch), {
          retries: Number.POSITIVE_INFINITY,
          minTimeout: FIRST_RETRY_MS,
          maxTimeout: LAST_RETRY_MS,
          randomize: true,
          signal: this.#stop.signal,
        });
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        throw error;
      }
      this.#pending.splice(0, batch.length);
      this.#metrics.intervals.inc(batch.length);
      for (const { acknowledge } of batch) acknowledge();
    }
    this.#writing = false;
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    try {
      await this.#store.write(batch.map(({ host, interval }) => ({ host, interval })));
    } catch (error) {
      this.#metrics.storeFailures.inc();
      this.#onTrouble(error instanceof Error ? error : new Error(String(error)));
      // p-retry gives up at a TypeError, which is how a bug of the store may show itself.
      throw new Error('not stored', { cause: error });
    }
  }
}
