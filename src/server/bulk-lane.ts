/** So much of each turn of the event loop, unless a single piece of work takes longer. */
const SLICE_MS = 4;

/**
 * Work that can wait, done in the order it came: a little in each turn of the event loop, so that what is live is read in
 * between. Whoever adds to it bounds it.
 */
export class BulkLane {
  #waiting: (() => void)[] = [];
  #isAwaited = false;

  /** @param work must not throw. */
  add(work: () => void): void {
    this.#waiting.push(work);
    this.#await();
  }

  #await(): void {
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#isAwaited = false;
    const startedAt = performance.now();
    let done = 0;
    for (const work of this.#waiting) {
      work();
      done += 1;
      if (performance.now() - startedAt >= SLICE_MS) break;
    }
    this.#waiting = this.#waiting.slice(done);
    if (this.#waiting.length > 0) this.#await();
  }
}
