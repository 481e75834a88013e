const FIRST_RETRY = 2;
const LAST_RETRY = 512;

/** Something that is looked for in rounds: when it is not found, again after so many of them, then twice as many, and so on. */
export class Sought {
  #retryAt = 0;
  #retryAfter = FIRST_RETRY;

  isDue(round: number): boolean {
    return this.#retryAt <= round;
  }

  wasMissed(round: number): void {
    this.#retryAt = round + this.#retryAfter;
    this.#retryAfter = Math.min(LAST_RETRY, this.#retryAfter * 2);
  }

  wasFound(): void {
    this.#retryAt = 0;
    this.#retryAfter = FIRST_RETRY;
  }
}
