import { hash } from 'node:crypto';
import type { Rollout } from '../../store/rollout.ts';
import type { ListedHost } from '../host-list.ts';
import { type Census, type Fleet, takeCensus } from './census.ts';
import { isReturn, releaseBefore, releaseName } from './lineage.ts';
import type { Wave } from './release-settings.ts';

/** A release that all hosts had before needs no proof. */
const RETURN_WAVES: readonly Wave[] = [{ label: 'all', share: 1 }];

/** @param waves of a release that is new. */
export function wavesOf(all: readonly Rollout[], rollout: Rollout, waves: readonly Wave[]): readonly Wave[] {
  return isReturn(all, rollout) ? RETURN_WAVES : waves;
}

/** All that the next step depends on. */
export interface Situation extends Fleet {
  /** The newest first. */
  rollouts: readonly Rollout[];
  waves: readonly Wave[];
  /** Agents have had time to find a server since servers may have been restarted. */
  isSettled: boolean;
}

/** What is to be done next with the newest rollout. */
export type Step =
  /** These hosts are to run it, too. */
  | { do: 'want'; hosts: readonly ListedHost[] }
  | { do: 'begin'; wave: number }
  /** This host counts as failed. */
  | { do: 'fail'; host: ListedHost; reason: string }
  | { do: 'halt'; reason: string }
  /** All get the release before again. */
  | { do: 'return'; to: Rollout; reason: string }
  | { do: 'finish' };

/**
 * The next step of the newest rollout, from what is in the store: whoever asks next, and wherever, goes on from there.
 * Hosts that are away are not waited for, other than those that left to begin with the release.
 * @returns undefined when there is nothing to be done for now.
 */
export function nextStep(situation: Situation): Step | undefined {
  const { rollouts, waves } = situation;
  const [newest] = rollouts;
  if (newest === undefined) return undefined;
  const census = takeCensus(newest, situation);
  const { overdue, failed, isRunSomewhere } = census;
  if (overdue !== undefined) return { do: 'fail', host: overdue, reason: 'its agent did not come back' };
  const { state, reason = '' } = newest;
  if (state === 'halted') {
    const to = releaseBefore(rollouts, newest);
    if (to === undefined || !isRunSomewhere) return undefined;
    return { do: 'return', to, reason: `release ${releaseName(rollouts, newest)} halted at ${reason}` };
  }
  if (state === 'done') return wantFirst(Number.POSITIVE_INFINITY, census, newest);
  // Those that go back must not be stopped by the one that cannot.
  const isBack = isReturn(rollouts, newest);
  if (failed !== undefined && !isBack)
    return { do: 'halt', reason: `${failed.host}: ${failed.upgradeFailure ?? 'it failed'}` };
  return state === 'paused' ? undefined : nextOfWaves(newest, census, wavesOf(rollouts, newest, waves), situation);
}

function nextOfWaves(
  newest: Rollout,
  census: Census,
  waves: readonly Wave[],
  { isSettled }: Situation,
): Step | undefined {
  const { population, members, isUnderWay, away } = census;
  const current = waves[Math.min(newest.wave, waves.length) - 1];
  const missing = current === undefined ? 0 : sizeOf(current, population) - members;
  // What is missing and cannot be had is on servers that have yet to get the release.
  if (missing > 0) return wantFirst(missing, census, newest);
  if (isUnderWay) return undefined;
  // A server that was just restarted must not take the few whose agents are back for the whole fleet.
  if (away > 0 && (population === 0 || (members > 0 && !isSettled))) return undefined;
  const next = waves.findIndex((wave, index) => index >= newest.wave && sizeOf(wave, population) > members);
  return next < 0 ? { do: 'finish' } : { do: 'begin', wave: next + 1 };
}

function sizeOf({ hosts, share = 0 }: Wave, population: number): number {
  // Of what is not exact in binary a part in a billion makes no host: 0.07 * 100 is a little over 7.
  return Math.min(population, hosts ?? Math.ceil(share * population - 1e-9));
}

/**
 * In an order that is another one for each rollout. A server of which it is not known whether it has the release is tried
 * with one host, and one that has told that it has not is left out.
 */
function wantFirst(count: number, { candidates, has, lacks, asked }: Census, { serial }: Rollout): Step | undefined {
  const tried = new Set([...lacks, ...asked]);
  const known: ListedHost[] = [];
  const unknown: ListedHost[] = [];
  for (const host of inOrder(candidates, serial)) {
    const { server = '' } = host;
    if (has.has(server)) known.push(host);
    else if (!tried.has(server)) {
      tried.add(server);
      unknown.push(host);
    }
  }
  const hosts = [...known, ...unknown].slice(0, count);
  return hosts.length > 0 ? { do: 'want', hosts } : undefined;
}

function inOrder(hosts: readonly ListedHost[], serial: number): ListedHost[] {
  return hosts
    .map((host) => ({ host, key: hash('sha256', `${serial} ${host.host}`) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ host }) => host);
}
