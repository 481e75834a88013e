import type { TestContext } from 'node:test';
import type { Hello, ServerToAgent } from '../../../src/protocol/message.ts';
import type { Manifest, RunningRelease } from '../../../src/protocol/release.ts';
import { ConnectionNotes } from '../../../src/server/connection-notes.ts';
import { HostList } from '../../../src/server/host-list.ts';
import { type AgentConnection, Registry } from '../../../src/server/registry.ts';
import { Rollouts } from '../../../src/server/rollout/duty.ts';
import type { ReleaseSettings } from '../../../src/server/rollout/release-settings.ts';
import { RolloutList } from '../../../src/server/rollout/rollout-list.ts';
import { Upgrades } from '../../../src/server/rollout/upgrades.ts';
import type { FleetHost } from '../../../src/store/fleet.ts';
import type { Rollout } from '../../../src/store/rollout.ts';
import { usage } from '../../store/sample.ts';
import { FakeFleet } from '../../support/fake-fleet.ts';
import { FakeReleases } from '../../support/fake-releases.ts';
import { FakeRollouts } from '../../support/fake-rollouts.ts';
import { RELEASE_SETTINGS } from '../../support/release-settings.ts';

const NOW = Date.UTC(2026, 10, 26, 3, 12);
const STEP_MS = 500;
/** From its last word with one release to its first with the next. */
const RESTART_MS = 500;

/** How an agent fares with a release. */
export interface Conduct {
  /** It cannot take it, or its self-test fails. */
  refuses?: string;
  /** It asks for one piece and then no more. */
  stalls?: boolean;
  /** The agent of that release never says a word: the launcher takes it back after so long. */
  isBackAfterMs?: number;
  /** It does not say then that it failed. */
  isMute?: boolean;
  /** The machine is not heard of again. */
  isLost?: boolean;
  isSilent?: boolean;
  storesNothing?: boolean;
  cpuPercent?: number;
  rssBytes?: number;
}

/** A server of the mesh, all of it that has to do with releases. */
export class SimulatedServer {
  readonly name: string;
  readonly registry: Registry;
  readonly hosts: HostList;
  readonly rollouts: RolloutList;
  readonly upgrades: Upgrades;
  readonly duty: Rollouts;
  readonly notes: ConnectionNotes;
  readonly releases: FakeReleases;

  constructor(name: string, world: World, releases: FakeReleases) {
    const { fleet, store } = world;
    this.name = name;
    this.releases = releases;
    this.registry = new Registry({ serverName: name, sampleMs: 2_000 });
    this.hosts = new HostList(fleet);
    this.rollouts = new RolloutList(store);
    const { registry, hosts, rollouts } = this;
    const onTrouble = ({ message }: Error): void => void world.troubles.push(message);
    const settings = (): ReleaseSettings => world.settings;
    const options = { serverName: name, registry, hosts, rollouts, store, source: releases, settings, onTrouble };
    this.notes = new ConnectionNotes({ fleet, hosts, registry, serverName: name, onTrouble });
    this.upgrades = new Upgrades({ ...options, sampleMs: () => 2_000, places: world.places });
    this.duty = new Rollouts(options);
  }

  async start(): Promise<void> {
    await this.hosts.start();
    this.rollouts.start();
    this.upgrades.start();
  }

  async stop(): Promise<void> {
    this.hosts.stop();
    this.rollouts.stop();
    this.upgrades.stop();
    this.registry.close();
  }
}

/** A host's agent, which keeps the rules of the wire. */
export class SimulatedAgent {
  readonly host: string;
  readonly #world: World;
  release: RunningRelease | undefined;
  /** That it goes back to. */
  #before: RunningRelease | undefined;
  server: SimulatedServer;
  connection: AgentConnection | undefined;
  /** Everything that came, by type. */
  readonly heard: string[] = [];
  /** Of each start of a release: its hash. */
  readonly starts: string[] = [];
  #helloMs = 0;
  #received: { manifest: Manifest; pending: { sha256: string; bytes: number }[]; offset: number } | undefined;

  constructor(host: string, world: World, server: SimulatedServer, release: RunningRelease | undefined) {
    this.host = host;
    this.#world = world;
    this.server = server;
    this.release = release;
  }

