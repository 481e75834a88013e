import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { Incomplete } from '../protocol/message.ts';
import { METRICS } from '../protocol/metric.ts';
import { ProcessAverages } from './averages.ts';
import { LargestRows } from './largest.ts';
import { type Extent, hostHistory, type ProcessRecord, processRow } from './records.ts';
import { transaction } from './sqlite-transaction.ts';
import {
  type HistoryAnswer,
  type HistoryQuestion,
  type HostHistory,
  type HostsAnswer,
  type KnownHost,
  MAX_HISTORY_ROWS,
  MAX_RECORDS_READ,
} from './store.ts';
import {
  type Fields,
  HOST_FIGURES,
  HOST_INFO,
  HOST_MAXIMA,
  PROCESS_INFO,
  PROCESS_IO_INFO,
  UNATTRIBUTED,
} from './tables.ts';

/** Hops from host to host along the primary key; GROUP BY would walk every interval. */
export const KNOWN_HOSTS = `
  WITH RECURSIVE known (rshost) AS (
    SELECT min(rshost) FROM ${HOST_INFO.name}
    UNION ALL
    SELECT (SELECT min(h.rshost) FROM ${HOST_INFO.name} h WHERE h.rshost > known.rshost)
    FROM known WHERE known.rshost IS NOT NULL
  )
  SELECT rshost, (SELECT max(h.a_time) FROM ${HOST_INFO.name} h WHERE h.rshost = known.rshost) AS a_time
  FROM known WHERE rshost IS NOT NULL`;

/** Bounds of one answer; those of the port, unless a test wants less. */
export interface Limits {
  records: number;
  rows: number;
}

const NOTHING = 'nothing was recorded then';
const TOO_MUCH = 'too much history for one answer: ask for one host or a shorter window';
const ONLY_LARGEST = 'only its largest processes: ask for one host or a shorter window';

/** Answers from the time tables. Synchronous: lives in a thread of its own. */
export class SqliteReader {
  readonly #db: DatabaseSync;
  readonly #limits: Limits;
  readonly #knownHosts: StatementSync;
  readonly #holding: StatementSync;
  readonly #extent: StatementSync;
  readonly #host: StatementSync;
  readonly #processes: StatementSync;
  readonly #names: StatementSync;

