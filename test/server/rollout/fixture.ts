import type { ListedHost } from '../../../src/server/host-list.ts';
import type { Rollout } from '../../../src/store/rollout.ts';

/** Hashes as long as real ones, told apart by their first letter. */
export const [A, B, C] = ['a', 'b', 'c'].map((letter) => letter.repeat(64)) as [string, string, string];

/** Release 1.3 has come after 1.2, unless a test says otherwise. */
export function rollout(fields: Partial<Rollout> = {}): Rollout {
  return {
    serial: 2,
    version: '1.3',
    hash: B,
    releasedMs: Date.UTC(2026, 10, 26, 3, 12),
    state: 'running',
    wave: 0,
    ...fields,
  };
}

export const BEFORE: Rollout = rollout({ serial: 1, version: '1.2', hash: A, state: 'done', wave: 3 });

/** A host that was deployed with 1.2 and is connected. */
export function listed(host: string, fields: Partial<ListedHost> = {}): ListedHost {
  return {
    ...{ host, rshost: host, istate: 2, isDeployed: true, server: 'srv-1', version: '1.2', release: A, wanted: 1 },
    upgrade: 'done',
    ...fields,
  };
}
