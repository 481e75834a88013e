import type { Usage } from '../../src/agent/attribution.ts';
import { Identities } from '../../src/agent/identity.ts';
import type { Sample } from '../../src/agent/sampler.ts';
import type { Snapshot } from '../../src/agent/snapshot.ts';
import type { HostUsage } from '../../src/protocol/row.ts';
import { usage } from '../store/sample.ts';

/** Who used what in the window that ended with a snapshot; what is not told is zero, by whoever is not told nothing. */
export function sample(
  snapshot: Snapshot,
  used: Record<number, Partial<Usage>> = {},
  { durationMs = 1_000, host = {} }: { durationMs?: number; host?: Partial<HostUsage> } = {},
): Sample {
  const entries = Object.entries(used).map(([pid, fields]): [number, Usage] => [
    Number(pid),
    { cpuTicks: 0, readBytes: 0, writeBytes: 0, ...fields },
  ]);
  return { atMs: snapshot.wallMs, durationMs, snapshot, usage: new Map(entries), host: usage(host) };
}

/** Identities of processes that have no files: they are called by their names. */
export function bareIdentities(): Identities {
  return new Identities({ procRoot: '/nonexistent', passwdPath: '/nonexistent', ownPid: 1 });
}
