import { statSync } from 'node:fs';
import { absence, KernelText, readWhole } from '../../procfs/kernel-file.ts';
import { type CgroupPlace, parseCgroup } from '../../procfs/pid-cgroup.ts';
import { parseCmdline } from '../../procfs/pid-cmdline.ts';
import { parseStackStart } from '../../procfs/pid-stat.ts';
import { type Identity, MAX_CMDLINE_LENGTH } from '../../protocol/row.ts';
import type { ProcessCounters, Snapshot } from '../snapshot.ts';
import { instanceName } from './instance.ts';
import { Listeners, type ListenersOptions, leaderOf } from './listeners.ts';
import { scrub } from './scrub.ts';
import { Users } from './users.ts';

/** Servers rewrite their titles as they work; what is older than this is read again when it is asked for. */
const REREAD_MS = 30_000;

/** Of a command line nothing beyond this is looked at: twice what is shown, as masks may shorten it. */
const MAX_RAW_LENGTH = 2 * MAX_CMDLINE_LENGTH;

/** What is read once per program and not at every sample. */
interface Program extends CgroupPlace {
  startTicks: number;
  comm: string;
  readAtMs: number;
  args: string[];
  cmdline: string;
  user: string;
  /** See `parseStackStart`. */
  stackStart: number | undefined;
}

export interface IdentityOptions {
  procRoot: string;
  passwdPath: string;
  ownPid: number;
  /** As for `Listeners`. */
  dump?: ListenersOptions['dump'];
}

/**
 * Who a process is: name, user, scrubbed command line, instance. Read only for processes that somebody asks about, so a
 * process that never matters costs nothing but its counters.
 */
export class Identities {
  readonly #procRoot: string;
  readonly #users: Users;
  /** Who listens where, kept up to date with every snapshot. */
  readonly listeners: Listeners;
  readonly #text = new KernelText();
  readonly #programs = new Map<number, Program>();
  /** Of processes that were in the snapshot before and are no more. */
  #vanished = new Map<number, Program>();
  readonly #isFork = (child: ProcessCounters, parent: ProcessCounters): boolean => {
    const nowMs = this.#snapshot?.wallMs ?? 0;
    const own = this.#program(child, nowMs).stackStart;
    const inherited = this.#program(parent, nowMs).stackStart;
    return own === undefined || inherited === undefined || own === inherited;
  };
  #snapshot: Snapshot | undefined;

  constructor(options: IdentityOptions) {
    this.#procRoot = options.procRoot;
    this.#users = new Users(options.passwdPath);
    this.listeners = new Listeners(options.procRoot, options.ownPid, {
      isFork: this.#isFork,
      dump: options.dump,
    });
  }

  /** To be called once per snapshot, before `of` is asked about its processes. */
  update(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#vanished = new Map();
    for (const [pid, program] of this.#programs) {
      if (snapshot.processes.get(pid)?.startTicks === program.startTicks) continue;
      this.#programs.delete(pid);
      this.#vanished.set(pid, program);
    }
    this.listeners.refresh(snapshot.processes);
  }

  /** @param process one of the snapshot given last, or one that ended since the snapshot before, in state X. */
  of(process: ProcessCounters): Identity {
    const snapshot = this.#snapshot;
    if (snapshot === undefined) throw new Error('identities are asked for before the first snapshot');
    const program = this.#program(process, snapshot.wallMs);
    const ports = this.#portsOf(process);
    return {
      pid: process.pid,
      instance: this.instanceOf(process),
      comm: process.comm,
      user: program.user,
      cmdline: program.cmdline,
      ...(program.unit !== undefined && { unit: program.unit }),
      ...(program.container !== undefined && { container: program.container }),
      ports: ports.slice(0, 64),
      state: process.state,
      threads: process.threads,
      startedAt: this.#startedAt(process),
    };
  }

  /** Of a process that ended before anybody asked: just what its counters tell. */
  ofVanished(process: ProcessCounters): Identity {
    const { pid, comm, state, threads } = process;
    return {
      pid,
      instance: comm,
      comm,
      user: '?',
      cmdline: '',
      ports: [],
      state,
      threads,
      startedAt: this.#startedAt(process),
    };
  }

  instanceOf(process: ProcessCounters): string {
    const snapshot = this.#snapshot;
    if (snapshot === undefined) throw new Error('identities are asked for before the first snapshot');
    const program = this.#program(process, snapshot.wallMs);
    const leader = this.#program(leaderOf(process, snapshot.processes, this.#isFork), snapshot.wallMs);
    const { unit, container } = program;
    return instanceName({ comm: process.comm, ports: this.#portsOf(process), args: leader.args, unit, container });
  }

  #startedAt(process: ProcessCounters): string {
    return new Date((this.#snapshot?.host.cpu.bootSec ?? 0) * 1000 + process.startTicks * 10).toISOString();
  }

  #portsOf(process: ProcessCounters): number[] {
    return this.listeners.portsOf(leaderOf(process, this.#snapshot?.processes ?? new Map(), this.#isFork).pid);
  }

  #program(process: ProcessCounters, nowMs: number): Program {
    // The files of a process that ended are gone, and another may have its pid by now: what was known of it is all.
    if (process.state === 'X') {
      const known = this.#vanished.get(process.pid);
      return known?.startTicks === process.startTicks ? known : unknownProgram(process);
    }
    const known = this.#programs.get(process.pid);
    const same = known?.startTicks === process.startTicks && known.comm === process.comm;
    if (known !== undefined && same && Math.abs(nowMs - known.readAtMs) < REREAD_MS) return known;
    if (!same) this.listeners.noticeNamespace(process.pid);
    const program = this.#read(process, nowMs);
    if (known !== undefined && same && program.args.length === 0) {
      // A process that has just ended has no command line any more; what was known of it still holds.
      known.readAtMs = nowMs;
      return known;
    }
    this.#programs.set(process.pid, program);
    return program;
  }

  #read(process: ProcessCounters, nowMs: number): Program {
    const dir = `${this.#procRoot}/${process.pid}`;
    const { startTicks, comm } = process;
    const args = parseCmdline(wholeWords(this.#optional(`${dir}/cmdline`)));
    return {
      startTicks,
      comm,
      readAtMs: nowMs,
      args,
      cmdline: scrub(args).slice(0, MAX_CMDLINE_LENGTH),
      user: this.#owner(dir, nowMs),
      stackStart: readWhole(`${dir}/stat`, this.#text) === undefined ? parseStackStart(this.#text) : undefined,
      ...parseCgroup(this.#optional(`${dir}/cgroup`)),
    };
  }

  /** The folder /proc/[pid] belongs to the effective user, also of a process that may not be looked into. */
  #owner(dir: string, nowMs: number): string {
    try {
      return this.#users.name(statSync(dir).uid, nowMs);
    } catch (error) {
      absence(error);
      return '?';
    }
  }

  #optional(path: string): string {
    return readWhole(path, this.#text) === undefined ? this.#text.toString() : '';
  }
}

function unknownProgram({ startTicks, comm }: ProcessCounters): Program {
  return { startTicks, comm, readAtMs: 0, args: [], cmdline: '', user: '?', stackStart: undefined };
}

/** Shortens a command line that is too long between two words: half a word may not look like the secret it holds. */
function wholeWords(text: string): string {
  if (text.length <= MAX_RAW_LENGTH) return text;
  const end = Math.max(text.lastIndexOf('\0', MAX_RAW_LENGTH), text.lastIndexOf(' ', MAX_RAW_LENGTH));
  return `${text.slice(0, end + 1)}…`;
}
