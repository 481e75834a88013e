import { EventEmitter } from 'node:events';

import type { RolloutStatus, UpgradePhase } from '../../protocol/release.ts';
import type { HostList, ListedHost } from '../host-list.ts';
import { releaseBefore } from './lineage.ts';
import { isCovered, isLeftAlone, LEFT_ALONE, phaseOf } from './phase.ts';
import { wavesOf } from './plan.ts';
import type { Wave } from './release-settings.ts';
import type { RolloutList } from './rollout-list.ts';

/** Whatever needs somebody's eye comes first. */
const ORDER: readonly UpgradePhase[] = ['failed', 'trial', 'testing', 'receiving', 'waiting', 'away', 'done'];
type HostStatus = RolloutStatus['hosts'][number];

export interface RolloutViewOptions {
  rollouts: RolloutList;
  hosts: HostList;
  waves: () => readonly Wave[];
}

/** How the newest rollout stands, as this server's copy of the store tells it. */
export class RolloutView extends EventEmitter<{ change: [] }> {
  readonly #options: RolloutViewOptions;

  constructor(options: RolloutViewOptions) {
    super();
    this.setMaxListeners(0);
    this.#options = options;
    options.rollouts.on('change', () => this.emit('change'));
    options.hosts.on('change', () => this.emit('change'));
  }

  get state(): RolloutStatus['state'] | undefined {
    return this.#options.rollouts.newest?.state;
  }

  /**
   * Hosts whose agents are left alone are named as waiting, with the reason, and not counted.
   * @param limit of the hosts that are named. @param host the only one to be named.
   * @returns undefined while nothing was released.
   */
  status(limit: number, host?: string): RolloutStatus | undefined {
    const { rollouts, hosts, waves } = this.#options;
    const [all, newest] = [rollouts.all(), rollouts.newest];
    if (newest === undefined) return undefined;
    const counts = Object.fromEntries(ORDER.map((phase) => [phase, 0])) as Record<UpgradePhase, number>;
    const named: HostStatus[] = [];
    for (const listed of hosts.all()) {
      const isAlone = isLeftAlone(listed);
      if (!isAlone && !isCovered(listed)) continue;
      const phase = isAlone ? 'waiting' : phaseOf(listed, hosts.isConnected(listed), newest);
      if (!isAlone) counts[phase] += 1;
      const reason = isAlone ? LEFT_ALONE : listed.wanted === newest.serial ? listed.upgradeFailure : undefined;
      if (host === undefined || host === listed.host) named.push(hostStatus(listed, phase, reason));
    }
    const before = releaseBefore(all, newest);
    return {
      version: newest.version,
      hash: newest.hash,
      serial: newest.serial,
      releasedAt: new Date(newest.releasedMs).toISOString(),
      ...(before !== undefined && { previous: { version: before.version, hash: before.hash } }),
      state: newest.state,
      ...(newest.reason !== undefined && { reason: newest.reason.slice(0, 500) }),
      wave: newest.wave,
      waves: wavesOf(all, newest, waves()).map(({ label }) => label),
      counts,
      hosts: named.sort(byUrgency).slice(0, limit),
    };
  }
}

function hostStatus({ host, version, release }: ListedHost, phase: UpgradePhase, reason?: string): HostStatus {
  return {
    host,
    phase,
    ...(version !== undefined && { version }),
    ...(release !== undefined && { hash: release }),
    ...(reason !== undefined && { reason: reason.slice(0, 500) }),
  };
}

function byUrgency(a: HostStatus, b: HostStatus): number {
  return ORDER.indexOf(a.phase) - ORDER.indexOf(b.phase) || (a.host < b.host ? -1 : 1);
}
