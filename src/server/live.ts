import type { Query } from '../protocol/query.ts';
import { LiveHosts } from './live-hosts.ts';
import { LiveProcesses } from './live-processes.ts';
import type { Deliver, LiveAnswer, LiveQuery } from './live-query.ts';
import { LiveRelease, type RolloutStanding } from './live-release.ts';
import type { Registry } from './registry.ts';

interface Shared {
  query: LiveQuery;
  listeners: Set<Deliver>;
}

/** Runs each different question once, however many viewers ask it, and not at all when nobody does. */
export class LiveQueries {
  readonly #registry: Registry;
  readonly #rollouts: RolloutStanding | undefined;
  readonly #shared = new Map<string, Shared>();
  #lastId = 0;

  constructor(registry: Registry, rollouts?: RolloutStanding) {
    this.#registry = registry;
    this.#rollouts = rollouts;
  }

  /** @returns ends the subscription. */
  subscribe(query: Query, deliver: Deliver): () => void {
    const key = JSON.stringify(query);
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      shared = { query: this.#open(query, (answer) => this.#deliver(key, answer)), listeners: new Set() };
      this.#shared.set(key, shared);
    }
    const { listeners, query: live } = shared;
    listeners.add(deliver);
    if (live.latest !== undefined) deliver(live.latest);
    return () => {
      listeners.delete(deliver);
      if (listeners.size > 0 || this.#shared.get(key)?.query !== live) return;
      this.#shared.delete(key);
      live.close();
    };
  }

  #open(query: Query, deliver: Deliver): LiveQuery {
    const nextId = (): number => {
      this.#lastId += 1;
      return this.#lastId;
    };
    if (query.view === 'hosts') return new LiveHosts(query, this.#registry, deliver);
    if (query.view === 'release') return new LiveRelease(query, this.#rollouts, deliver);
    return new LiveProcesses(nextId, query, this.#registry, deliver);
  }

  #deliver(key: string, answer: LiveAnswer): void {
    for (const listener of this.#shared.get(key)?.listeners ?? []) listener(answer);
  }
}
