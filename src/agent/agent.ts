import { EventEmitter } from 'node:events';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parsePageSize } from '../procfs/auxv.ts';
import { KernelText, readWhole } from '../procfs/kernel-file.ts';
import { parseMaxOpenFiles } from '../procfs/limits.ts';
import { FilterError } from '../protocol/filter.ts';
import { type Settings, settingsSchema, type Watch } from '../protocol/message.ts';
import type { ConnectionStatus } from '../protocol/reconnect.ts';
import type { Footprint } from '../protocol/row.ts';
import { culprits } from './culprits.ts';
import { Disks } from './disks.ts';
import { Identities } from './identity.ts';
import { IntervalBuilder } from './interval.ts';
import { Link } from './link.ts';
import { Outbox } from './outbox.ts';
import { type Sample, Sampler } from './sampler.ts';
import { Schedule } from './schedule.ts';
import { Scanner } from './snapshot.ts';
import { Watches } from './watch.ts';

export interface AgentOptions {
  host: string;
  version: string;
  /** Base URLs of servers, `ws://127.0.0.1:9300`. */
  servers: readonly string[];
  token: () => string;
  /** Holds the outbox and the last settings. */
  dataDir: string;
  procRoot: string;
  sysRoot: string;
  passwdPath: string;
}

interface AgentEvents {
  status: [ConnectionStatus];
  /** Something went wrong that the agent lives with. */
  trouble: [Error];
}

/** The second snapshot comes this soon after the first, so that a viewer need not wait for a whole period. */
const FIRST_SAMPLE_MS = 400;
const MAX_KEPT_DESCRIPTORS = 8_192;
/** Left free for sockets, the outbox and everything else. */
const SPARE_DESCRIPTORS = 256;
const HEARTBEAT_MS = 3_000;

/** Samples one machine, streams to a server what somebody looks at, and keeps every interval until it is stored. */
export class Agent extends EventEmitter<AgentEvents> {
  readonly #options: AgentOptions;
  readonly #scanner: Scanner;
  readonly #sampler: Sampler;
  readonly #identities: Identities;
  readonly #disks: Disks;
  readonly #watches: Watches;
  readonly #builder: IntervalBuilder;
  readonly #outbox: Outbox;
  readonly #link: Link;
  readonly #schedule: Schedule;
  readonly #pageBytes: number;
  #settings: Settings | undefined;
  #firstSample: NodeJS.Timeout | undefined;
  #lastBoundaryMs = 0;
  #clockSetBacks = 0;
  #footprint = process.cpuUsage();

