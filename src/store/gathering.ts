import { Problem } from '../problem.ts';

/** Done at once; and how many more may wait, which is a fleet's agents several times over. */
const MAX_AT_ONCE = 1_000;
const MAX_WAITING = 50_000;

interface Waiting<T> {
  item: T;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * Does at once what many ask for: what comes while it works goes with the next. A thousand agents that connect in one
 * second would be a thousand commits otherwise.
 */
export class Gathering<T> {
  readonly #work: (items: readonly T[]) => Promise<void>;
  readonly #waiting: Waiting<T>[] = [];
  #running: Promise<void> | undefined;

  constructor(work: (items: readonly T[]) => Promise<void>) {
    this.#work = work;
  }

  /** Resolves when it is done; items are done in the order they come. */
  add(item: T): Promise<void> {
    if (this.#waiting.length >= MAX_WAITING)
      return Promise.reject(new Problem('ERR_STORE_BUSY', `${MAX_WAITING} notes wait for the store: it is too slow`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // What is asked in one go is done in one go.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MAX_AT_ONCE);
      try {
        await this.#work(batch.map(({ item }) => item));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#running = undefined;
  }
}
