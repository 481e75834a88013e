import { metricBySort } from '../protocol/metric.ts';
import type { Query } from '../protocol/query.ts';
import type { HostRow } from '../protocol/row.ts';
import type { Deliver, LiveAnswer, LiveQuery } from './live-query.ts';
import type { Registry } from './registry.ts';

/** Changes are gathered this long, and the longer the more hosts there are, so that a fleet is not sent whole for each beat. */
const GATHER_MS = 15;
const GATHER_PER_HOST_MS = 0.5;
/** Without a change the hosts are looked at this often: a status becomes `late` by nothing happening. */
const REVIEW_MS = 1_000;

/** The hosts and their state, whenever anything about them changes. */
export class LiveHosts implements LiveQuery {
  readonly #query: Query;
  readonly #registry: Registry;
  readonly #deliver: Deliver;
  readonly #review: NodeJS.Timeout;
  readonly #onChange = (host: string): void => {
    if (this.#query.host === undefined || this.#query.host === host) this.#schedule();
  };
  #timer: NodeJS.Timeout | undefined;
  #statuses = '';
  latest: LiveAnswer | undefined;

  constructor(query: Query, registry: Registry, deliver: Deliver) {
    this.#query = query;
    this.#registry = registry;
    this.#deliver = deliver;
    registry.on('change', this.#onChange);
    this.#review = setInterval(() => {
      if (statuses(this.#rows()) !== this.#statuses) this.#schedule();
    }, REVIEW_MS);
    this.#answer();
  }

  close(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#review);
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
    this.#statuses = statuses(rows);
    this.latest = { type: 'hosts', at: new Date().toISOString(), rows: largestHosts(this.#query, rows) };
    this.#deliver(this.latest);
  }

  #rows(): HostRow[] {
    const names = this.#query.host === undefined ? this.#registry.hostNames() : [this.#query.host];
    return names.map((host) => this.#registry.row(host)).filter((row) => row !== undefined);
  }
}

function statuses(rows: readonly HostRow[]): string {
  return rows.map(({ host, status }) => `${host}=${status}`).join();
}

/** The first `limit` hosts by the query's sort; memory goes by what is used. */
export function largestHosts(query: Query, rows: readonly HostRow[]): HostRow[] {
  const { name } = metricBySort(query.sort);
  const figure = (row: HostRow): number => (name === 'rssBytes' ? row.memUsedBytes : row[name]) ?? -1;
  return rows.toSorted((a, b) => figure(b) - figure(a) || (a.host < b.host ? -1 : 1)).slice(0, query.limit);
}