  connect(server = this.server): void {
    this.server = server;
    const { host, release } = this;
    const outbox = { waiting: 0, dropped: 0 };
    const hello: Hello = { type: 'hello', host, version: '1', outbox, ...(release !== undefined && { release }) };
    const end = (): void => this.disconnect();
    const connection: AgentConnection = {
      ...{ hello, address: '10.0.0.1', unreadBytes: 0, replace: end, retire: end, expire: end },
      misbehave: (reason) => {
        this.heard.push(`misbehave ${reason}`);
        end();
      },
      send: (message) => setImmediate(() => connection === this.connection && this.#onMessage(message)),
    };
    this.connection = connection;
    this.#helloMs = Date.now();
    this.#received = undefined;
    server.registry.connect(connection);
  }

  disconnect(): void {
    const { connection } = this;
    this.connection = undefined;
    if (connection !== undefined) this.server.registry.disconnect(connection, 'closed');
  }

  /** What it does as time passes; called every 500 ms. */
  pass(): void {
    const { connection } = this;
    if (connection === undefined) return;
    const { registry } = this.server;
    const { isSilent, storesNothing, cpuPercent = 2, rssBytes = 60e6 } = this.#conduct(this.release);
    const sinceMs = Date.now() - this.#helloMs;
    if (sinceMs % 2_000 === 0 && !isSilent)
      registry.beat(connection, {
        ...{ type: 'beat', atMs: Date.now(), usage: usage(), culprits: {}, agent: { cpuPercent, rssBytes } },
      });
    if (sinceMs === 2_000 && !isSilent && !storesNothing) registry.stored(connection, Date.now());
  }

  #conduct(release: RunningRelease | undefined): Conduct {
    return this.#world.conduct(this.host, release?.hash ?? '');
  }

  #onMessage(message: ServerToAgent): void {
    const { type } = message;
    this.heard.push(type);
    if (type === 'upgrade') this.#onOffer(JSON.parse(message.manifest));
    else if (type === 'chunk') this.#onChunk(message.offset, message.data);
    else if (type === 'confirm' && this.release?.isOnTrial) {
      this.release = { ...this.release, isOnTrial: false };
      this.#tell('confirmed');
    } else if (type === 'revert') {
      this.#received = undefined;
      if (this.release?.isOnTrial) this.#goBack(message.reason, RESTART_MS);
    }
  }

  #onOffer(manifest: Manifest): void {
    const { files, runtime, hash } = manifest;
    this.#received = { manifest, pending: runtime === undefined ? files : [...files, runtime], offset: 0 };
    this.#tell('receiving');
    const { refuses, stalls } = this.#world.conduct(this.host, hash);
    if (refuses !== undefined) this.#tell('failed', refuses);
    else {
      this.#wantNext();
      if (stalls) this.#received.pending = [];
    }
  }

  #onChunk(offset: number, data: string | undefined): void {
    const received = this.#received;
    const [file] = received?.pending ?? [];
    if (received === undefined || file === undefined || offset !== received.offset) return;
    if (data === undefined) throw new Error('it got nothing');
    received.offset += Buffer.from(data, 'base64').length;
    if (received.offset >= file.bytes) {
      received.pending.shift();
      received.offset = 0;
    }
    if (received.pending.length > 0) this.#wantNext();
    else this.#begin(received.manifest);
  }

  #wantNext(): void {
    const { pending: [file] = [], offset = 0 } = this.#received ?? {};
    if (file !== undefined && this.connection !== undefined)
      this.server.registry.upgrade(this.connection, { type: 'want', sha256: file.sha256, offset });
  }

  #begin({ hash, serial, architecture }: Manifest): void {
    this.#tell('testing');
    this.#tell('starting');
    this.#before = this.release;
    this.release = { hash, serial, architecture, isOnTrial: true };
    this.disconnect();
    const { isBackAfterMs, isLost } = this.#conduct(this.release);
    if (isLost) return;
    if (isBackAfterMs === undefined) this.#startAfter(RESTART_MS);
    else this.#goBack('it crashed', isBackAfterMs);
  }

  #goBack(reason: string, afterMs: number): void {
    const { serial } = this.release as RunningRelease;
    const { isMute } = this.#conduct(this.release);
    this.release = { ...(this.#before as RunningRelease), ...(!isMute && { failed: { serial, reason } }) };
    this.disconnect();
    this.#startAfter(afterMs);
  }

  #startAfter(ms: number): void {
    this.#world.later(ms, () => {
      this.starts.push(this.release?.hash ?? '');
      this.connect();
    });
  }

  #tell(state: 'receiving' | 'testing' | 'starting' | 'confirmed' | 'failed', reason?: string): void {
    const serial = this.#received?.manifest.serial ?? this.release?.serial ?? 0;
    const message = { type: 'upgraded', serial, state, ...(reason !== undefined && { reason }) } as const;
    if (this.connection !== undefined) this.server.registry.upgrade(this.connection, message);
  }
}

