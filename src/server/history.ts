import type { Query } from '../protocol/query.ts';
import type { HostRow, ProcessRow } from '../protocol/row.ts';
import { select } from '../protocol/select.ts';
import type { HistoryQuestion, HostHistory, Store } from '../store/store.ts';
import { largestHosts } from './live-hosts.ts';
import type { LiveAnswer } from './live-query.ts';
import type { Registry } from './registry.ts';

/** Answers queries about the past from the store, in the shapes of the present. */
export class History {
  readonly #store: Store;
  readonly #registry: Registry;

  constructor(store: Store, registry: Registry) {
    this.#store = store;
    this.#registry = registry;
  }

  /** @throws Problem when the store cannot answer; RangeError when the query has no `atMs`. */
  async answer(query: Query): Promise<LiveAnswer> {
    const { host, atMs, windowMs } = query;
    if (atMs === undefined) throw new RangeError('a query about the past needs a time');
    const question: HistoryQuestion = {
      atMs,
      ...(host !== undefined && { host }),
      ...(windowMs !== undefined && { windowMs }),
    };
    if (query.view === 'hosts') {
      const { atMs: endMs, hosts } = await this.#store.hosts(question);
      const rows = hosts.map((history) => this.#hostRow(history));
      return { type: 'hosts', at: new Date(endMs).toISOString(), rows: largestHosts(query, rows) };
    }
    const { atMs: endMs, rows, hosts, incomplete } = await this.#store.processes(question);
    return {
      type: 'rows',
      at: new Date(endMs).toISOString(),
      rows: select(query, rows) as ProcessRow[],
      totals: hosts.map(({ total }) => total),
      ...(incomplete.length > 0 && { incomplete }),
    };
  }

  /** The status is the present one: whether a host is there is no matter of the past. */
  #hostRow({ total: { at, ...usage }, toMs }: HostHistory): HostRow {
    const present = this.#registry.row(usage.host);
    return {
      status: present?.status ?? 'offline',
      ...usage,
      lastSeenAt: present?.lastSeenAt ?? new Date(toMs).toISOString(),
    };
  }
}
