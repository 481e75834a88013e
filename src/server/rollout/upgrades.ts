import type { RolloutStore } from '../../store/rollout.ts';
import { BulkLane } from '../bulk-lane.ts';
import type { HostList } from '../host-list.ts';
import type { AgentConnection, Registry } from '../registry.ts';
import type { ReleaseSource } from '../release/release-source.ts';
import { Semaphore } from '../semaphore.ts';
import { HostUpgrade, type HostUpgradeOptions } from './host-upgrade.ts';
import type { ReleaseSettings } from './release-settings.ts';
import type { RolloutList } from './rollout-list.ts';
import { UpgradeNotes } from './upgrade-notes.ts';

/** Agents that receive at the same time. */
const PLACES = 200;
const CHECK_MS = 500;

export interface UpgradesOptions {
  serverName: string;
  registry: Registry;
  hosts: HostList;
  rollouts: RolloutList;
  store: RolloutStore;
  source: ReleaseSource;
  settings: () => ReleaseSettings;
  /** As agents are told. */
  sampleMs: () => number;
  onTrouble: (error: Error) => void;
  places?: number;
}

/** Has every agent that is connected to this server run what its host is to run, and notes how far each is. */
export class Upgrades {
  readonly #options: HostUpgradeOptions & { registry: Registry };
  readonly #notes: UpgradeNotes;
  readonly #upgrades = new Map<string, HostUpgrade>();
  #timer: NodeJS.Timeout | undefined;
  #checkedAt = 0;

  constructor(options: UpgradesOptions) {
    const { registry, hosts, rollouts, store, onTrouble, places = PLACES } = options;
    this.#notes = new UpgradeNotes({ store, refresh: () => hosts.refresh(), onTrouble });
    this.#options = { ...options, notes: this.#notes, places: new Semaphore(places), lane: new BulkLane() };
    registry.on('connected', (host, connection) => this.#onConnected(host, connection));
    registry.on('disconnected', (host) => this.#onDisconnected(host));
    registry.on('beat', (host, beat) => this.#upgrades.get(host)?.beat(beat));
    registry.on('stored', (host, endMs) => this.#upgrades.get(host)?.stored(endMs));
    registry.on('upgrade', (host, message) => {
      const upgrade = this.#upgrades.get(host);
      if (upgrade !== undefined) upgrade.onUpgrade(message);
      else registry.connectionOf(host)?.misbehave(`${message.type} of an agent that says no release`);
    });
    hosts.on('change', (changes) => {
      for (const { host } of changes) this.#upgrades.get(host)?.review();
    });
    rollouts.on('change', () => {
      for (const upgrade of this.#upgrades.values()) upgrade.review();
    });
  }

  /** Agents may have connected before. */
  start(): void {
    this.#checkedAt = performance.now();
    const { registry } = this.#options;
    for (const host of registry.hostNames()) {
      const connection = registry.connectionOf(host);
      if (connection !== undefined) this.#onConnected(host, connection);
    }
    this.#timer = setInterval(() => this.#check(), CHECK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const upgrade of this.#upgrades.values()) upgrade.close();
    this.#upgrades.clear();
    this.#notes.stop();
  }

  #onConnected(host: string, connection: AgentConnection): void {
    // Another connection of the host may have been there still.
    this.#onDisconnected(host);
    const { release } = connection.hello;
    if (release === undefined) return;
    const upgrade = new HostUpgrade(connection, release, this.#options);
    this.#upgrades.set(host, upgrade);
    upgrade.review();
  }

  #onDisconnected(host: string): void {
    this.#upgrades.get(host)?.close();
    this.#upgrades.delete(host);
    const rshost = this.#options.hosts.get(host)?.rshost;
    // It may be another server that notes what comes next.
    if (rshost !== undefined) this.#notes.forget(rshost);
  }

  #check(): void {
    const now = performance.now();
    const wasStopped = now - this.#checkedAt > 2 * CHECK_MS;
    this.#checkedAt = now;
    for (const upgrade of this.#upgrades.values()) upgrade.check(wasStopped);
  }
}
