import { compileFilter } from '../protocol/filter.ts';
import type { AgentRows, Watch } from '../protocol/message.ts';
import { metricBySort } from '../protocol/metric.ts';
import { MAX_LIMIT, type Query } from '../protocol/query.ts';
import type { ProcessRow, Row } from '../protocol/row.ts';
import { select } from '../protocol/select.ts';
import { type DetailReader, MAX_DETAILED_ROWS } from './details.ts';
import { figures, largestBy } from './figures.ts';
import type { Identities } from './identity/identity.ts';
import type { Sample } from './sampler.ts';
import type { ProcessCounters } from './snapshot.ts';

/** A server that has a bug must not make an agent work for thousands of viewers. */
const MAX_WATCHES = 64;

interface Watched {
  query: Query;
  floor: number;
  expiresAtMs: number;
  /** It has been said that nothing reaches the floor; until something does, nothing more is said. */
  saidNothing: boolean;
}

/** The queries somebody looks at, answered from each sample over the full process table. */
export class Watches {
  readonly #host: string;
  readonly #pageBytes: number;
  readonly #identities: Identities;
  readonly #details: DetailReader;
  readonly #watched = new Map<number, Watched>();
  #latest: Sample | undefined;

  constructor(host: string, pageBytes: number, readers: { identities: Identities; details: DetailReader }) {
    this.#host = host;
    this.#pageBytes = pageBytes;
    this.#identities = readers.identities;
    this.#details = readers.details;
  }

  /** Whether anybody looks. */
  get isEmpty(): boolean {
    return this.#watched.size === 0;
  }

  /**
   * Starts, changes or renews a watch. A new or changed one is answered at once from the latest sample.
   * @throws FilterError when its filter cannot be read.
   */
  watch({ id, query, ttlMs, floor = 0 }: Watch, nowMs: number): AgentRows | undefined {
    if (query.filter !== undefined) compileFilter(query.filter);
    const known = this.#watched.get(id);
    const changed =
      known === undefined || known.floor !== floor || JSON.stringify(known.query) !== JSON.stringify(query);
    if (known === undefined && this.#watched.size >= MAX_WATCHES) return undefined;
    const watched = { query, floor, expiresAtMs: nowMs + ttlMs, saidNothing: !changed && known.saidNothing };
    this.#watched.set(id, watched);
    return changed && this.#latest !== undefined ? this.#answer(id, watched, this.#latest) : undefined;
  }

  unwatch(id: number): void {
    this.#watched.delete(id);
  }

  /** The connection is gone, and with it everybody who looked. */
  clear(): void {
    this.#watched.clear();
  }

  /** Answers to everything watched, from a new sample. */
  evaluate(sample: Sample, nowMs: number): AgentRows[] {
    this.#latest = sample;
    const answers: AgentRows[] = [];
    for (const [id, watched] of this.#watched) {
      if (watched.expiresAtMs <= nowMs) {
        this.#watched.delete(id);
        continue;
      }
      const answer = this.#answer(id, watched, sample);
      if (answer !== undefined) answers.push(answer);
    }
    return answers;
  }

  #answer(id: number, watched: Watched, sample: Sample): AgentRows | undefined {
    const { query, floor } = watched;
    const { name } = metricBySort(query.sort);
    const rows = this.#rows(query, sample).filter((row) => floor === 0 || (row[name] ?? -1) >= floor);
    const nothing = floor > 0 && rows.length === 0;
    if (nothing && watched.saidNothing) return undefined;
    watched.saidNothing = nothing;
    const at = new Date(sample.atMs).toISOString();
    return {
      type: 'rows',
      id,
      atMs: sample.atMs,
      total: { host: this.#host, at, ...sample.host },
      rows: rows as ProcessRow[],
    };
  }

  #rows(query: Query, sample: Sample): Row[] {
    const { name } = metricBySort(query.sort);
    if (query.filter === undefined && query.groupBy === undefined) {
      const largest = largestBy(name, sample, query.limit, this.#pageBytes);
      return this.#detailed(
        query,
        sample,
        largest.map((process) => this.#row(process, sample)),
      );
    }
    const all = Array.from(sample.processes.values(), (process) => this.#row(process, sample));
    // A group's members may be spread over hosts: only the server can tell which groups are the largest.
    if (query.groupBy !== undefined) return select({ ...query, limit: MAX_LIMIT }, all);
    return this.#detailed(query, sample, select(query, all) as ProcessRow[]);
  }

  #row(process: ProcessCounters, sample: Sample): ProcessRow {
    return { host: this.#host, ...this.#identities.of(process), ...figures(process, sample, this.#pageBytes) };
  }

  /** Details are dear, so that only the first rows of an answer have them, and the others what is known already. */
  #detailed(query: Query, sample: Sample, rows: readonly ProcessRow[]): ProcessRow[] {
    if (!query.details) return [...rows];
    return rows.map((row, index) => {
      const process = sample.processes.get(row.pid);
      if (process === undefined) return row;
      const isFirst = index < MAX_DETAILED_ROWS;
      return { ...row, ...(isFirst ? this.#details.of(process, sample) : this.#details.known(process)) };
    });
  }
}
