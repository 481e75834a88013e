import { KernelText, readWhole } from '../procfs/kernel-file.ts';
import { parseMaxOpenFiles } from '../procfs/limits.ts';
import type { Snapshot } from './snapshot.ts';
import type { Sources } from './sources.ts';

/** One thing that is looked into, how it stands, and what would raise it. */
export interface Finding {
  check: string;
  /** `limited`: works, and could know more. */
  state: 'ok' | 'limited' | 'failed';
  found: string;
  mend?: string;
}

/** Left free for sockets, the outbox and everything else. */
const SPARE_DESCRIPTORS = 256;
const MAX_KEPT_DESCRIPTORS = 8_192;

/** What an agent can know on this host, as this user. */
export function abilities(sources: Sources, snapshot: Snapshot, procRoot: string): Finding[] {
  return [
    networkAbility(sources),
    exitsAbility(sources),
    diskAbility(snapshot),
    descriptorsAbility(snapshot, keptDescriptors(procRoot)),
  ];
}

/** How many descriptors of /proc files may stay open, within the limit of open files. */
export function keptDescriptors(procRoot: string): number {
  const text = new KernelText();
  const limit =
    readWhole(`${procRoot}/self/limits`, text) === undefined ? parseMaxOpenFiles(text.toString()) : undefined;
  return Math.max(0, Math.min(MAX_KEPT_DESCRIPTORS, (limit ?? 0) - SPARE_DESCRIPTORS));
}

function networkAbility({ network, refusals }: Sources): Finding {
  const check = 'network per process';
  const mend = refusals.network.join('; ');
  if (network?.name === 'bpf')
    return { check, state: 'ok', found: 'eBPF: TCP and UDP of every process, in every network namespace' };
  if (network === undefined) return { check, state: 'limited', found: 'all of it is unattributed', mend };
  return { check, state: 'limited', found: `counters of TCP sockets: ${network.limitation ?? ''}`, mend };
}

function exitsAbility({ exits, refusals }: Sources): Finding {
  const check = 'processes that ended';
  const mend = refusals.exits.join('; ');
  if (exits === undefined) {
    const found = 'charged to whoever waited for them; those nobody waited for are unattributed';
    return { check, state: 'limited', found, mend };
  }
  const found = 'taskstats: each by its name, and what it used';
  return mend === '' ? { check, state: 'ok', found } : { check, state: 'limited', found, mend };
}

function diskAbility({ processes, ioHidden }: Snapshot): Finding {
  const check = 'disk I/O per process';
  if (ioHidden === 0) return { check, state: 'ok', found: `of all ${processes.size} processes` };
  const found = `hidden of ${ioHidden} of ${processes.size} processes`;
  // Even to root the kernel hides a few, such as init of a protected machine: there is nothing to mend.
  if (ioHidden <= processes.size / 20) return { check, state: 'ok', found };
  return { check, state: 'limited', found, mend: 'run the agent as root (or with CAP_SYS_PTRACE)' };
}

function descriptorsAbility({ processes }: Snapshot, kept: number): Finding {
  const check = 'open files';
  const found = `${kept} may be kept open, for ${processes.size} processes of two each`;
  if (kept >= 2 * processes.size) return { check, state: 'ok', found };
  return { check, state: 'limited', found, mend: 'raise the limit (ulimit -n, LimitNOFILE=): samples get cheaper' };
}
