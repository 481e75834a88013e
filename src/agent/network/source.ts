import type { EndpointBytes } from '../../kernel/endpoint.ts';
import type { ProcessCounters } from '../snapshot.ts';

export type { EndpointBytes };

/** Payload that one process moved through sockets in one window. */
export interface NetworkBytes {
  inBytes: number;
  outBytes: number;
  /** Within this machine. */
  loopbackInBytes: number;
  loopbackOutBytes: number;
  /** Through sockets without a fixed peer, of which it cannot be told whether they left the machine. */
  unconnectedInBytes: number;
  unconnectedOutBytes: number;
}

/** What was counted since the reading before. */
export interface NetworkReading {
  /** By pid; processes that moved nothing are left out. Some may have ended since. */
  processes: Map<number, NetworkBytes>;
  /** Loopback left out. */
  endpoints: EndpointBytes[];
}

/** The rungs that may be asked for; `auto` takes the highest that works. */
export const NETWORK_CHOICES = ['auto', 'bpf', 'sockets'] as const;
export type NetworkChoice = (typeof NETWORK_CHOICES)[number];

/** One rung of the ladder: a way to know which process moved how much. */
export interface NetworkSource {
  readonly name: 'bpf' | 'sockets';
  /** Called once per sample, right after the processes were read. One failing reading must not cost the sample. */
  read(processes: ReadonlyMap<number, ProcessCounters>): NetworkReading;
  /** What it cannot see here, in plain words. */
  readonly limitation: string | undefined;
  close(): void;
}

export function noBytes(): NetworkBytes {
  return {
    inBytes: 0,
    outBytes: 0,
    loopbackInBytes: 0,
    loopbackOutBytes: 0,
    unconnectedInBytes: 0,
    unconnectedOutBytes: 0,
  };
}
