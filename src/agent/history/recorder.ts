import type { Settings } from '../../protocol/message.ts';
import type { NetworkInterface } from '../../protocol/row.ts';
import type { Identities } from '../identity/identity.ts';
import { Endpoints } from '../network/endpoints.ts';
import { Interfaces } from '../network/interfaces.ts';
import type { Sample } from '../sampler.ts';
import type { Snapshot } from '../snapshot.ts';
import { Disks } from './disks.ts';
import { type EndsState, IntervalEnds } from './ends.ts';
import { IntervalBuilder, type Seam } from './interval.ts';
import type { Outbox } from './outbox.ts';

export interface RecorderOptions {
  procRoot: string;
  sysRoot: string;
  pageBytes: number;
  identities: Identities;
  outbox: Outbox;
  /** One more interval waits in the outbox, to be sent at some moment of the next `withinMs`. */
  onKept: (withinMs: number) => void;
}

/**
 * All hosts end their intervals at the same moment, and 2,000 that arrive together hold a server's event loop up for half
 * a second: each is sent at a moment of its own in this share of the time until the next.
 */
const SPREAD = 0.1;

/** Where intervals stand between two of them. */
export interface RecorderState {
  seam: Seam;
  ends: EndsState;
}

/** Makes intervals of samples and puts them into the outbox. */
export class Recorder {
  readonly #identities: Identities;
  readonly #disks: Disks;
  readonly #interfaces: Interfaces;
  readonly #endpoints = new Endpoints();
  readonly #builder: IntervalBuilder;
  readonly #ends = new IntervalEnds();
  readonly #outbox: Outbox;
  readonly #onKept: (withinMs: number) => void;
  #sampledAtMs = 0;
  #kept: Promise<unknown> = Promise.resolve();

  constructor(options: RecorderOptions) {
    this.#identities = options.identities;
    this.#disks = new Disks(options.procRoot);
    this.#interfaces = new Interfaces(options.sysRoot);
    this.#builder = new IntervalBuilder(options.identities, options.pageBytes);
    this.#outbox = options.outbox;
    this.#onKept = options.onKept;
  }

  /** Of the last window, by name. */
  get interfaces(): readonly NetworkInterface[] {
    return this.#interfaces.latest;
  }

  get state(): RecorderState {
    return { seam: this.#builder.seam, ends: this.#ends.state };
  }

  /**
   * Goes on from where another recorder stood between two intervals, and from the snapshot it had last. The first
   * interval ends at the whole second `earlyMs`, epoch ms, if no boundary comes before.
   */
  resume({ seam, ends }: RecorderState, previous: Snapshot, earlyMs: number): void {
    this.#builder.seam = seam;
    this.#ends.resume(ends, earlyMs);
    this.#disks.add(previous);
    this.#interfaces.add(previous);
  }

  /** Intervals have another length from now on. */
  restart(): void {
    this.#ends.restart();
  }

  add(sample: Sample): void {
    this.#sampledAtMs = sample.atMs;
    this.#interfaces.add(sample.snapshot);
    this.#disks.add(sample.snapshot);
    this.#endpoints.add(sample.network?.endpoints ?? [], sample.durationMs, this.#namesOf(sample));
    this.#builder.add(sample);
  }

  /** Ends the interval if the sample that was added last is its last one. */
  endPassed(settings: Settings): void {
    const endMs = this.#ends.passed(this.#sampledAtMs, settings.intervalMs);
    if (endMs !== undefined) this.#end(endMs, settings);
  }

  /** Ends the interval, unless it is empty, with the sample that was added last. */
  cut(settings: Settings): void {
    if (this.#builder.isEmpty) return;
    this.#end(this.#ends.cut(this.#sampledAtMs, settings.intervalMs), settings);
  }

  /** Resolves when every interval that has ended is in the outbox, and on the disk if that takes it. */
  async settled(): Promise<void> {
    await this.#kept;
  }

  #end(endMs: number, settings: Settings): void {
    this.#kept = Promise.all([this.#kept, this.#keep(endMs, settings)]);
  }

  async #keep(endMs: number, settings: Settings): Promise<void> {
    const disks = this.#disks.close(settings.mounts);
    const interval = this.#builder.close(endMs, settings.rules);
    interval.interfaces = this.#interfaces.close();
    interval.endpoints = this.#endpoints.close(settings.rules);
    interval.disks = await disks;
    await this.#outbox.append(interval);
    this.#onKept(endMs % settings.intervalMs === 0 ? SPREAD * settings.intervalMs : 0);
  }

  /** Each process is named once, however many endpoints it has. */
  #namesOf({ processes }: Sample): (pid: number) => string | undefined {
    const names = new Map<number, string | undefined>();
    return (pid) => {
      if (names.has(pid)) return names.get(pid);
      const process = processes.get(pid);
      const name = process && this.#identities.instanceOf(process);
      names.set(pid, name);
      return name;
    };
  }
}
