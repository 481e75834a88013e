import type { Rollout } from '../../store/rollout.ts';
import type { ListedHost } from '../host-list.ts';
import { isCovered, phaseOf } from './phase.ts';

/** What a census is taken of. */
export interface Fleet {
  /** As listed; those that releases do not cover are passed over. */
  hosts: Iterable<ListedHost>;
  isConnected: (host: ListedHost) => boolean;
  /** Servers that are known to have the newest release. */
  servers: Iterable<string>;
  /** Of a host whose agent has gone to begin with the release: it should be back by now. */
  isOverdue: (host: ListedHost) => boolean;
}

/** The hosts, seen from the newest rollout. */
export interface Census {
  /** Could have it: those that are connected, and those that are not but have it or are about to. */
  population: number;
  /** Have it, have failed, or are on their way to it. */
  members: number;
  /** A member is waited for. */
  isUnderWay: boolean;
  /** Are connected, and nobody has had them run it. */
  candidates: ListedHost[];
  /** Of those that have yet to get it. */
  away: number;
  /** Servers that have it, that have told a host that they have not, and that have not told yet. */
  has: Set<string>;
  lacks: Set<string>;
  asked: Set<string>;
  failed: ListedHost | undefined;
  overdue: ListedHost | undefined;
  /** A host that has not failed runs it, or is about to. */
  isRunSomewhere: boolean;
}

export function takeCensus(newest: Rollout, { hosts, isConnected, servers, isOverdue }: Fleet): Census {
  const census: Census = {
    ...{ population: 0, members: 0, isUnderWay: false, candidates: [], away: 0 },
    ...{ has: new Set(servers), lacks: new Set(), asked: new Set() },
    ...{ failed: undefined, overdue: undefined, isRunSomewhere: false },
  };
  for (const host of hosts) {
    const { release, wanted, server = '', upgradeFailure } = host;
    if (release === undefined || !isCovered(host)) continue;
    const isHere = isConnected(host);
    const phase = phaseOf(host, isHere, newest);
    const isStarting = phase === 'testing' || phase === 'trial';
    if (phase !== 'failed' && (release === newest.hash || isStarting)) census.isRunSomewhere = true;
    if (phase === 'away') {
      census.away += 1;
      continue;
    }
    census.population += 1;
    if (wanted !== newest.serial) census.candidates.push(host);
    else if (phase === 'waiting' && upgradeFailure !== undefined) census.lacks.add(server);
    else {
      census.members += 1;
      if (phase === 'failed') census.failed ??= host;
      else if (phase !== 'done') census.isUnderWay = true;
      if (isHere) census[phase === 'waiting' ? 'asked' : 'has'].add(server);
      if (isStarting && !isHere && isOverdue(host)) census.overdue ??= host;
    }
  }
  return census;
}
