import { shortHash } from '../../protocol/release.ts';
import type { FleetStore } from '../../store/fleet.ts';
import type { Rollout, RolloutStore } from '../../store/rollout.ts';
import type { ReleaseSource } from '../release/release-source.ts';
import { releaseBefore } from './lineage.ts';

const LEASE = 'release';
const LEASE_MS = 10_000;
const RETRY_MS = 1_000;
/** An older release than that is as good as a new one. */
const MAX_KNOWN = 1_000;

export interface OfferOptions {
  serverName: string;
  fleet: FleetStore;
  store: RolloutStore;
  source: Pick<ReleaseSource, 'own'>;
}

/**
 * Releases this server's own code, if it was never released before: it is known by its hash, whatever its version says.
 * Servers that start at the same time take turns. @returns what was found, in plain words; undefined: nothing has changed.
 * Rejects when the store does, or the signal aborts.
 */
export async function offerOwn(options: OfferOptions, signal: AbortSignal): Promise<string | undefined> {
  const { serverName, fleet, store, source } = options;
  while (!(await fleet.lease(LEASE, serverName, LEASE_MS))) {
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    signal.throwIfAborted();
  }
  try {
    for (;;) {
      signal.throwIfAborted();
      const known = await store.rollouts(MAX_KNOWN);
      const { hash, version } = source.own;
      const same = known.find((rollout) => rollout.hash === hash);
      if (same !== undefined) return ofKnown(same, known, version);
      const act = { version, hash, state: 'running', wave: 0 } as const;
      if ((await store.release(act, known[0]?.serial ?? 0)) !== undefined) return ofNew(known, version, hash);
    }
  } finally {
    await fleet.release(LEASE, serverName).catch(() => undefined);
  }
}

function ofNew(known: readonly Rollout[], version: string, hash: string): string {
  const [before] = known;
  const name = `release ${version} (${shortHash(hash)})`;
  if (before === undefined) return `${name} is the first one`;
  const twin = known.find((rollout) => rollout.version === version);
  const isSaid =
    twin === undefined ? '' : `; the agents' code is not that of the other ${version} (${shortHash(twin.hash)})`;
  return `${name} begins its way to the hosts, after ${before.version} (${shortHash(before.hash)})${isSaid}`;
}

function ofKnown(same: Rollout, known: readonly Rollout[], version: string): string | undefined {
  const newest = known[0] as Rollout;
  if (newest.hash === same.hash) {
    if (newest.state === 'halted')
      return `release ${newest.version} is halted at ${newest.reason}; to try it again, procmesh release resume`;
    if (version === newest.version) return undefined;
    return `the version is ${version} now, the agents' code is still that of ${newest.version}: there is nothing to release`;
  }
  const fleetRuns = `the fleet is on release ${newest.version} (${shortHash(newest.hash)})`;
  const isLeft = same.state !== 'done';
  const canGoBack = releaseBefore(known, newest)?.hash === same.hash;
  const hint = isLeft
    ? ': to begin it again, procmesh release resume'
    : canGoBack
      ? ': to go back, procmesh release rollback'
      : '';
  const own = `this server has the code of ${same.version} (${shortHash(same.hash)}), which was released before`;
  return `${own}; ${fleetRuns}${hint}`;
}
