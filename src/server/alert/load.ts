import type { Culprits } from '../../protocol/row.ts';

/** Different instances that share one resource in some minutes; short-lived ones beyond that go unnamed. */
const MAX_INSTANCES = 50;
/** Below the threshold by so much it is over: what swings around the threshold is neither. */
const HYSTERESIS_PERCENT = 5;

export type Shares = { instance: string; percent: number }[];

/**
 * How loaded one resource of one host is, in steps of time: a step is hot when its average reached the threshold. Only
 * while it is hot is it noted who uses it, so that an idle host costs a few additions a beat.
 */
export class Load {
  /** How long it has been at the threshold, or clearly below it, without a step that was not; ms. */
  hotMs = 0;
  coolMs = 0;
  #stepSum = 0;
  #stepBeats = 0;
  /** Since it became hot. */
  #hotSum = 0;
  #hotBeats = 0;
  #culprits: Map<string, number> | undefined;
  #unattributed = 0;

  /** @returns whether culprits are wanted: it is hot, or this beat is. */
  add(percent: number, threshold: number): boolean {
    this.#stepSum += percent;
    this.#stepBeats += 1;
    return this.#culprits !== undefined || percent >= threshold;
  }

  /** Shares of the host's whole in the beat that was added last. */
  blame(culprits: Culprits[keyof Culprits], percentPerUnit: number): void {
    if (culprits === undefined) return;
    this.#culprits ??= new Map();
    for (const { instance, value } of culprits) {
      const sum = this.#culprits.get(instance);
      if (sum === undefined && this.#culprits.size >= MAX_INSTANCES) continue;
      this.#culprits.set(instance, (sum ?? 0) + value * percentPerUnit);
    }
  }

  blameNobody(percent: number): void {
    this.#unattributed += percent;
  }

  endStep(durationMs: number, threshold: number): void {
    const average = this.#stepBeats === 0 ? 0 : this.#stepSum / this.#stepBeats;
    if (average >= threshold) {
      this.hotMs += durationMs;
      this.coolMs = 0;
      this.#hotSum += this.#stepSum;
      this.#hotBeats += this.#stepBeats;
    } else {
      this.hotMs = 0;
      this.coolMs = average < threshold - HYSTERESIS_PERCENT ? this.coolMs + durationMs : 0;
      this.#hotSum = this.#hotBeats = this.#unattributed = 0;
      this.#culprits = undefined;
    }
    this.#stepSum = this.#stepBeats = 0;
  }

  /** Since it became hot. */
  get averagePercent(): number {
    return this.#hotSum / this.#hotBeats;
  }

  get unattributedPercent(): number {
    return this.#unattributed / this.#hotBeats;
  }

  /** Largest first. */
  shares(): Shares {
    return Array.from(this.#culprits ?? [], ([instance, sum]) => ({ instance, percent: sum / this.#hotBeats })).sort(
      (a, b) => b.percent - a.percent,
    );
  }
}
