/** Where the ends of intervals stand, to be gone on from. */
export interface EndsState {
  /** The last whole multiple of an interval's length that the wall clock passed; 0 before the first. */
  boundaryMs: number;
  /** How often the clock was seen to be set back. */
  setBacks: number;
  /** The last end there was; 0 before the first. */
  endMs: number;
}

const SECOND_MS = 1_000;

/**
 * Says when intervals end: when the wall clock has passed a whole multiple of their length, and wherever one is cut
 * short. Ends are whole seconds, and no two of them are the same. Times are epoch ms.
 */
export class IntervalEnds {
  #state: EndsState = { boundaryMs: 0, setBacks: 0, endMs: 0 };
  #earlyMs = Number.POSITIVE_INFINITY;

  get state(): EndsState {
    return { ...this.#state };
  }

  /** Goes on from where another stood; the first interval ends early, at the whole second `earlyMs`, or before. */
  resume(state: EndsState, earlyMs: number): void {
    this.#state = { ...state };
    this.#earlyMs = earlyMs;
  }

  /** Intervals have another length from now on: the next one begins with a boundary of its own. */
  restart(): void {
    this.#state.boundaryMs = 0;
  }

  /** @returns the end of the interval that the sample of this moment is the last of; undefined while it goes on. */
  passed(atMs: number, intervalMs: number): number | undefined {
    const boundaryMs = Math.floor(atMs / intervalMs) * intervalMs;
    const before = this.#state.boundaryMs;
    if (boundaryMs === before) return atMs < this.#earlyMs ? undefined : this.#cut(atMs, intervalMs);
    // A clock that was set back meets the same boundaries again: a second keeps their intervals apart.
    if (boundaryMs < before) this.#state.setBacks += 1;
    this.#state.boundaryMs = boundaryMs;
    const endMs = this.#shifted(boundaryMs, intervalMs);
    return before === 0 || endMs === this.#state.endMs ? undefined : this.#end(endMs);
  }

  /** Ends the interval with the sample of this moment, at the last whole second or at a boundary that has passed. */
  cut(atMs: number, intervalMs: number): number {
    return this.passed(atMs, intervalMs) ?? this.#cut(atMs, intervalMs);
  }

  /** A clock that was set back by less than an interval may not have come to the last end again. */
  #cut(atMs: number, intervalMs: number): number {
    const wholeMs = this.#shifted(Math.floor(atMs / SECOND_MS) * SECOND_MS, intervalMs);
    return this.#end(Math.max(wholeMs, this.#state.endMs + SECOND_MS));
  }

  #shifted(ms: number, intervalMs: number): number {
    return ms + ((this.#state.setBacks * SECOND_MS) % intervalMs);
  }

  #end(endMs: number): number {
    this.#earlyMs = Number.POSITIVE_INFINITY;
    this.#state.endMs = endMs;
    return endMs;
  }
}
