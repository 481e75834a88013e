import type { KernelAccess } from '../kernel-access.ts';
import { refusalOf } from '../refusal.ts';
import { BpfNetwork } from './bpf.ts';
import { type ListeningPorts, openSocketNetwork } from './sockets.ts';
import type { NetworkChoice, NetworkSource } from './source.ts';

export interface NetworkOptions {
  choice: NetworkChoice;
  kernel: KernelAccess;
  procRoot: string;
  ownPid: number;
  /** Who listens where, if that is known already: the owners of short connections. */
  ports?: ListeningPorts;
}

/** The highest rung that this host lets us stand on, and why there is none above it. */
export interface NetworkLadder {
  source: NetworkSource | undefined;
  /** From the top, in plain words with the way to mend it. */
  refusals: string[];
}

/** Never throws: without any rung all of the network is unattributed. */
export function openNetwork(options: NetworkOptions): NetworkLadder {
  const refusals: string[] = [];
  const { kernel } = options;
  if (options.choice !== 'sockets') {
    try {
      if (kernel.libc === undefined) throw new Error(kernel.refusal);
      return { source: new BpfNetwork(kernel.libc, options), refusals };
    } catch (error) {
      refusals.push(`no eBPF: ${refusalOf(error, { ENOENT: 'it takes Linux 6.3 or newer' })}`);
    }
  }
  return { source: options.choice === 'bpf' ? undefined : openSocketNetwork(options), refusals };
}
