import { ISTATE } from '../../store/fleet.ts';
import type { ListedHost } from '../host-list.ts';
import type { Verdict } from './verdict.ts';

const DONE = new Set<number>([ISTATE.running, ISTATE.offline]);

/** Which hosts cannot be deployed, or taken offline, and why. */
export function judgeDeployments(hosts: readonly ListedHost[]): Verdict[] {
  return hosts.flatMap(({ host, istate, failure, attempts = 1 }): Verdict[] => {
    const what = istate === ISTATE.takeOffline || istate === ISTATE.offline ? 'taken offline' : 'deployed';
    if (DONE.has(istate)) return [{ host, kind: 'deploy', isWell: true, text: what }];
    if (failure === undefined) return [];
    const tried = attempts > 1 ? ` (attempt ${attempts})` : '';
    return [{ host, kind: 'deploy', isWell: false, text: `cannot be ${what}${tried}: ${failure}`, reason: failure }];
  });
}
