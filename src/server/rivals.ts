import type { ConnectionNotes } from './connection-notes.ts';
import type { HostChange, HostList } from './host-list.ts';
import type { Registry } from './registry.ts';

/** A connection that its agent has left behind has fallen silent by then. */
const SURE_MS = 15_000;

export interface RivalsOptions {
  hosts: HostList;
  registry: Registry;
  notes: Pick<ConnectionNotes, 'claim'>;
  serverName: string;
}

/**
 * Finds two agents that speak for one host at two servers: the host is connected here, and the store says that it has
 * connected to another one since. Both servers tell: each notes again that it is connected here, which the other finds.
 */
export class Rivals {
  readonly #options: RivalsOptions;
  /** At most one of each host. */
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(options: RivalsOptions) {
    this.#options = options;
    options.hosts.on('change', (changes) => this.#review(changes));
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #review(changes: readonly HostChange[]): void {
    for (const { host } of changes) {
      if (this.#timers.has(host) || this.#rivalOf(host) === undefined) continue;
      this.#timers.set(
        host,
        setTimeout(() => this.#decide(host), SURE_MS),
      );
    }
  }

  #decide(host: string): void {
    const { registry, notes } = this.#options;
    this.#timers.delete(host);
    const rival = this.#rivalOf(host);
    if (rival === undefined || registry.row(host)?.status !== 'online') return;
    registry.contestAt(host, rival);
    notes.claim(host);
  }

  /** The other server that a host of this one is connected to, by the notes of the store. */
  #rivalOf(host: string): string | undefined {
    const { hosts, registry, serverName } = this.#options;
    const listed = hosts.get(host);
    if (listed === undefined || registry.connectionOf(host) === undefined) return undefined;
    return listed.server !== serverName && hosts.isConnected(listed) ? listed.server : undefined;
  }
}