/** A mesh whose hosts are simulated and whose time is a test's: what travels takes no time, and no sockets. */
export class World {
  readonly fleet = new FakeFleet();
  readonly store = new FakeRollouts(this.fleet);
  readonly servers: SimulatedServer[] = [];
  readonly agents = new Map<string, SimulatedAgent>();
  readonly troubles: string[] = [];
  settings: ReleaseSettings = RELEASE_SETTINGS;
  places = 200;
  /** How the agent of a host fares with a release. */
  conduct: (host: string, hash: string) => Conduct = () => ({});
  /** Servers that are heard of no more. */
  readonly dead = new Set<string>();
  #later: { at: number; work: () => void }[] = [];
  readonly #tick: (ms: number) => void;

  constructor(tick: (ms: number) => void) {
    this.#tick = tick;
  }

  later(ms: number, work: () => void): void {
    this.#later.push({ at: Date.now() + ms, work });
  }

  async server(name = 'srv-1', releases = new FakeReleases('1.3')): Promise<SimulatedServer> {
    const server = new SimulatedServer(name, this, releases);
    this.servers.push(server);
    await this.fleet.beat({ name, url: `wss://${name}:9300` });
    await server.start();
    return server;
  }

  /** Hosts that run a release already, connected. */
  async add(count: number, hash: string, server = this.servers[0] as SimulatedServer, from = 0): Promise<void> {
    for (let index = from; index < from + count; index += 1) {
      const host = `db-${index}`;
      this.fleet.rows.push({ rshost: host, istate: 2, isDeployed: true });
      this.agents.set(host, new SimulatedAgent(host, this, server, { hash, serial: 1, architecture: 'x64' }));
    }
    for (const { hosts } of this.servers) await hosts.refresh();
    for (let index = from; index < from + count; index += 1) this.agent(`db-${index}`).connect(server);
    await this.settle();
    for (const { hosts } of this.servers) await hosts.refresh();
  }

  agent(host: string): SimulatedAgent {
    const agent = this.agents.get(host);
    if (agent === undefined) throw new RangeError(`no agent ${host}`);
    return agent;
  }

  row(host: string): FleetHost {
    const row = this.fleet.rows.find(({ rshost }) => rshost === host);
    if (row === undefined) throw new RangeError(`no row ${host}`);
    return row;
  }

  get newest(): Rollout {
    return this.store.acts.at(-1) as Rollout;
  }

  /** How many hosts run this, by what they say. */
  running(hash: string): number {
    return [...this.agents.values()].filter(({ release, connection }) => connection && release?.hash === hash).length;
  }

  /** Lets time pass in steps. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.#tick(STEP_MS);
      const due = this.#later.filter(({ at }) => at <= Date.now());
      this.#later = this.#later.filter(({ at }) => at > Date.now());
      for (const { work } of due) work();
      for (const { name } of this.servers)
        if (!this.dead.has(name)) await this.fleet.beat({ name, url: `wss://${name}:9300` });
      for (const agent of this.agents.values()) agent.pass();
      await this.settle();
    }
  }

  /** Lets time pass until something is so. */
  async until(isSo: () => boolean, forMs = 120_000): Promise<void> {
    for (let left = forMs; !isSo(); left -= STEP_MS) {
      if (left <= 0) throw new Error(`not so after ${forMs / 1000} s: ${JSON.stringify(this.newest)}`);
      await this.pass(STEP_MS);
    }
  }

  /** Until nobody has anything more to say. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 40; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** @returns a world that ends with the test. */
export function openWorld(t: TestContext): World {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: NOW });
  t.mock.method(performance, 'now', () => Date.now() - NOW + 1_000_000);
  const world = new World((ms) => t.mock.timers.tick(ms));
  t.after(async () => {
    for (const server of world.servers) await Promise.all([server.stop(), server.duty.stop()]);
  });
  return world;
}

/** A fleet of one server that runs 1.2, to which 1.3 was just released. */
export async function released(t: TestContext, count: number): Promise<{ world: World; before: string; hash: string }> {
  const world = openWorld(t);
  const releases = new FakeReleases('1.3', { runtime: Buffer.alloc(1_000, 'node') });
  const before = releases.add('1.2');
  const hash = releases.own.hash;
  const server = await world.server('srv-1', releases);
  await world.store.release({ version: '1.2', hash: before, state: 'done', wave: 1 }, 0);
  await world.add(count, before);
  server.duty.start();
  await world.pass(3_000);
  await world.store.release({ version: '1.3', hash, state: 'running', wave: 0 }, 1);
  return { world, before, hash };
}
