/** How many hosts have a release after a wave: so many, or such a share of all, 0–1. */
export interface Wave {
  /** `1`, `10 %`, `all`. */
  readonly label: string;
  readonly share?: number;
  readonly hosts?: number;
}

/** How a release comes to the hosts, and what an agent must be like with it. */
export interface ReleaseSettings {
  /** The last one is all. */
  readonly waves: readonly Wave[];
  /** So long an agent is watched before its host counts as well. */
  readonly healthMs: number;
  /** After so long without being confirmed an agent goes back to the release before. */
  readonly trialMs: number;
  /** Of an agent: 100 is one core. */
  readonly maxCpuPercent: number;
  readonly maxRssBytes: number;
}
