/**
 * Calls back on the wall clock's grid, at every whole multiple of the period, so that all hosts sample at the same
 * moments and intervals end with a sample. A clock that jumps moves the grid, never the pace: no wait is longer than a period.
 */
export class Schedule {
  readonly #tick: () => void;
  #periodMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(periodMs: number, tick: () => void) {
    this.#periodMs = periodMs;
    this.#tick = tick;
  }

  start(): void {
    this.stop();
    this.#timer = setTimeout(() => {
      this.start();
      this.#tick();
    }, this.nextInMs);
  }

  /** How long it is from now to the next point of the grid. */
  get nextInMs(): number {
    const now = Date.now();
    // Timers may fire a millisecond early; the same grid point must not be met twice.
    return (Math.floor((now + 2) / this.#periodMs) + 1) * this.#periodMs - now;
  }

  get periodMs(): number {
    return this.#periodMs;
  }

  setPeriod(periodMs: number): void {
    if (periodMs === this.#periodMs) return;
    this.#periodMs = periodMs;
    if (this.#timer !== undefined) this.start();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
