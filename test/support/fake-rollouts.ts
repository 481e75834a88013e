import type { UpgradePhase } from '../../src/protocol/release.ts';
import type { Rollout, RolloutStore } from '../../src/store/rollout.ts';
import type { FakeFleet } from './fake-fleet.ts';

/** What the servers of a mesh share about releases, in memory; how far hosts are stands in the fleet's rows. */
export class FakeRollouts implements RolloutStore {
  /** The oldest first. */
  readonly acts: Rollout[] = [];
  readonly #fleet: FakeFleet;
  readonly #now: () => number;

  /** Calls go through the fleet's `onCall` as well. */
  constructor(fleet: FakeFleet, now: () => number = Date.now) {
    this.#fleet = fleet;
    this.#now = now;
  }

  async rollouts(limit: number): Promise<Rollout[]> {
    await this.#fleet.onCall();
    return structuredClone(this.acts.toReversed().slice(0, limit));
  }

  async release(act: Omit<Rollout, 'serial' | 'releasedMs'>, after: number): Promise<Rollout | undefined> {
    await this.#fleet.onCall();
    const newest = this.acts.at(-1)?.serial ?? 0;
    if (newest !== after) return undefined;
    const released = { ...act, serial: newest + 1, releasedMs: Math.floor(this.#now() / 1000) * 1000 };
    if (released.reason === undefined) delete released.reason;
    this.acts.push(released);
    return structuredClone(released);
  }

  async advance(
    serial: number,
    from: Pick<Rollout, 'state' | 'wave'>,
    to: Pick<Rollout, 'state' | 'wave' | 'reason'>,
  ): Promise<boolean> {
    await this.#fleet.onCall();
    const act = this.acts.find((other) => other.serial === serial);
    if (act?.state !== from.state || act.wave !== from.wave) return false;
    Object.assign(act, to);
    if (act.reason === undefined) delete act.reason;
    return true;
  }

  async want(rshosts: readonly string[], serial: number): Promise<void> {
    await this.#fleet.onCall();
    for (const row of this.#fleet.rows) {
      if (!rshosts.includes(row.rshost) || row.wanted === serial) continue;
      row.wanted = serial;
      delete row.upgrade;
      delete row.upgradeFailure;
    }
  }

  async noteUpgrade(rshost: string, serial: number, phase: UpgradePhase, failure?: string): Promise<void> {
    await this.#fleet.onCall();
    const row = this.#fleet.rows.find((other) => other.rshost === rshost);
    if (row?.wanted !== serial) return;
    row.upgrade = phase;
    row.upgradeFailure = failure;
    if (failure === undefined) delete row.upgradeFailure;
  }
}
