import { type FleetHost, ISTATE } from '../../store/fleet.ts';
import { parseHostAddress } from '../host-address.ts';
import type { Verdict } from './verdict.ts';

const DONE = new Set<number>([ISTATE.running, ISTATE.offline]);

/** Which hosts cannot be deployed, or taken offline, and why. */
export function judgeDeployments(hosts: readonly FleetHost[]): Verdict[] {
  return hosts.flatMap(({ rshost, istate, failure, attempts = 1 }): Verdict[] => {
    const host = parseHostAddress(rshost)?.host ?? rshost;
    const what = istate === ISTATE.takeOffline || istate === ISTATE.offline ? 'taken offline' : 'deployed';
    if (DONE.has(istate)) return [{ host, kind: 'deploy', isWell: true, text: what }];
    if (failure === undefined) return [];
    const tried = attempts > 1 ? ` (attempt ${attempts})` : '';
    return [{ host, kind: 'deploy', isWell: false, text: `cannot be ${what}${tried}: ${failure}`, reason: failure }];
  });
}
