import { EventEmitter } from 'node:events';
import type { RolloutStatus, UpgradePhase } from '../../src/protocol/release.ts';
import type { RolloutStanding } from '../../src/server/live-release.ts';

type Host = RolloutStatus['hosts'][number];

/** A rollout that stands as a test says. */
export class FakeRolloutView extends EventEmitter<{ change: [] }> implements RolloutStanding {
  rollout: RolloutStatus | undefined;
  readonly asked: [limit: number, host: string | undefined][] = [];

  constructor(rollout?: RolloutStatus) {
    super();
    this.rollout = rollout;
  }

  get state(): RolloutStatus['state'] | undefined {
    return this.rollout?.state;
  }

  status(limit: number, host?: string): RolloutStatus | undefined {
    this.asked.push([limit, host]);
    const { rollout } = this;
    if (rollout === undefined) return undefined;
    const hosts = rollout.hosts.filter((row) => host === undefined || row.host === host).slice(0, limit);
    return { ...rollout, hosts };
  }

  /** From now on it stands so. */
  becomes(rollout: RolloutStatus | undefined): void {
    this.rollout = rollout;
    this.emit('change');
  }
}

/** Release 1.3 in its second wave, on 120 hosts, of which those are named that are not done. */
export function standing(fields: Partial<RolloutStatus> = {}): RolloutStatus {
  return {
    ...{ version: '1.3', hash: 'ab12cd34ef56'.padEnd(64, '0'), serial: 2, releasedAt: '2026-11-26T01:02:03.000Z' },
    previous: { version: '1.2', hash: '9f'.repeat(32) },
    ...{ state: 'running', wave: 2, waves: ['1', '10 %', 'all'] },
    counts: counts({ done: 12, failed: 1, away: 3, waiting: 104 }),
    hosts: [
      upgrading('db-03', 'failed', 'it crashed'),
      upgrading('db-04', 'waiting'),
      { host: 'db-05', phase: 'away' },
      upgrading('db-01', 'done'),
    ],
    ...fields,
  };
}

export function counts(some: Partial<Record<UpgradePhase, number>>): Record<UpgradePhase, number> {
  return { ...{ waiting: 0, receiving: 0, testing: 0, trial: 0, done: 0, failed: 0, away: 0 }, ...some };
}

export function upgrading(host: string, phase: UpgradePhase, reason?: string): Host {
  const [version, hash] = phase === 'done' ? ['1.3', 'ab12cd34ef56'.padEnd(64, '0')] : ['1.2', '9f'.repeat(32)];
  return { host, phase, version, hash, ...(reason !== undefined && { reason }) };
}
