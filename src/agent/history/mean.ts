/** An average weighted by time, and the largest value that went into it. */
export class Mean {
  #weighted = 0;
  #ms = 0;
  #max = 0;

  add(value: number, durationMs: number): void {
    this.#weighted += value * durationMs;
    this.#ms += durationMs;
    if (value > this.#max) this.#max = value;
  }

  /** 0 when nothing was added. */
  get average(): number {
    return this.#ms === 0 ? 0 : this.#weighted / this.#ms;
  }

  get max(): number {
    return this.#max;
  }
}
