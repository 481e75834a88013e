import type { UpgradePhase } from '../../protocol/release.ts';
import { ISTATE } from '../../store/fleet.ts';
import type { Rollout } from '../../store/rollout.ts';
import type { ListedHost } from '../host-list.ts';

/** Why an agent that says no release is left alone. */
export const LEFT_ALONE = 'its agent was started by hand, or is too old to be upgraded over its connection';

/** Whether its agent is to be what is released: it runs, and was deployed. */
export function isCovered({ istate, fault, isDeployed }: ListedHost): boolean {
  return istate === ISTATE.running && fault === undefined && isDeployed === true;
}

/** It runs, and its agent was there and said no release. */
export function isLeftAlone({ istate, fault, release, version }: ListedHost): boolean {
  return istate === ISTATE.running && fault === undefined && release === undefined && version !== undefined;
}

/** How far a covered host is on its way to what was released. */
export function phaseOf(host: ListedHost, isConnected: boolean, { serial, hash }: Rollout): UpgradePhase {
  const { wanted, upgrade = 'waiting', release } = host;
  if (wanted !== serial) return !isConnected ? 'away' : release === hash ? 'done' : 'waiting';
  if (upgrade === 'done' || upgrade === 'failed') return upgrade;
  // Its agent has gone to begin with the release, and is to come back.
  if (isConnected || upgrade === 'testing' || upgrade === 'trial') return upgrade;
  return 'away';
}
