import type { FleetStore } from '../store/fleet.ts';
import type { HostChange, HostList } from './host-list.ts';
import { HostNotes } from './host-notes.ts';
import type { AgentConnection, Registry } from './registry.ts';

/** What cannot be written by then when the server ends is left. */
const STOP_MS = 2_000;

interface Note {
  /** Of the agent that is connected; undefined: there is none any more. */
  version: string | undefined;
  /** Hash of the release that it runs; undefined: it says none. */
  release?: string | undefined;
}

export interface ConnectionNotesOptions {
  fleet: FleetStore;
  hosts: HostList;
  registry: Registry;
  serverName: string;
  onTrouble: (error: Error) => void;
}

/** Notes in the store which hosts are connected to this server. */
export class ConnectionNotes {
  readonly #options: ConnectionNotesOptions;
  readonly #notes: HostNotes<Note>;

  constructor(options: ConnectionNotesOptions) {
    this.#options = options;
    const { registry, hosts, onTrouble } = options;
    this.#notes = new HostNotes({ write: (host, note) => this.#write(host, note), onTrouble });
    registry.on('connected', (host, connection) => this.#notes.set(host, noteOf(connection)));
    registry.on('disconnected', (host) => this.#notes.set(host, { version: undefined }));
    hosts.on('change', (changes) => this.#correct(changes));
  }

  /** Notes that every agent is gone, and waits, not for long, until everything is written. */
  stop(): Promise<void> {
    const { registry } = this.#options;
    for (const host of registry.hostNames())
      if (registry.connectionOf(host) !== undefined) this.#notes.set(host, { version: undefined });
    return this.#notes.drain(STOP_MS);
  }

  /** Notes again that it is connected here, as another server has noted that it is connected there. */
  claim(host: string): void {
    const connection = this.#options.registry.connectionOf(host);
    if (connection !== undefined) this.#notes.set(host, noteOf(connection));
  }

  /** A server that was killed could not note that its agents are gone. */
  #correct(changes: readonly HostChange[]): void {
    const { registry, serverName } = this.#options;
    for (const { host, after } of changes) {
      // Of two agents of one host the other one is gone.
      if (after?.server !== serverName && after?.disconnectedMs !== undefined) this.claim(host);
      if (after?.server !== serverName || after.disconnectedMs !== undefined) continue;
      if (registry.connectionOf(host) === undefined && !this.#notes.isWriting(host))
        this.#notes.set(host, { version: undefined });
    }
  }

  async #write(host: string, { version, release }: Note): Promise<void> {
    const { fleet, hosts, serverName } = this.#options;
    const rshost = hosts.get(host)?.rshost;
    // It was taken out of the list meanwhile.
    if (rshost === undefined) return;
    if (version === undefined) await fleet.disconnected(rshost, serverName);
    else await fleet.connected(rshost, serverName, version, release);
  }
}

function noteOf({ hello: { version, release } }: AgentConnection): Note {
  return { version, release: release?.hash };
}
