/** What the time between two samples depends on. */
export interface PaceSettings {
  sampleMs: number;
  intervalMs: number;
  /** Of one core; absent: no limit. */
  cpuBudgetPercent?: number | undefined;
}

/** An interval is made of this many samples at least, whatever they cost. */
const MIN_SAMPLES = 3;
/** Weight of the newest sample in the average cost. */
const NEWEST = 0.2;
/** What a program costs while it starts and its code is compiled says nothing of what it will cost. */
const WARM_UP_SAMPLES = 10;
/** Samples become more frequent again only when they would then cost this much less than the budget allows. */
const RELAXED = 0.8;

/**
 * How often to sample: as the settings say while somebody looks; else so seldom that the agent stays within its CPU
 * budget, in steps that divide the interval, so that every interval still ends with a sample.
 */
export class Pace {
  #costMs: number | undefined;
  #periodMs: number | undefined;
  #warmUp = WARM_UP_SAMPLES;

  /**
   * To be called after each sample.
   * @param costMs CPU time this process used since the sample before, whatever for.
   * @returns the time to the next sample, ms.
   */
  next(settings: PaceSettings, isWatched: boolean, costMs: number): number {
    if (this.#warmUp > 0) {
      this.#warmUp -= 1;
      return settings.sampleMs;
    }
    this.#costMs = this.#costMs === undefined ? costMs : this.#costMs * (1 - NEWEST) + costMs * NEWEST;
    this.#periodMs = isWatched ? settings.sampleMs : this.#affordable(settings, this.#costMs);
    return this.#periodMs;
  }

  #affordable(settings: PaceSettings, costMs: number): number {
    const { sampleMs, cpuBudgetPercent } = settings;
    if (cpuBudgetPercent === undefined) return sampleMs;
    const periods = possiblePeriods(settings);
    const current = this.#periodMs ?? sampleMs;
    const wantedMs = (costMs / cpuBudgetPercent) * 100;
    const longEnough = (neededMs: number): number =>
      periods.find((periodMs) => periodMs >= neededMs) ?? periods.at(-1) ?? sampleMs;
    return wantedMs > current ? longEnough(wantedMs) : Math.min(current, longEnough(wantedMs / RELAXED));
  }
}

/** Ascending: `sampleMs`, and the multiples of it that divide the interval into enough parts. */
function possiblePeriods({ sampleMs, intervalMs }: PaceSettings): number[] {
  const periods = [sampleMs];
  for (let periodMs = 2 * sampleMs; periodMs * MIN_SAMPLES <= intervalMs; periodMs += sampleMs) {
    if (intervalMs % periodMs === 0) periods.push(periodMs);
  }
  return periods;
}
