import type { FleetStore } from '../store/fleet.ts';
import type { HostChange, HostList } from './host-list.ts';
import type { AgentConnection, Registry } from './registry.ts';

/** Notes that are written at the same time: the store gathers them, and its queue must not be filled by a fleet that comes back at once. */
const PARALLEL = 1_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;
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

/**
 * Notes in the store which hosts are connected to this server. Of each host only the newest state is written, and while
 * the store is away it waits.
 */
export class ConnectionNotes {
  readonly #options: ConnectionNotesOptions;
  /** Not written yet, at most one of each host. */
  readonly #pending = new Map<string, Note>();
  /** Hosts whose note is being written: the next one comes after it. */
  readonly #writing = new Set<string>();
  #delayMs = FIRST_RETRY_MS;
  #retry: NodeJS.Timeout | undefined;
  #isStopped = false;
  #onIdle: (() => void) | undefined;

  constructor(options: ConnectionNotesOptions) {
    this.#options = options;
    const { registry, hosts } = options;
    registry.on('connected', (host, connection) => this.#add(host, noteOf(connection)));
    registry.on('disconnected', (host) => this.#add(host, { version: undefined }));
    hosts.on('change', (changes) => this.#correct(changes));
  }

  /** Notes that every agent is gone, and waits, not for long, until everything is written. */
  async stop(): Promise<void> {
    const { registry } = this.#options;
    for (const host of registry.hostNames())
      if (registry.connectionOf(host) !== undefined) this.#add(host, { version: undefined });
    this.#isStopped = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, STOP_MS);
    this.#onIdle = resolve;
    this.#writeNext();
    await promise;
    clearTimeout(timer);
    clearTimeout(this.#retry);
    this.#pending.clear();
  }

  /** Notes again that it is connected here, as another server has noted that it is connected there. */
  claim(host: string): void {
    const connection = this.#options.registry.connectionOf(host);
    if (connection !== undefined) this.#add(host, noteOf(connection));
  }

  /** A server that was killed could not note that its agents are gone. */
  #correct(changes: readonly HostChange[]): void {
    const { registry, serverName } = this.#options;
    for (const { host, after } of changes) {
      // Of two agents of one host the other one is gone.
      if (after?.server !== serverName && after?.disconnectedMs !== undefined) this.claim(host);
      if (after?.server !== serverName || after.disconnectedMs !== undefined) continue;
      if (registry.connectionOf(host) === undefined && !this.#writing.has(host))
        this.#add(host, { version: undefined });
    }
  }

  #add(host: string, note: Note): void {
    if (this.#isStopped) return;
    this.#pending.set(host, note);
    this.#writeNext();
  }

  #writeNext(): void {
    if (this.#retry === undefined) {
      for (const [host, note] of this.#pending) {
        if (this.#writing.size >= PARALLEL) break;
        if (!this.#writing.has(host)) void this.#write(host, note);
      }
    }
    if (this.#pending.size === 0 && this.#writing.size === 0) this.#onIdle?.();
  }

  async #write(host: string, note: Note): Promise<void> {
    const { fleet, hosts, serverName } = this.#options;
    this.#pending.delete(host);
    const rshost = hosts.get(host)?.rshost;
    // It was taken out of the list meanwhile.
    if (rshost === undefined) return;
    this.#writing.add(host);
    try {
      if (note.version === undefined) await fleet.disconnected(rshost, serverName);
      else await fleet.connected(rshost, serverName, note.version, note.release);
      this.#delayMs = FIRST_RETRY_MS;
    } catch (error) {
      if (!this.#pending.has(host)) this.#pending.set(host, note);
      this.#pause(error instanceof Error ? error : new Error(String(error)));
    }
    this.#writing.delete(host);
    this.#writeNext();
  }

  /** Told once, until something could be written again. */
  #pause(error: Error): void {
    if (this.#retry !== undefined) return;
    if (this.#delayMs === FIRST_RETRY_MS) this.#options.onTrouble(error);
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#writeNext();
    }, this.#delayMs);
    this.#delayMs = Math.min(LAST_RETRY_MS, 2 * this.#delayMs);
  }
}

function noteOf({ hello: { version, release } }: AgentConnection): Note {
  return { version, release: release?.hash };
}
