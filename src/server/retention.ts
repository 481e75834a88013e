import type { Store } from '../store/store.ts';

const CHECK_MS = 10 * 60_000;
/** Rows of one step: short enough that ingest hardly waits. */
const STEP_ROWS = 2_000;
const PAUSE_MS = 50;

/** Forgets history that is older than it is kept, in small steps. */
export class Retention {
  readonly #store: Store;
  readonly #keepMs: number;
  readonly #onTrouble: (error: Error) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { store: Store; keepMs: number; onTrouble: (error: Error) => void }) {
    this.#store = options.store;
    this.#keepMs = options.keepMs;
    this.#onTrouble = options.onTrouble;
  }

  start(): void {
    this.#timer = setTimeout(() => void this.#step(), PAUSE_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #step(): Promise<void> {
    let deleted = 0;
    try {
      deleted = await this.#store.prune(Date.now() - this.#keepMs, STEP_ROWS);
    } catch (error) {
      this.#onTrouble(error instanceof Error ? error : new Error(String(error)));
    }
    if (this.#timer === undefined) return;
    this.#timer = setTimeout(() => void this.#step(), deleted > 0 ? PAUSE_MS : CHECK_MS);
  }
}