  constructor(db: DatabaseSync, limits: Limits = { records: MAX_RECORDS_READ, rows: MAX_HISTORY_ROWS }) {
    this.#db = db;
    this.#limits = limits;
    this.#knownHosts = db.prepare(KNOWN_HOSTS);
    this.#holding = db.prepare(
      `SELECT a_time, start_time FROM ${HOST_INFO.name} WHERE rshost = ? AND a_time >= ? ORDER BY a_time LIMIT 1`,
    );
    const stretch = `FROM ${HOST_INFO.name} h WHERE h.rshost = :host AND h.a_time > :after AND h.a_time <= :to`;
    this.#extent = db.prepare(
      `SELECT count(*) AS intervals, min(start_time) AS fromMs, max(a_time) AS toMs,
        sum(a_time - start_time) AS coveredMs, sum(recorded) AS recorded ${stretch}`,
    );
    this.#host = db.prepare(`SELECT ${hostAverages().join(', ')} ${stretch}`);
    const figures = [...METRICS.map(({ column }) => column), ...METRICS.map(({ column }) => `${column}_max`)];
    this.#processes = db.prepare(
      `SELECT h.a_time - h.start_time, p.pid, p.started, p.md5_str, p.state, p.threads, ${figures.map((column) => `p.${column}`).join(', ')}
      FROM ${HOST_INFO.name} h CROSS JOIN ${PROCESS_IO_INFO.name} p ON p.rshost = h.rshost AND p.a_time = h.a_time
      WHERE h.rshost = :host AND h.a_time > :after AND h.a_time <= :to ORDER BY h.a_time`,
    );
    // Objects cost twice as much, and this is the statement that reads by the million.
    this.#processes.setReturnArrays(true);
    this.#names = db.prepare(`SELECT * FROM ${PROCESS_INFO.name} WHERE md5_str = ?`);
  }

  knownHosts(): KnownHost[] {
    return this.#knownHosts
      .all()
      .map(({ rshost, a_time }) => ({ host: String(rshost), lastIntervalEndMs: Number(a_time) }));
  }

  hosts(question: HistoryQuestion): HostsAnswer {
    return transaction(this.#db, 'read', () => this.#answer(question));
  }

  processes(question: HistoryQuestion): HistoryAnswer {
    return transaction(this.#db, 'read', () => {
      const largest = new LargestRows(this.#limits.rows);
      const cut = new Set<string>();
      const answer = this.#answer(question, (host, stretch, extent) => {
        const processes = this.#averages(host, stretch, extent);
        if (processes.cut) cut.add(host);
        const names = new Map<string, Fields | undefined>();
        for (const record of processes.records) {
          const { md5_str } = record;
          if (!names.has(md5_str)) names.set(md5_str, this.#names.get(md5_str) as Fields | undefined);
          largest.add(processRow(host, record, names.get(md5_str)));
        }
      });
      const { rows, cut: alsoCut } = largest.result();
      for (const host of cut.union(alsoCut)) answer.incomplete.push({ host, reason: ONLY_LARGEST });
      return { ...answer, rows };
    });
  }

  #averages(host: string, stretch: Stretch, extent: Extent): ReturnType<ProcessAverages['result']> {
    const averages = new ProcessAverages(this.#limits.rows);
    for (const values of this.#processes.iterate({ host, ...stretch })) {
      const [lengthMs, record] = processRecord(values as unknown as SQLOutputValue[]);
      averages.add(record, lengthMs / extent.coveredMs);
    }
    return averages.result();
  }

  /** @param visit reads a host's processes; without it they cost nothing. */
  #answer(question: HistoryQuestion, visit?: (host: string, stretch: Stretch, extent: Extent) => void): HostsAnswer {
    const hosts: HostHistory[] = [];
    const incomplete: Incomplete[] = [];
    let budget = this.#limits.records;
    for (const host of question.host === undefined ? this.knownHosts().map((known) => known.host) : [question.host]) {
      if (budget <= 0) {
        incomplete.push({ host, reason: TOO_MUCH });
        continue;
      }
      const stretch = this.#stretch(host, question);
      const extent = this.#extent.get({ host, ...stretch }) as unknown as Extent;
      if (extent.intervals === 0) {
        incomplete.push({ host, reason: NOTHING });
        continue;
      }
      // What it will cost is known before it is read; a host that is too much leaves room for smaller ones.
      budget -= extent.intervals;
      const fields = this.#host.get({ host, ...stretch, covered: extent.coveredMs }) as Fields;
      hosts.push(hostHistory(host, extent, fields));
      if (visit === undefined) continue;
      if (extent.recorded > budget) {
        incomplete.push({ host, reason: TOO_MUCH });
        continue;
      }
      budget -= extent.recorded;
      visit(host, stretch, extent);
    }
    const atMs = hosts.length === 0 ? question.atMs : Math.max(...hosts.map(({ toMs }) => toMs));
    return { atMs, hosts, incomplete };
  }

  /** Intervals are asked for by their end: those of the stretch are the ones that end in (after, to]. */
  #stretch(host: string, { atMs, windowMs }: HistoryQuestion): Stretch {
    const next = this.#holding.get(host, atMs);
    const holds = next !== undefined && Number(next.start_time) < atMs;
    const to = holds ? Number(next.a_time) : atMs;
    if (windowMs !== undefined) return { after: atMs - windowMs, to };
    return { after: holds ? to - 1 : to, to };
  }
}

type Stretch = { after: number; to: number };

/** The share of the time comes first and is exactly 1 for a single interval, whose figures then come back as they were. */
function hostAverages(): string[] {
  const share = '((a_time - start_time) / CAST(:covered AS REAL))';
  const largest = new Set(['cores', 'memTotalBytes']);
  return [
    ...HOST_FIGURES.map(({ field, column }) => {
      if (largest.has(field)) return `max(${column}) AS ${column}`;
      const average = `sum(${column} * ${share})`;
      return `${field === 'processes' ? `CAST(round(${average}) AS INTEGER)` : average} AS ${column}`;
    }),
    ...HOST_MAXIMA.map(({ column }) => `max(${column}) AS ${column}`),
    ...UNATTRIBUTED.map(({ column }) => `sum(${column} * ${share}) AS ${column}`),
  ];
}

function processRecord(values: SQLOutputValue[]): [lengthMs: number, record: ProcessRecord] {
  const record = {
    pid: Number(values[1]),
    started: Number(values[2]),
    md5_str: String(values[3]),
    state: String(values[4]),
    threads: Number(values[5]),
    averages: values.slice(6, 6 + METRICS.length) as (number | null)[],
    maxima: values.slice(6 + METRICS.length) as (number | null)[],
  };
  return [Number(values[0]), record];
}
