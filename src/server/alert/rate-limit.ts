const MINUTE_MS = 60_000;

/** So many in any minute: not one more at its edges either. */
export class RateLimit {
  readonly #perMinute: number;
  /** When the last ones were, oldest first. */
  readonly #times: number[] = [];

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** @param now monotonic, ms. @returns how long the next one has to wait. */
  waitMs(now: number): number {
    const oldest = this.#times[0];
    if (oldest === undefined || this.#times.length < this.#perMinute) return 0;
    return Math.max(oldest + MINUTE_MS - now, 0);
  }

  take(now: number): void {
    this.#times.push(now);
    if (this.#times.length > this.#perMinute) this.#times.shift();
  }

  /** Nothing more for a minute. */
  exhaust(now: number): void {
    this.#times.fill(now);
    while (this.#times.length < this.#perMinute) this.#times.push(now);
  }
}
