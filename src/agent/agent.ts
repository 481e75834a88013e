import { EventEmitter } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AlertAccess } from '../alert-channel/access.ts';
import { ListenDump } from '../kernel/listen-dump.ts';
import { readPageSize } from '../procfs/auxv.ts';
import { FilterError } from '../protocol/filter.ts';
import type { Settings, Unreachable, Watch } from '../protocol/message.ts';
import type { ConnectionStatus } from '../protocol/reconnect.ts';
import type { Upgraded } from '../protocol/release.ts';
import { keptDescriptors } from './abilities.ts';
import { beatOf } from './beat.ts';
import { DetailReader } from './details.ts';
import { type Handover, HandoverFile, serversFrom } from './handover.ts';
import { Outbox } from './history/outbox.ts';
import { Recorder } from './history/recorder.ts';
import { Identities } from './identity/identity.ts';
import type { KernelAccess } from './kernel-access.ts';
import { LastResort } from './last-resort.ts';
import { Link } from './link.ts';
import type { ListeningPorts } from './network/sockets.ts';
import { footprintOf, OwnCost } from './own-cost.ts';
import { Pace } from './pace.ts';
import { PssReader } from './pss.ts';
import { type Sample, Sampler } from './sampler.ts';
import { Schedule } from './schedule.ts';
import { SettingsFile } from './settings-file.ts';
import { Scanner } from './snapshot.ts';
import type { Sources } from './sources.ts';
import { openUpgrader } from './upgrade/connect.ts';
import type { Upgrader, UpgraderOptions } from './upgrade/upgrader.ts';
import { Watches } from './watch.ts';

export interface AgentOptions {
  host: string;
  version: string;
  /** Base URLs of servers, `wss://10.0.0.5:9300`. */
  servers: readonly string[];
  token: () => string;
  /** Of the servers' certificate; see `ReconnectOptions`. */
  pin?: () => string | undefined;
  /** Holds the outbox and the last settings. */
  dataDir: string;
  procRoot: string;
  sysRoot: string;
  passwdPath: string;
  kernel: KernelAccess;
  /** Where more can be known than /proc tells. */
  openSources: (ports: ListeningPorts) => Sources;
  /** To tell by itself that no server is left; absent: that is seen in its log alone. */
  alerts?: AlertAccess | undefined;
  /** Takes releases that a server pushes; absent: the agent was started by hand, and is not upgraded. */
  upgrades?: Omit<UpgraderOptions, 'handOver'> | undefined;
}

interface AgentEvents {
  status: [ConnectionStatus, server: string];
  /** No server is left, and one is again; see `Link`. */
  alone: [sinceMs: number, servers: readonly Unreachable[]];
  reachedAgain: [];
  /** Something went wrong that the agent lives with. */
  trouble: [Error];
  /** The host is no longer of the mesh, and why: there is nothing left to do but to stop. */
  retired: [reason: string];
  /** How far it is with a release that a server has pushed. */
  upgraded: [Omit<Upgraded, 'type'>];
  /** It has stopped, and another release is to be started in its place. */
  replaced: [];
}

/** The second snapshot comes this soon after the first, so that a viewer need not wait for a whole period. */
const FIRST_SAMPLE_MS = 400;
/** The first interval of an agent that goes on for another ends after this, so that nobody has to wait for a boundary. */
const FIRST_INTERVAL_MS = 2_000;
const SECOND_MS = 1_000;
/** Timers may fire a millisecond early. */
const TIMER_SLACK_MS = 2;
const HEARTBEAT_MS = 3_000;
/** The kernel holds what ended in between; in a storm that is some MB. */
const EXITS_EVERY_MS = 250;

/** Samples one machine, streams to a server what somebody looks at, and keeps every interval until it is stored. */
export class Agent extends EventEmitter<AgentEvents> {
  readonly #scanner: Scanner;
  readonly #sampler: Sampler;
  readonly #identities: Identities;
  readonly #listenDump: ListenDump | undefined;
  readonly #sources: Sources;
  readonly #pss: PssReader;
  readonly #watches: Watches;
  readonly #recorder: Recorder;
  readonly #outbox: Outbox;
  readonly #link: Link;
  readonly #lastResort: LastResort | undefined;
  readonly #upgrader: Upgrader | undefined;
  readonly #schedule: Schedule;
  readonly #pace = new Pace();
  readonly #settingsFile: SettingsFile;
  readonly #pageBytes: number;
  #settings: Settings | undefined;
  readonly #handoverFile: HandoverFile;
  /** Of the agent before, until it is gone on from. */
  #handover: Handover | Error | undefined;
  #timer: NodeJS.Timeout | undefined;
  #exitPolls: NodeJS.Timeout | undefined;
  #isStopped = false;
  readonly #ownCost = new OwnCost();

