import type { Usage } from '../../src/agent/attribution/attribute.ts';
import { DetailReader } from '../../src/agent/details.ts';
import { Identities } from '../../src/agent/identity/identity.ts';
import type { NetworkUsage } from '../../src/agent/network/accounting.ts';
import type { EndpointBytes } from '../../src/agent/network/source.ts';
import { PssReader } from '../../src/agent/pss.ts';
import type { Sample } from '../../src/agent/sampler.ts';
import type { ProcessCounters, Snapshot } from '../../src/agent/snapshot.ts';
import type { HostUsage } from '../../src/protocol/row.ts';
import { usage } from '../store/sample.ts';

const STILL: NetworkUsage = { inBytes: 0, outBytes: 0, loopbackInBytes: 0, loopbackOutBytes: 0 };

export interface SampleFields {
  durationMs?: number;
  host?: Partial<HostUsage>;
  /** Processes that ended in the window. */
  ended?: readonly ProcessCounters[];
  /** Who moved what; without it the network is not known. */
  network?: Record<number, Partial<NetworkUsage>>;
  endpoints?: readonly EndpointBytes[];
}

/** Who used what in the window that ended with a snapshot; what is not told is zero, by whoever is not told nothing. */
export function sample(
  snapshot: Snapshot,
  used: Record<number, Partial<Usage>> = {},
  { durationMs = 1_000, host = {}, ended = [], network, endpoints = [] }: SampleFields = {},
): Sample {
  const entries = Object.entries(used).map(([pid, fields]): [number, Usage] => [
    Number(pid),
    { cpuTicks: 0, readBytes: 0, writeBytes: 0, ...fields },
  ]);
  return {
    atMs: snapshot.wallMs,
    durationMs,
    snapshot,
    processes: new Map([
      ...snapshot.processes,
      ...ended.map((process): [number, ProcessCounters] => [process.pid, process]),
    ]),
    endedChildren: new Map(),
    usage: new Map(entries),
    network: network && {
      usage: new Map(Object.entries(network).map(([pid, moved]) => [Number(pid), { ...STILL, ...moved }])),
      ...{ endpoints, overheadInBytes: 0, overheadOutBytes: 0, loopbackBytes: 0 },
    },
    host: usage(host),
  };
}

/** Details of processes that have no files. */
export function bareDetails(): DetailReader {
  return new DetailReader('/nowhere', new PssReader('/nowhere'));
}

/** Identities of processes that have no files: they are called by their names. */
export function bareIdentities(): Identities {
  return new Identities({ procRoot: '/nonexistent', passwdPath: '/nonexistent', ownPid: 1 });
}
