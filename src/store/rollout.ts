import type { RolloutState, UpgradePhase } from '../protocol/release.ts';

/** A row of `tb_monitor_version`: one act of releasing, and what became of it. Nothing is ever taken back: going back to an older release is a new act. */
export interface Rollout {
  /** Grows with every act. */
  serial: number;
  version: string;
  /** Of what was released; the same one may be released again. */
  hash: string;
  /** By the database's clock, epoch ms. */
  releasedMs: number;
  state: RolloutState;
  /** Waves that were begun; 0: none yet. */
  wave: number;
  /** Why it is halted, or why it was released if not by a server's start, in plain words. */
  reason?: string | undefined;
}

/**
 * What the servers of one mesh share about releases. Which host is how far stands in its `HostDetail`: `wanted`, `upgrade`
 * and `upgradeFailure`. Errors and deadlines are those of `FleetStore`.
 */
export interface RolloutStore {
  /** The newest first, at most so many. */
  rollouts(limit: number): Promise<Rollout[]>;
  /**
   * Records another act, with the next serial. @returns undefined when the newest one is not `after` (0: there is none) any
   * more: somebody else was faster.
   */
  release(act: Omit<Rollout, 'serial' | 'releasedMs'>, after: number): Promise<Rollout | undefined>;
  /**
   * Changes what became of one; its reason stays unless one is given, and undefined forgets it.
   * @returns whether it was still in that state and wave.
   */
  advance(
    serial: number,
    from: Pick<Rollout, 'state' | 'wave'>,
    to: Pick<Rollout, 'state' | 'wave' | 'reason'>,
  ): Promise<boolean>;
  /** Has these hosts run that release: `wanted` is set, and what was noted of another one is forgotten. */
  want(rshosts: readonly string[], serial: number): Promise<void>;
  /** Notes how far a host is; ignored when it is to run another one meanwhile. Many at once are written together. */
  noteUpgrade(rshost: string, serial: number, phase: UpgradePhase, failure?: string): Promise<void>;
}
