import type { HostUsage } from '../protocol/row.ts';
import { account, type Ledger, openLedger } from './accounting.ts';
import { attribute, type Carry, type EndedChildren, lastRows, NO_CARRY, type Usage } from './attribution/attribute.ts';
import type { Exits, ExitWindow } from './attribution/exits.ts';
import { type SettledZombies, Zombies } from './attribution/zombies.ts';
import { accountNetwork, type NetworkUsage } from './network/accounting.ts';
import type { EndpointBytes, NetworkReading, NetworkSource } from './network/source.ts';
import { roundUsage } from './rounding.ts';
import type { ProcessCounters, Scanner, Snapshot } from './snapshot.ts';

/** One window of one machine: what it used and who used it. */
export interface Sample {
  /** End of the window, epoch ms. */
  atMs: number;
  /** Length of the window, monotonic. */
  durationMs: number;
  snapshot: Snapshot;
  /**
   * Everybody who has a row: the processes of the snapshot and those that used something and ended within the window,
   * in state X, without memory, with the last counters seen of them.
   */
  processes: ReadonlyMap<number, ProcessCounters>;
  /** Short-lived processes that were charged to the one that started them: the few names that used most. */
  endedChildren: ReadonlyMap<number, readonly EndedChildren[]>;
  /** Only processes that used anything; absent means zero. */
  usage: ReadonlyMap<number, Usage>;
  /** Undefined where nobody can tell who moved what. */
  network: SampleNetwork | undefined;
  /** Rounded as it is sent. */
  host: HostUsage;
}

/** Who moved what in one window. */
export interface SampleNetwork {
  /** Only processes that moved anything; absent means zero. */
  usage: ReadonlyMap<number, NetworkUsage>;
  endpoints: readonly EndpointBytes[];
  /** Of the host, both parts of what is unattributed. */
  overheadInBytes: number;
  overheadOutBytes: number;
  /** Of the host, within the machine. */
  loopbackBytes: number;
}

/** Where more can be known than /proc tells; each is left out where it cannot be had. */
export interface SampleSources {
  /** What the kernel tells of processes that end. */
  exits?: Exits | undefined;
  network?: NetworkSource | undefined;
}

/** What the next window is measured against. */
export interface Baseline {
  previous: Snapshot;
  zombies: SettledZombies;
  carry: Carry;
  ledger: Ledger;
}

/** A chain of processes that started each other and ended is not followed further. */
const MAX_ANCESTORS = 64;

/** Turns snapshots into samples, each measured against the snapshot before. */
export class Sampler {
  readonly #scanner: Scanner;
  readonly #sources: SampleSources;
  readonly #zombies = new Zombies();
  #previous: Snapshot | undefined;
  #carry: Carry = NO_CARRY;
  #ledger: Ledger | undefined;
  #isHandedOver = false;

  #networkProblem: Error | undefined;

  constructor(scanner: Scanner, sources: SampleSources = {}) {
    this.#scanner = scanner;
    this.#sources = sources;
  }

  /** Why the last sample knows nothing of the network, though there is a source for it. */
  get networkProblem(): Error | undefined {
    return this.#networkProblem;
  }