  /** @throws when the data folder cannot be used. */
  constructor(options: AgentOptions) {
    super();
    this.#options = options;
    mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
    const { procRoot, sysRoot, passwdPath } = options;
    this.#pageBytes = pageSize(procRoot);
    this.#scanner = new Scanner({ procRoot, sysRoot, keptDescriptors: spareDescriptors(procRoot) });
    this.#sampler = new Sampler(this.#scanner);
    this.#identities = new Identities({ procRoot, passwdPath, ownPid: process.pid });
    this.#disks = new Disks(procRoot);
    this.#watches = new Watches(options.host, this.#pageBytes, this.#identities);
    this.#builder = new IntervalBuilder(this.#identities, this.#pageBytes);
    this.#outbox = new Outbox(join(options.dataDir, 'outbox'));
    this.#settings = this.#readSettings();
    this.#schedule = new Schedule(this.#settings?.sampleMs ?? 2_000, () => this.#tick());
    this.#link = new Link({
      servers: options.servers,
      token: options.token,
      heartbeatMs: this.#settings?.heartbeatMs ?? HEARTBEAT_MS,
      outbox: this.#outbox,
      hello: { host: options.host, version: options.version },
    });
    this.#link.on('status', (status) => {
      if (status.state !== 'open') this.#watches.clear();
      this.emit('status', status);
    });
    this.#link.on('settings', (settings) => this.#onSettings(settings));
    this.#link.on('watch', (watch) => this.#onWatch(watch));
    this.#link.on('unwatch', (id) => this.#watches.unwatch(id));
  }

  /** @throws when /proc cannot be read. */
  start(): void {
    this.#sampler.sample();
    this.#link.connect();
    this.#firstSample = setTimeout(() => {
      this.#tick();
      this.#schedule.start();
    }, FIRST_SAMPLE_MS);
  }

  /** Stops sampling and hangs up; what waits in the outbox stays there. */
  stop(): void {
    clearTimeout(this.#firstSample);
    this.#schedule.stop();
    this.#link.close();
    this.#scanner.close();
  }

  /** Whatever goes wrong in one sample, the next one is taken. */
  #tick(): void {
    try {
      const sample = this.#sampler.sample();
      if (sample !== undefined) this.#use(sample);
    } catch (error) {
      this.emit('trouble', error instanceof Error ? error : new Error(String(error)));
    }
  }

  #use(sample: Sample): void {
    this.#identities.update(sample.snapshot);
    for (const answer of this.#watches.evaluate(sample, performance.now())) this.#link.sendLive(answer);
    this.#beat(sample);
    this.#disks.add(sample.snapshot);
    this.#builder.add(sample);
    this.#closeInterval(sample.atMs);
  }

  #beat(sample: Sample): void {
    const { atMs, host: usage } = sample;
    const message = this.#limitation(sample);
    const agent = this.#measureSelf(sample.durationMs);
    const found = culprits(sample, this.#identities, this.#pageBytes);
    this.#link.sendLive({
      type: 'beat',
      atMs,
      usage,
      culprits: found,
      agent,
      ...(message !== undefined && { message }),
    });
  }

  #limitation({ snapshot }: Sample): string | undefined {
    const { ioHidden, processes } = snapshot;
    const mend = process.getuid?.() === 0 ? 'by the kernel' : 'from this user: run the agent as root';
    const hidden =
      ioHidden > 0 ? `disk use of ${ioHidden} of ${processes.size} processes is hidden ${mend}` : undefined;
    const dropped = this.#outbox.dropped > 0 ? `${this.#outbox.dropped} intervals were dropped` : undefined;
    const parts = [this.#outbox.problem, dropped, hidden].filter((part) => part !== undefined);
    return parts.length === 0 ? undefined : parts.join('; ').slice(0, 500);
  }

  #measureSelf(durationMs: number): Footprint {
    const { user, system } = process.cpuUsage(this.#footprint);
    this.#footprint = process.cpuUsage();
    return {
      cpuPercent: Math.round(((user + system) / 10 / durationMs) * 1000) / 1000,
      rssBytes: process.memoryUsage.rss(),
    };
  }

  /** Ends the interval when the wall clock has passed a whole multiple of its length. */
  #closeInterval(atMs: number): void {
    const settings = this.#settings;
    if (settings === undefined) return;
    const boundaryMs = Math.floor(atMs / settings.intervalMs) * settings.intervalMs;
    if (boundaryMs === this.#lastBoundaryMs) return;
    // A clock that was set back meets the same boundaries again: a millisecond keeps their intervals apart.
    if (boundaryMs < this.#lastBoundaryMs) this.#clockSetBacks += 1;
    const isFirst = this.#lastBoundaryMs === 0;
    this.#lastBoundaryMs = boundaryMs;
    if (isFirst) return;
    void this.#keep(boundaryMs + this.#clockSetBacks, settings);
  }

  async #keep(endMs: number, settings: Settings): Promise<void> {
    const disks = this.#disks.close(settings.mounts);
    const interval = this.#builder.close(endMs, settings.rules);
    interval.disks = await disks;
    await this.#outbox.append(interval);
    await this.#link.sendIntervals();
  }

  #onWatch(watch: Watch): void {
    try {
      const answer = this.#watches.watch(watch, performance.now());
      if (answer !== undefined) this.#link.sendLive(answer);
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      this.emit('trouble', error);
    }
  }

  #onSettings(settings: Settings): void {
    if (settings.intervalMs !== this.#settings?.intervalMs) this.#lastBoundaryMs = 0;
    this.#settings = settings;
    this.#schedule.setPeriod(settings.sampleMs);
    try {
      const path = this.#settingsPath;
      writeFileSync(`${path}.partial`, JSON.stringify(settings), { mode: 0o600 });
      renameSync(`${path}.partial`, path);
    } catch (error) {
      this.emit('trouble', error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** The settings of the last connection, so that an agent that starts before its server keeps measuring as told. */
  #readSettings(): Settings | undefined {
    try {
      return settingsSchema.parse(JSON.parse(readFileSync(this.#settingsPath, 'utf8')));
    } catch {
      return undefined;
    }
  }

  get #settingsPath(): string {
    return join(this.#options.dataDir, 'settings.json');
  }
}

function spareDescriptors(procRoot: string): number {
  const text = new KernelText();
  const limit =
    readWhole(`${procRoot}/self/limits`, text) === undefined ? parseMaxOpenFiles(text.toString()) : undefined;
  return Math.min(MAX_KEPT_DESCRIPTORS, (limit ?? 0) - SPARE_DESCRIPTORS);
}

function pageSize(procRoot: string): number {
  const text = new KernelText();
  return readWhole(`${procRoot}/self/auxv`, text) === undefined
    ? parsePageSize(text.bytes.subarray(0, text.length))
    : 4096;
}
