import { readFileSync } from 'node:fs';
import type { Libc } from '../kernel/libc.ts';
import { TaskEnds } from '../kernel/task-ends.ts';
import { TaskExits } from '../kernel/taskstats.ts';
import { Exits } from './attribution/exits.ts';
import type { KernelAccess } from './kernel-access.ts';
import { openNetwork } from './network/ladder.ts';
import type { ListeningPorts } from './network/sockets.ts';
import type { NetworkChoice, NetworkSource } from './network/source.ts';
import { refusalOf } from './refusal.ts';

export interface Refusals {
  network: readonly string[];
  exits: readonly string[];
}

/** Where more can be known than /proc tells, as far as this host and user allow. */
export interface Sources {
  network: NetworkSource | undefined;
  exits: Exits | undefined;
  /** Why something better is not to be had, in plain words with the way to mend it. */
  refusals: Refusals;
  close(): void;
}

export interface SourcesOptions {
  /** The rung of the network ladder that is wanted. */
  net: NetworkChoice;
  procRoot: string;
  sysRoot: string;
  ownPid: number;
  /** Who listens where, if that is known already. */
  ports?: ListeningPorts;
  kernel: KernelAccess;
}

/** Never throws: what cannot be had is a refusal. */
export function openSources(options: SourcesOptions): Sources {
  const { kernel } = options;
  const network = openNetwork({ ...options, choice: options.net });
  const exits = openExits(kernel, options.sysRoot);
  return {
    network: network.source,
    exits: exits.source,
    refusals: { network: network.refusals, exits: exits.refusals },
    close: () => {
      network.source?.close();
      exits.source?.close();
    },
  };
}

const EXIT_WAYS = {
  EINVAL: 'it tells only those in the first PID namespace of the machine',
  ENOENT: 'this kernel was built without taskstats',
  EPROTO: 'it takes Linux 5.19 or newer',
};

function openExits(kernel: KernelAccess, sysRoot: string): { source: Exits | undefined; refusals: string[] } {
  try {
    if (kernel.libc === undefined) throw new Error(kernel.refusal);
    const possibleCpus = readFileSync(`${sysRoot}/devices/system/cpu/possible`, 'utf8');
    const exits = new TaskExits(kernel.libc, possibleCpus);
    const { ends, refusals } = openEnds(kernel.libc, sysRoot);
    return { source: new Exits(exits, ends), refusals };
  } catch (error) {
    return { source: undefined, refusals: [`no taskstats: ${refusalOf(error, EXIT_WAYS)}`] };
  }
}

const NO_TYPES = { ENOENT: 'it takes a kernel that describes its types (CONFIG_DEBUG_INFO_BTF)' };

function openEnds(libc: Libc, sysRoot: string): { ends: TaskEnds | undefined; refusals: string[] } {
  try {
    return { ends: new TaskEnds(libc, readFileSync(`${sysRoot}/kernel/btf/vmlinux`)), refusals: [] };
  } catch (error) {
    return {
      ends: undefined,
      refusals: [
        `no eBPF at the end of processes, so that what they use on their way out is not told: ${refusalOf(error, NO_TYPES)}`,
      ],
    };
  }
}
