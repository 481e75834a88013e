import { Problem } from '../problem.ts';
import type { ServerToViewer } from '../protocol/message.ts';
import { MAX_POINTS, type Query } from '../protocol/query.ts';
import type { HostRow, ProcessRow } from '../protocol/row.ts';
import { select } from '../protocol/select.ts';
import type { HistoryQuestion, HostHistory, Store } from '../store/store.ts';
import { blame } from './blame.ts';
import { largestHosts } from './live-hosts.ts';
import type { WithoutId } from './live-query.ts';
import type { Registry } from './registry.ts';

type PastAnswer = WithoutId<Exclude<ServerToViewer, { type: 'event' | 'error' }>>;
type OneHost = HistoryQuestion & { host: string };

/** Answers queries about the past from the store, in the shapes of the present. */
export class History {
  readonly #store: Store;
  readonly #registry: Registry;

  constructor(store: Store, registry: Registry) {
    this.#store = store;
    this.#registry = registry;
  }

  /** @throws Problem when the store cannot answer, or has nothing to blame; RangeError when the query lacks its time, or a host that it needs. */
  async answer(query: Query): Promise<PastAnswer> {
    const { host, atMs, windowMs, view } = query;
    if (atMs === undefined) throw new RangeError('a query about the past needs a time');
    const times = { atMs, ...(windowMs !== undefined && { windowMs }) };
    if (view === 'hosts') return this.#hosts(query, { ...times, ...(host !== undefined && { host }) });
    if (view === 'processes') return this.#processes(query, { ...times, ...(host !== undefined && { host }) });
    if (host === undefined) throw new RangeError(`${view} is asked of one host`);
    return view === 'series' ? this.#series(query, { ...times, host }) : this.#blame(query, { ...times, host });
  }

  async #hosts(query: Query, question: HistoryQuestion): Promise<PastAnswer> {
    const { atMs, hosts } = await this.#store.hosts(question);
    const rows = hosts.map((history) => this.#hostRow(history));
    return { type: 'hosts', at: isoTime(atMs), ...fromOf(hosts), rows: largestHosts(query, rows) };
  }

  async #processes(query: Query, question: HistoryQuestion): Promise<PastAnswer> {
    const { atMs, rows, hosts, incomplete } = await this.#store.processes(question);
    return {
      type: 'rows',
      at: isoTime(atMs),
      ...fromOf(hosts),
      rows: select(query, rows) as ProcessRow[],
      totals: hosts.map(({ total }) => total),
      ...(incomplete.length > 0 && { incomplete }),
    };
  }

  async #series({ process, limit }: Query, question: OneHost): Promise<PastAnswer> {
    const points = await this.#store.series({
      ...question,
      ...(process !== undefined && { process: { pid: process.pid, startedMs: Date.parse(process.startedAt) } }),
      limit: Math.min(limit, MAX_POINTS),
    });
    return { type: 'series', host: question.host, points };
  }

  async #blame({ limit }: Query, question: OneHost): Promise<PastAnswer> {
    const [{ hosts, rows, incomplete }, peaks] = await Promise.all([
      this.#store.processes(question),
      this.#store.peaks(question),
    ]);
    const [history] = hosts;
    if (history !== undefined && peaks !== undefined) return { type: 'blame', ...blame(history, rows, peaks, limit) };
    const reason = incomplete[0]?.reason ?? 'it has just been forgotten';
    throw new Problem(
      'ERR_NOTHING',
      `no history of ${question.host} at that time (${reason}): name another time, or a host that procmesh hosts lists`,
    );
  }

  /** The status is the present one: whether a host is there is no matter of the past. */
  #hostRow({ total: { at, ...usage }, toMs }: HostHistory): HostRow {
    const present = this.#registry.row(usage.host);
    return {
      status: present?.status ?? 'offline',
      ...usage,
      lastSeenAt: present?.lastSeenAt ?? isoTime(toMs),
    };
  }
}

function fromOf(hosts: readonly HostHistory[]): { from?: string } {
  return hosts.length === 0 ? {} : { from: isoTime(Math.min(...hosts.map(({ fromMs }) => fromMs))) };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