  /** Undefined before the first sample. */
  get baseline(): Baseline | undefined {
    const previous = this.#previous;
    if (previous === undefined) return undefined;
    const ledger = this.#ledger ?? openLedger(previous);
    return { previous, zombies: this.#zombies.settled, carry: this.#carry, ledger };
  }

  /** Goes on from where another sampler stood; to be called before the first sample. */
  resume({ previous, zombies, carry, ledger }: Baseline): void {
    this.#scanner.resume(previous.processes);
    this.#zombies.settled = zombies;
    this.#previous = previous;
    this.#carry = carry;
    this.#ledger = ledger;
    this.#isHandedOver = true;
  }

  /** @returns undefined the first time: there is no usage without an earlier snapshot. */
  sample(): Sample | undefined {
    const { exits: exitSource } = this.#sources;
    exitSource?.beginScan();
    const read = this.#scanner.take();
    const reading = this.#readNetwork(read);
    const exits = exitSource?.endScan();
    try {
      return this.#measure(read, reading, exits);
    } catch (cause) {
      if (!this.#isHandedOver) throw cause;
      this.#beginWith(read);
      throw new Error('begins afresh, as nothing can be measured against what was handed over', { cause });
    } finally {
      this.#isHandedOver = false;
    }
  }

  #beginWith(first: Snapshot): void {
    this.#zombies.settled = new Map();
    this.#previous = first;
    this.#carry = NO_CARRY;
    this.#ledger = openLedger(first);
  }

  #measure(read: Snapshot, reading: NetworkReading | undefined, exits: ExitWindow | undefined): Sample | undefined {
    const current = this.#zombies.settle(read, exits);
    const previous = this.#previous;
    this.#previous = current;
    if (previous === undefined) {
      this.#ledger = openLedger(current);
      return undefined;
    }
    const attributed = attribute(previous, current, this.#carry, exits);
    this.#carry = attributed.carry;
    const movers = lastRows(reading?.processes.keys() ?? [], previous, current);
    const processes = withEnded(current.processes, [...attributed.ended, ...movers]);
    const ownerOf = ownersAmong(processes, exits);
    const moved = accountNetwork(previous.host, current.host, reading, ownerOf);
    const ledger = this.#ledger ?? openLedger(previous);
    const accounts = account(previous, current, { usage: attributed.usage, network: moved }, ledger);
    this.#ledger = accounts.ledger;
    const durationMs = current.monotonicMs - previous.monotonicMs;
    return {
      atMs: current.wallMs,
      durationMs,
      snapshot: current,
      processes,
      endedChildren: attributed.endedChildren,
      usage: accounts.usage,
      network: reading && {
        usage: moved.usage,
        endpoints: ownedEndpoints(reading.endpoints, ownerOf),
        overheadInBytes: moved.in.overheadBytes,
        overheadOutBytes: moved.out.overheadBytes,
        loopbackBytes: moved.loopbackBytes,
      },
      host: roundUsage(accounts.host),
    };
  }

  /** One failing reading does not cost the sample. */
  #readNetwork({ processes }: Snapshot): NetworkReading | undefined {
    this.#networkProblem = undefined;
    try {
      return this.#sources.network?.read(processes);
    } catch (error) {
      this.#networkProblem = error instanceof Error ? error : new Error(String(error));
      return undefined;
    }
  }
}

/**
 * Who stands for a process: itself where it has a row, else the nearest of those that started it, as far as the kernel
 * told who started whom; else nobody.
 */
function ownersAmong(
  processes: ReadonlyMap<number, ProcessCounters>,
  window: ExitWindow | undefined,
): (pid: number) => number | undefined {
  let parents: Map<number, number> | undefined;
  return (pid) => {
    if (processes.has(pid)) return pid;
    parents ??= parentsOf(window);
    let owner = parents.get(pid);
    for (let steps = 0; owner !== undefined && !processes.has(owner) && steps < MAX_ANCESTORS; steps += 1) {
      owner = parents.get(owner);
    }
    return owner !== undefined && processes.has(owner) ? owner : undefined;
  };
}

/** Of processes that ended; where a pid was used twice, of the last. */
function parentsOf(window: ExitWindow | undefined): Map<number, number> {
  const parents = new Map<number, number>();
  const log = window?.exits;
  for (let row = 0; log !== undefined && row < log.length; row += 1) {
    parents.set(log.pids[row] ?? 0, log.ppids[row] ?? 0);
  }
  return parents;
}

function ownedEndpoints(
  endpoints: readonly EndpointBytes[],
  ownerOf: (pid: number) => number | undefined,
): EndpointBytes[] {
  return endpoints.flatMap((endpoint) => {
    const owner = ownerOf(endpoint.pid);
    if (owner === undefined) return [];
    return owner === endpoint.pid ? [endpoint] : [{ ...endpoint, pid: owner }];
  });
}

/** The very map of the snapshot where nobody ended, which is the common case on a quiet machine. */
function withEnded(
  living: ReadonlyMap<number, ProcessCounters>,
  ended: readonly ProcessCounters[],
): ReadonlyMap<number, ProcessCounters> {
  if (ended.length === 0) return living;
  const all = new Map(living);
  for (const process of ended) all.set(process.pid, process);
  return all;
}