  /** @throws when the data folder cannot be used. */
  constructor(options: AgentOptions) {
    super();
    mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
    const { procRoot, sysRoot, passwdPath, kernel } = options;
    this.#pageBytes = readPageSize(procRoot);
    this.#scanner = new Scanner({ procRoot, sysRoot, keptDescriptors: keptDescriptors(procRoot) });
    this.#listenDump = kernel.libc && new ListenDump(kernel.libc);
    this.#identities = new Identities({ procRoot, passwdPath, ownPid: process.pid, dump: this.#listenDump });
    this.#sources = options.openSources(this.#identities.listeners);
    this.#sampler = new Sampler(this.#scanner, this.#sources);
    this.#pss = new PssReader(procRoot);
    const details = new DetailReader(procRoot, this.#pss);
    this.#watches = new Watches(options.host, this.#pageBytes, { identities: this.#identities, details });
    this.#outbox = new Outbox(join(options.dataDir, 'outbox'));
    this.#recorder = new Recorder({
      ...{ procRoot, sysRoot, pageBytes: this.#pageBytes, identities: this.#identities, outbox: this.#outbox },
      onKept: (withinMs) => void this.#link.sendIntervals(withinMs).then(() => kernel.libc?.trim()),
    });
    this.#settingsFile = new SettingsFile(join(options.dataDir, 'settings.json'));
    this.#settings = this.#settingsFile.read();
    this.#schedule = new Schedule(this.#settings?.sampleMs ?? 2_000, () => this.#tick());
    this.#handoverFile = new HandoverFile(join(options.dataDir, 'handover'), procRoot);
    this.#handover = this.#handoverFile.take();
    this.#link = new Link({
      servers: serversFrom(this.#handover, options.servers),
      token: options.token,
      ...(options.pin && { pin: options.pin }),
      heartbeatMs: this.#settings?.heartbeatMs ?? HEARTBEAT_MS,
      outbox: this.#outbox,
      hello: { host: options.host, version: options.version },
      release: () => this.#upgrader?.release,
    });
    const { upgrades } = options;
    this.#upgrader = upgrades && openUpgrader({ ...upgrades, handOver: () => this.handOver() }, this.#link);
    this.#upgrader
      ?.on('upgraded', (upgraded) => this.emit('upgraded', upgraded))
      .on('restart', () => this.emit('replaced'))
      .on('trouble', (error) => this.emit('trouble', error));
    this.#link.on('status', (status, server) => {
      if (status.state !== 'open') this.#watches.clear();
      this.emit('status', status, server);
    });
    const { host, alerts: access } = options;
    this.#lastResort =
      access && new LastResort({ host, access, onTrouble: (error) => void this.emit('trouble', error) });
    this.#link.on('alone', (sinceMs, servers) => {
      this.#lastResort?.alone(sinceMs, servers);
      this.emit('alone', sinceMs, servers);
    });
    this.#link.on('reachedAgain', () => {
      this.#lastResort?.reachedAgain();
      this.emit('reachedAgain');
    });
    this.#link.on('settings', (settings) => this.#onSettings(settings));
    this.#link.on('watch', (watch) => this.#onWatch(watch));
    this.#link.on('unwatch', (id) => this.#watches.unwatch(id));
    this.#link.on('retire', (reason) => this.emit('retired', reason));
  }

  /** @throws when /proc cannot be read. */
  start(): void {
    const handover = this.#handover;
    this.#handover = undefined;
    if (handover instanceof Error) this.emit('trouble', handover);
    if (handover === undefined || handover instanceof Error) this.#begin();
    else this.#goOnFrom(handover);
    this.#link.connect();
    const { exits } = this.#sources;
    if (exits !== undefined) this.#exitPolls = setInterval(() => exits.poll(), EXITS_EVERY_MS);
  }

  #begin(): void {
    this.#sampler.sample();
    this.#timer = setTimeout(() => {
      this.#tick();
      this.#schedule.start();
    }, FIRST_SAMPLE_MS);
  }

  #goOnFrom({ baseline, recorder }: Handover): void {
    const now = Date.now();
    const earlyMs = Math.ceil((now + FIRST_INTERVAL_MS) / SECOND_MS) * SECOND_MS;
    this.#sampler.resume(baseline);
    this.#recorder.resume(recorder, baseline.previous, earlyMs);
    // Two samples that are almost one would tell rates of next to no time.
    if (this.#schedule.nextInMs > FIRST_SAMPLE_MS) this.#tick();
    this.#schedule.start();
    const endFirst = (): void => {
      if (earlyMs % this.#schedule.periodMs !== 0) this.#tick();
    };
    this.#timer = setTimeout(endFirst, earlyMs - now + TIMER_SLACK_MS);
  }

  /**
   * Leaves everything so that the next agent of this data folder goes on without a gap, and stops: takes a last sample on
   * the next whole second and ends the interval with it. Of an agent that was started; it takes some 1.2 s at most, and
   * one more where a file system hangs.
   * @throws Error when the disk does not take it; the agent then goes on as before.
   */
  async handOver(): Promise<void> {
    clearTimeout(this.#timer);
    this.#schedule.stop();
    try {
      await new Promise<void>((resolve) => {
        this.#timer = setTimeout(resolve, SECOND_MS - (Date.now() % SECOND_MS) + TIMER_SLACK_MS);
      });
      this.#tick();
      if (this.#settings !== undefined) this.#recorder.cut(this.#settings);
      await this.#recorder.settled();
      if (this.#outbox.problem !== undefined) throw new Error(this.#outbox.problem);
      const { baseline } = this.#sampler;
      if (baseline === undefined) throw new Error('there is no sample to go on from');
      this.#handoverFile.write({ server: this.#link.server, baseline, recorder: this.#recorder.state });
    } catch (error) {
      this.#schedule.start();
      throw error;
    }
    this.stop();
  }

  /** Stops sampling and hangs up; what waits in the outbox stays there. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#timer);
    clearInterval(this.#exitPolls);
    this.#schedule.stop();
    this.#upgrader?.close();
    this.#link.close();
    this.#lastResort?.reachedAgain();
    this.#scanner.close();
    this.#sources.close();
    this.#listenDump?.close();
  }

  /** Whatever goes wrong in one sample, the next one is taken. */
  #tick(): void {
    this.#tried(() => {
      const sample = this.#sampler.sample();
      if (sample !== undefined) this.#use(sample);
    });
  }

  #tried(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.emit('trouble', error instanceof Error ? error : new Error(String(error)));
    }
  }

  #use(sample: Sample): void {
    this.#identities.update(sample.snapshot);
    for (const answer of this.#watches.evaluate(sample, performance.now())) this.#link.sendLive(answer);
    this.#recorder.add(sample);
    this.#beat(sample);
    if (this.#settings !== undefined) this.#recorder.endPassed(this.#settings);
    this.#pss.takeTurn(sample.snapshot.processes, sample.snapshot.monotonicMs);
  }

  /** Also sets the pace of the samples to come: what this one cost decides when the next may be taken. */
  #beat(sample: Sample): void {
    const cpuMs = this.#ownCost.takeCpuMs();
    if (this.#settings !== undefined)
      this.#schedule.setPeriod(this.#pace.next(this.#settings, !this.#watches.isEmpty, cpuMs));
    const agent = footprintOf(cpuMs, sample.durationMs, this.#schedule.periodMs);
    const parts = { identities: this.#identities, pageBytes: this.#pageBytes, outbox: this.#outbox, agent };
    const { interfaces } = this.#recorder;
    const beat = beatOf(sample, { ...parts, sampler: this.#sampler, sources: this.#sources, interfaces });
    this.#link.sendBeat(beat);
  }

  #onWatch(watch: Watch): void {
    try {
      const answer = this.#watches.watch(watch, performance.now());
      if (this.#settings !== undefined) this.#schedule.setPeriod(this.#settings.sampleMs);
      if (answer !== undefined) this.#link.sendLive(answer);
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      this.emit('trouble', error);
    }
  }

  #onSettings(settings: Settings): void {
    if (settings.intervalMs !== this.#settings?.intervalMs) this.#recorder.restart();
    this.#settings = settings;
    this.#schedule.setPeriod(settings.sampleMs);
    this.#tried(() => this.#settingsFile.write(settings));
  }
}
