import { EventEmitter } from 'node:events';
import pRetry from 'p-retry';
import type { WebSocket } from 'ws';
import { CLOSE } from '../protocol/codec.ts';
import type { Settings } from '../protocol/message.ts';
import type { Alert } from '../store/fleet.ts';
import type { Store } from '../store/store.ts';
import { Alerts, type AlertsOptions } from './alert/alerts.ts';
import type { HostList, Secrets } from './auth.ts';
import type { Certificate } from './certificate.ts';
import { History } from './history.ts';
import { Ingest } from './ingest.ts';
import { Listener } from './listener.ts';
import { LiveQueries } from './live.ts';
import type { RolloutStanding } from './live-release.ts';
import { ServerMetrics } from './metrics.ts';
import { isPassing } from './passing.ts';
import { type RefusalReason, Refusals } from './refusals.ts';
import { Registry } from './registry.ts';
import { AgentSession } from './session.ts';
import { Viewer } from './viewer.ts';

const RECALL_EVERY_MS = 5_000;

export interface ServerOptions {
  /** How agents and viewers name this server. */
  name: string;
  version: string;
  listen: { host: string; port: number };
  settings: Settings;
  /** Undefined: nothing is encrypted. */
  certificate: Certificate | undefined;
  secrets: Secrets;
  hostList: HostList;
  /** Absent: viewers are told of no rollout. */
  rollouts?: RolloutStanding;
  store: Store;
  /** Absent: nothing is alerted. */
  alerts?: Pick<AlertsOptions, 'fleet' | 'list' | 'channels' | 'saturation' | 'rollouts'>;
}

interface ServerEvents {
  /** Something went wrong that the server lives with. */
  trouble: [Error];
  /** Somebody was turned away; the first of several, or a sum of those that followed. */
  refused: [address: string, message: string];
  /** An operator has connected. */
  operator: [WebSocket];
  connected: [host: string];
  disconnected: [host: string];
  /** Something went wrong on a host, or has come right. */
  alert: [Alert];
}

/** The middle of the mesh: agents on one side, viewers on the other, the store below. */
export class Server extends EventEmitter<ServerEvents> {
  readonly metrics = new ServerMetrics();
  readonly registry: Registry;
  /** Its duty is to be done by one server of all. */
  readonly alerts: Alerts | undefined;
  readonly #options: ServerOptions;
  #settings: Settings;
  readonly #ingest: Ingest;
  readonly #refusals: Refusals;
  readonly #listener: Listener;
  readonly #stopping = new AbortController();

  constructor(options: ServerOptions) {
    super();
    this.#options = options;
    this.#settings = options.settings;
    const { name, settings, store, listen, certificate, secrets, hostList, version } = options;
    const metrics = this.metrics;
    const onTrouble = (error: Error): void => void this.emit('trouble', error);
    const registry = new Registry({ serverName: name, sampleMs: settings.sampleMs });
    this.registry = registry;
    registry.on('connected', (host) => this.emit('connected', host));
    registry.on('disconnected', (host) => this.emit('disconnected', host));
    const ingest = new Ingest({ store, metrics, onTrouble });
    this.#ingest = ingest;
    const alerts = options.alerts && new Alerts({ ...options.alerts, serverName: name, registry, ingest, onTrouble });
    this.alerts = alerts;
    alerts?.on('told', (alert) => this.emit('alert', alert));
    const live = new LiveQueries(registry, options.rollouts);
    const history = new History(store, registry);
    const refusals = new Refusals({
      counter: metrics.refused,
      onRefused: (address, message) => this.emit('refused', address, message),
    });
    this.#refusals = refusals;
    this.#listener = new Listener({
      ...listen,
      certificate,
      secrets,
      hostList,
      metrics,
      refusals,
      health: () => ({ status: 'ok', name, version, hosts: registry.hostNames().length }),
      onSocket: ({ role, host }, socket, address) => {
        const refuse = (reason: RefusalReason, message: string): void => refusals.refuse(address, reason, message);
        const settings = (): Settings => this.#settings;
        if (host !== undefined)
          new AgentSession(socket, { host, address, registry, ingest, metrics, serverName: name, settings, refuse });
        else if (role === 'viewer')
          new Viewer(socket, { live, history, metrics, alerts, heartbeatMs: settings().heartbeatMs, refuse });
        else if (!this.emit('operator', socket)) socket.close(CLOSE.unexpected, 'this server takes no commands');
      },
    });
  }

  /**
   * A store that is not there at the moment is waited for while agents and viewers are served.
   * @returns the port it listens on. @throws Problem when it cannot listen or never could read the store.
   */
  async start(): Promise<number> {
    try {
      await this.#recallHosts();
    } catch (error) {
      if (!isPassing(error)) throw error;
      this.emit('trouble', error);
      void this.#recallHostsLater();
    }
    const port = await this.#listener.open();
    this.alerts?.start();
    return port;
  }

  /** What agents work by now. */
  get settings(): Settings {
    return this.#settings;
  }

  /** Tells every agent, and those that come, to work by these. */
  changeSettings(settings: Settings): void {
    this.#settings = settings;
    this.registry.setSamplePeriod(settings.sampleMs);
    for (const host of this.registry.hostNames())
      this.registry.connectionOf(host)?.send({ type: 'settings', settings });
  }

  /** Shows another certificate to who connects from now on. */
  changeCertificate(certificate: Certificate): void {
    this.#listener.changeCertificate(certificate);
  }

  /** Hangs up; intervals that are not stored come again from their agents. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.alerts?.stop();
    this.#ingest.close();
    this.registry.close();
    await this.#listener.close();
    this.#refusals.close();
  }

  /** Hosts that history knows and that have not connected yet. */
  async #recallHosts(): Promise<void> {
    for (const { host, lastIntervalEndMs } of await this.#options.store.knownHosts())
      this.registry.remember(host, lastIntervalEndMs);
  }

  async #recallHostsLater(): Promise<void> {
    try {
      const { signal } = this.#stopping;
      const [minTimeout, factor, retries] = [RECALL_EVERY_MS, 1, Number.POSITIVE_INFINITY];
      await pRetry(() => this.#recallHosts(), { minTimeout, factor, retries, signal });
    } catch (error) {
      if (!this.#stopping.signal.aborted)
        this.emit('trouble', error instanceof Error ? error : new Error(String(error)));
    }
  }
}
