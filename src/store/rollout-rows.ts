import { ROLLOUT_STATES, type RolloutState, type UpgradePhase } from '../protocol/release.ts';
import type { Fields } from './records.ts';
import type { Rollout } from './rollout.ts';

/** How far a host is with a release, and why it failed. */
export interface UpgradeNote {
  rshost: string;
  serial: number;
  phase: UpgradePhase;
  failure: string | undefined;
}

/** Tells acts from the rows of `tb_monitor_version` that an older procmesh or somebody else wrote. */
export const IS_ACT = `hash IS NOT NULL AND wave IS NOT NULL AND state IN (${ROLLOUT_STATES.map((state) => `'${state}'`).join(', ')})`;

/** @param row of `VERSION`; its `a_time` is in ms here. */
export function rolloutOf({ id, version, a_time, hash, state, wave, reason }: Fields): Rollout {
  const act: Rollout = {
    ...{ serial: Number(id), version: String(version), hash: String(hash), releasedMs: Number(a_time) },
    ...{ state: state as RolloutState, wave: Number(wave) },
  };
  if (reason !== null) act.reason = String(reason);
  return act;
}
