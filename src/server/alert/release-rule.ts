import type { FleetHost } from '../../store/fleet.ts';
import type { Rollout } from '../../store/rollout.ts';
import { parseHostAddress } from '../host-address.ts';
import { isReturn, releaseBefore, releaseName } from '../rollout/lineage.ts';
import type { Verdict } from './verdict.ts';

/**
 * Which rollout is halted, and which hosts could not get what all the others have.
 * @param all the newest first. @param mesh what the word on a rollout is filed under.
 */
export function judgeReleases(all: readonly Rollout[], hosts: readonly FleetHost[], mesh: string): Verdict[] {
  const [newest] = all;
  if (newest === undefined) return [];
  return [...judgeRollouts(all, newest, mesh), ...judgeHosts(all, newest, hosts)];
}

function judgeRollouts(all: readonly Rollout[], newest: Rollout, mesh: string): Verdict[] {
  const about = { host: mesh, kind: 'release' } as const;
  if (newest.state === 'done')
    return [{ ...about, isWell: true, text: `release ${releaseName(all, newest)} is on all hosts` }];
  const isBack = isReturn(all, newest);
  const halted = newest.state === 'halted' ? newest : isBack ? all[1] : undefined;
  if (halted?.state !== 'halted' || halted.reason === undefined) return [];
  const before = isBack ? newest : releaseBefore(all, halted);
  const name = releaseName(all, halted);
  const rest = before === undefined ? '' : isBack ? '; all go back to ' : '; all others stay on ';
  // The next release may fail for the same reason, which is another thing to be told.
  const reason = `release ${name} halted at ${halted.reason}`;
  const text = `${reason}${rest}${before === undefined ? '' : releaseName(all, before)}`;
  return [{ ...about, isWell: false, text, reason, isOfAct: true }];
}

/** A host that fails while a rollout may halt is the reason for that, and no word of its own. */
function judgeHosts(all: readonly Rollout[], newest: Rollout, hosts: readonly FleetHost[]): Verdict[] {
  const isOver = newest.state === 'done' || isReturn(all, newest);
  const name = releaseName(all, newest);
  return hosts.flatMap(({ rshost, wanted, upgrade, upgradeFailure }): Verdict[] => {
    const host = parseHostAddress(rshost)?.host ?? rshost;
    if (wanted !== newest.serial) return [];
    if (upgrade === 'done') return [{ host, kind: 'release', isWell: true, text: `runs release ${name}` }];
    if (upgrade !== 'failed' || !isOver) return [];
    const reason = `release ${name}: ${upgradeFailure ?? 'it gives no reason'}`;
    return [{ host, kind: 'release', isWell: false, text: `could not get ${reason}`, reason, isOfAct: true }];
  });
}
