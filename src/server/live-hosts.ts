import { metricBySort } from '../protocol/metric.ts';
import type { Query } from '../protocol/query.ts';
import type { HostRow } from '../protocol/row.ts';
import type { Deliver, LiveAnswer, LiveQuery } from './live-query.ts';
import type { Registry } from './registry.ts';

/** Changes are gathered this long, and the longer the more hosts there are, so that a fleet is not sent whole for each beat. */
const GATHER_MS = 15;
const GATHER_PER_HOST_MS = 0.5;

/** The hosts and their state, whenever anything about them changes. */
export class LiveHosts implements LiveQuery {
  readonly #query: Query;
  readonly #registry: Registry;
  readonly #deliver: Deliver;
  readonly #onChange = (host: string): void => {
    if (this.#query.host === undefined || this.#query.host === host) this.#schedule();
  };
  #timer: NodeJS.Timeout | undefined;
  latest: LiveAnswer | undefined;

  constructor(query: Query, registry: Registry, deliver: Deliver) {
    this.#query = query;
    this.#registry = registry;
    this.#deliver = deliver;
    registry.on('change', this.#onChange);
    this.#answer();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#registry.off('change', this.#onChange);
  }

  #schedule(): void {
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#answer();
      },
      GATHER_MS + GATHER_PER_HOST_MS * this.#registry.hostNames().length,
    );
  }

  #answer(): void {
    const rows = this.#rows();
    this.latest = { type: 'hosts', at: new Date().toISOString(), rows: largestHosts(this.#query, rows) };
    this.#deliver(this.latest);
  }

  #rows(): HostRow[] {
    const names = this.#query.host === undefined ? this.#registry.hostNames() : [this.#query.host];
    return names.map((host) => this.#registry.row(host)).filter((row) => row !== undefined);
  }
}

/** The first `limit` hosts by the query's sort; memory goes by what is used. */
export function largestHosts(query: Query, rows: readonly HostRow[]): HostRow[] {
  const { name } = metricBySort(query.sort);
  const figure = (row: HostRow): number => (name === 'rssBytes' ? row.memUsedBytes : row[name]) ?? -1;
  return rows.toSorted((a, b) => figure(b) - figure(a) || (a.host < b.host ? -1 : 1)).slice(0, query.limit);
}
