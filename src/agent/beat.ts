import type { Beat } from '../protocol/message.ts';
import type { Footprint, Network, NetworkInterface } from '../protocol/row.ts';
import { culprits } from './culprits.ts';
import type { Outbox } from './history/outbox.ts';
import type { Identities } from './identity/identity.ts';
import { limitation } from './limitation.ts';
import type { Sample, Sampler } from './sampler.ts';
import type { Sources } from './sources.ts';

/** What a beat tells beside its sample. */
export interface BeatParts {
  identities: Identities;
  pageBytes: number;
  outbox: Outbox;
  sampler: Sampler;
  sources: Sources;
  interfaces: readonly NetworkInterface[];
  agent: Footprint;
}

/** The host's own figures of one sample and its largest users. */
export function beatOf(sample: Sample, parts: BeatParts): Beat {
  const { identities, pageBytes, outbox, sources, interfaces, agent } = parts;
  const { atMs, host: usage } = sample;
  const message = limitation(sample.snapshot, parts);
  const netSource = sources.network?.name;
  return {
    type: 'beat',
    atMs,
    usage,
    culprits: culprits(sample, identities, pageBytes),
    agent,
    network: networkOf(sample, interfaces),
    ...(netSource !== undefined && { netSource }),
    ...(outbox.dropped > 0 && { droppedIntervals: outbox.dropped }),
    ...(message !== undefined && { message }),
  };
}

function networkOf({ network, durationMs }: Sample, interfaces: readonly NetworkInterface[]): Network {
  const rate = (bytes = 0): number => Math.round((bytes / durationMs) * 1000);
  return {
    interfaces: [...interfaces],
    overheadInBytesPerSec: rate(network?.overheadInBytes),
    overheadOutBytesPerSec: rate(network?.overheadOutBytes),
    loopbackBytesPerSec: rate(network?.loopbackBytes),
  };
}
