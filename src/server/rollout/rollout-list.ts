import { EventEmitter } from 'node:events';
import type { Rollout, RolloutStore } from '../../store/rollout.ts';

const READ_EVERY_MS = 1_000;
/** Older ones matter to nobody but a host that was away for as many. */
const MAX_ROLLOUTS = 50;

interface RolloutListEvents {
  /** There is another one, or something has become of one. */
  change: [];
  /** The store cannot be read: the last copy stays. Told once, until it can be again. */
  trouble: [Error];
}

/** This server's copy of what was released. While the store is away the last copy stays. */
export class RolloutList extends EventEmitter<RolloutListEvents> {
  readonly #rollouts: RolloutStore;
  /** The newest first. */
  #all: readonly Rollout[] = [];
  #text = '';
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #isTroubled = false;

  constructor(rollouts: RolloutStore) {
    super();
    this.#rollouts = rollouts;
  }

  /** Reads them, then again and again. */
  start(): void {
    this.#timer = setInterval(() => {
      if (this.#reading === undefined) this.refresh().catch(() => undefined);
    }, READ_EVERY_MS);
    this.refresh().catch(() => undefined);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The newest first. */
  all(): readonly Rollout[] {
    return this.#all;
  }

  get newest(): Rollout | undefined {
    return this.#all[0];
  }

  get(serial: number): Rollout | undefined {
    return this.#all.find((rollout) => rollout.serial === serial);
  }

  /** Resolves when a reading that began after this call is taken over. Rejects when the store cannot be read. */
  refresh(): Promise<void> {
    if (this.#reading === undefined) return this.#read();
    this.#next ??= this.#reading
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#read();
      });
    return this.#next;
  }

  #read(): Promise<void> {
    const reading = this.#readAll().finally(() => {
      if (this.#reading === reading) this.#reading = undefined;
    });
    this.#reading = reading;
    return reading;
  }

  async #readAll(): Promise<void> {
    try {
      const all = await this.#rollouts.rollouts(MAX_ROLLOUTS);
      this.#isTroubled = false;
      const text = JSON.stringify(all);
      if (text === this.#text) return;
      this.#text = text;
      this.#all = all;
      this.emit('change');
    } catch (error) {
      if (!this.#isTroubled) this.emit('trouble', error instanceof Error ? error : new Error(String(error)));
      this.#isTroubled = true;
      throw error;
    }
  }
}
