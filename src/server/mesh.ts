import type { WebSocket } from 'ws';
import type { Steering } from '../protocol/operator.ts';
import type { FleetStore } from '../store/fleet.ts';
import { ConnectionNotes } from './connection-notes.ts';
import type { Deployer } from './deploy/deployer.ts';
import { Duties, type Duty } from './duties.ts';
import type { HostList } from './host-list.ts';
import type { WorkOptions } from './host-work.ts';
import { Lifecycle } from './lifecycle.ts';
import { Operator } from './operator.ts';
import { listByHand } from './own-host.ts';
import { isPassing } from './passing.ts';
import { followList } from './retirement.ts';
import { Rivals } from './rivals.ts';
import type { Releasing } from './rollout/releasing.ts';
import { Rotation } from './rotation.ts';
import { Semaphore } from './semaphore.ts';
import type { Server } from './server.ts';

export interface MeshOptions {
  /** Of this server; `url` is where agents reach it. */
  name: string;
  url: string;
  fleet: FleetStore;
  hosts: HostList;
  server: Server;
  deployer: Deployer;
  provisioner: WorkOptions['provisioner'];
  agentToken: (host: string, generation: number) => string;
  /** The machine that this server runs on, where its agent's token is kept, and whether one is started beside the server. */
  own: { host: string; replaceToken: (token: string) => void; hasAgent: boolean };
  /** Hosts that are worked on at the same time. */
  parallel: number;
  releasing: Releasing;
  /** What one server does for all of them, beside the lifecycle of hosts and of releases. */
  duties: readonly Duty[];
  onTrouble: (error: Error) => void;
}

/** What makes a server one of a mesh: the list of hosts, who is connected where, the duties, releases, and operators' commands. */
export class Mesh {
  readonly #options: MeshOptions;
  readonly #notes: ConnectionNotes;
  readonly #duties: Duties;
  readonly #rivals: Rivals;
  readonly #rotation: Rotation;
  readonly #stopping = new AbortController();

  constructor(options: MeshOptions) {
    this.#options = options;
    const { name, url, fleet, hosts, server, deployer, provisioner, parallel, onTrouble } = options;
    const { registry } = server;
    const places = new Semaphore(parallel);
    hosts.on('trouble', onTrouble);
    registry.follow(hosts);
    followList(hosts, registry);
    this.#notes = new ConnectionNotes({ fleet, hosts, registry, serverName: name, onTrouble });
    this.#rivals = new Rivals({ hosts, registry, notes: this.#notes, serverName: name });
    this.#rotation = new Rotation({ ...options, places });
    const lifecycle = new Lifecycle({ fleet, hosts, deployer, provisioner, places, onTrouble });
    const duties = [...options.duties, lifecycle, options.releasing.duty];
    this.#duties = new Duties({ fleet, server: { name, url }, duties, onTrouble });
    server.on('operator', (socket) => this.#serve(socket));
  }

  /**
   * Reads the list, without which no agent is let in; to be called before the server listens. A store that is not there
   * at the moment is waited for meanwhile. @throws Problem when it never could be read.
   */
  async prepare(): Promise<void> {
    const { hosts, own } = this.#options;
    let isThere = true;
    try {
      await hosts.start();
    } catch (error) {
      if (!isPassing(error)) throw error;
      isThere = false;
    }
    if (!own.hasAgent) return;
    const listed = this.#listOwn();
    if (isThere) await listed;
  }

  /** To be called when the server listens. */
  start(): void {
    this.#duties.start();
    this.#options.releasing.start();
  }

  /** To be called when the server has hung up, and before the store is closed. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#rivals.stop();
    this.#rotation.stop();
    this.#options.releasing.stop();
    await Promise.all([this.#duties.stop(), this.#notes.stop()]);
    this.#options.hosts.stop();
  }

  async #listOwn(): Promise<void> {
    const { own, onTrouble } = this.#options;
    const { signal } = this.#stopping;
    try {
      await listByHand(own.host, this.#options, signal);
    } catch (error) {
      if (!signal.aborted) onTrouble(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #serve(socket: WebSocket): void {
    const { fleet, hosts, agentToken, server, releasing } = this.#options;
    const { metrics, settings } = server;
    const rotation = this.#rotation;
    const steer = (act: Steering): Promise<void> => releasing.steer(act);
    new Operator(socket, { fleet, hosts, rotation, agentToken, steer, metrics, heartbeatMs: settings.heartbeatMs });
  }
}
