import pRetry, { AbortError } from 'p-retry';
import { Problem } from '../problem.ts';
import type { Interval } from '../protocol/interval.ts';
import { LAST_TIME_MS, type Store } from '../store/store.ts';
import type { ServerMetrics } from './metrics.ts';

/** Of one transaction at the most: converting more would hold up the loop for tens of milliseconds. */
const MAX_BATCH_INTERVALS = 100;
const MAX_BATCH_ROWS = 2_000;
/** What waits for the store at the most, some hundred bytes each; agents keep the rest on their disks. */
export const MAX_PENDING_ROWS = 100_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;

interface Pending {
  host: string;
  interval: Interval;
  rows: number;
  acknowledge: () => void;
}

/**
 * Brings intervals into the store, many hosts in one transaction, one transaction at a time, and acknowledges each after
 * its commit. While the store takes nothing some wait here, and the agents keep the rest.
 */
export class Ingest {
  readonly #store: Store;
  readonly #metrics: ServerMetrics;
  readonly #onTrouble: (error: Error) => void;
  readonly #stop = new AbortController();
  /** In the order they came, those that are being written first. */
  readonly #pending = new Map<string, Pending>();
  #pendingRows = 0;
  #writing = false;
  #failing: { sinceAt: number; reason: string } | undefined;

  constructor(options: { store: Store; metrics: ServerMetrics; onTrouble: (error: Error) => void }) {
    this.#store = options.store;
    this.#metrics = options.metrics;
    this.#onTrouble = options.onTrouble;
  }

  /**
   * The same interval twice, as after a reconnect, takes the place of the first, whose connection is gone.
   * @returns false when too many wait: it was not taken.
   */
  add(host: string, interval: Interval, acknowledge: () => void): boolean {
    const key = `${host} ${interval.endMs}`;
    const same = this.#pending.get(key);
    if (same !== undefined) {
      same.acknowledge = acknowledge;
      return true;
    }
    const rows = interval.processes.length + 1;
    if (this.#pendingRows > 0 && this.#pendingRows + rows > MAX_PENDING_ROWS) {
      this.#metrics.deferred.inc();
      return false;
    }
    const pending = { host, interval, rows, acknowledge };
    if (interval.endMs > LAST_TIME_MS) {
      this.#giveUp(pending, new Problem('ERR_TIME', `it ends after ${new Date(LAST_TIME_MS).toISOString()}`));
      return true;
    }
    this.#pending.set(key, pending);
    this.#pendingRows += rows;
    if (!this.#writing) void this.#writeAll();
    return true;
  }

  /** For how long nothing could be stored, and why; undefined when the last attempt was well. */
  get failing(): { forMs: number; reason: string } | undefined {
    return this.#failing && { forMs: performance.now() - this.#failing.sinceAt, reason: this.#failing.reason };
  }

  /** What is not stored yet is not acknowledged, and comes again. */
  close(): void {
    this.#stop.abort();
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    while (this.#pending.size > 0 && !this.#stop.signal.aborted) {
      const batch = this.#nextBatch();
      try {
        await this.#write(batch);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        throw error;
      }
      for (const { host, interval, rows } of batch) {
        this.#pending.delete(`${host} ${interval.endMs}`);
        this.#pendingRows -= rows;
      }
    }
    this.#writing = false;
  }

  #nextBatch(): Pending[] {
    const batch: Pending[] = [];
    let rows = 0;
    for (const pending of this.#pending.values()) {
      rows += pending.rows;
      if (batch.length > 0 && (batch.length >= MAX_BATCH_INTERVALS || rows > MAX_BATCH_ROWS)) break;
      batch.push(pending);
    }
    return batch;
  }

  /** Tries until the store has them. What it refuses for good must not hold up the others. */
  async #write(batch: readonly Pending[]): Promise<void> {
    try {
      await pRetry(() => this.#attempt(batch), {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: FIRST_RETRY_MS,
        maxTimeout: LAST_RETRY_MS,
        randomize: true,
        signal: this.#stop.signal,
      });
    } catch (error) {
      const [only, ...more] = batch;
      if (!isRefusal(error) || only === undefined) throw error;
      if (more.length === 0) this.#giveUp(only, error);
      else for (const pending of batch) await this.#write([pending]);
      return;
    }
    this.#metrics.intervals.inc(batch.length);
    for (const { acknowledge } of batch) acknowledge();
  }

  async #attempt(batch: readonly Pending[]): Promise<void> {
    try {
      await this.#store.write(batch.map(({ host, interval }) => ({ host, interval })));
      this.#failing = undefined;
    } catch (error) {
      this.#metrics.storeFailures.inc();
      if (isRefusal(error)) throw new AbortError(error);
      const reason = error instanceof Error ? error.message : String(error);
      this.#failing = { sinceAt: this.#failing?.sinceAt ?? performance.now(), reason };
      this.#onTrouble(error instanceof Error ? error : new Error(reason));
      // p-retry gives up at a TypeError, which is how a bug of the store may show itself.
      throw new Error('not stored', { cause: error });
    }
  }

  /** Acknowledged all the same: it would only come again. */
  #giveUp({ host, interval, acknowledge }: Pending, cause: Error): void {
    this.#metrics.refusedIntervals.inc();
    const ended = new Date(interval.endMs).toISOString();
    this.#onTrouble(
      new Problem('ERR_INTERVAL', `an interval of ${host} that ended at ${ended} cannot be stored: ${cause.message}`, {
        cause,
      }),
    );
    acknowledge();
  }
}

function isRefusal(error: unknown): error is Problem {
  return error instanceof Problem && error.code === 'ERR_STORE_REFUSED';
}
