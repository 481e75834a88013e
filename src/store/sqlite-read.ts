import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { ProcessRow } from '../protocol/row.ts';
import type { Point } from '../protocol/series.ts';
import { ProcessAverages } from './averages.ts';
import { type HostExtent, LIMITS, type Limits, ONLY_LARGEST, withinBudget } from './budget.ts';
import { LargestRecords } from './largest.ts';
import {
  type Extent,
  type Fields,
  figuresOf,
  hostHistory,
  hostPoint,
  type ProcessRecord,
  processFigures,
  processRow,
} from './records.ts';
import { transaction } from './sqlite-transaction.ts';
import type { HistoryAnswer, HistoryQuestion, HostsAnswer, KnownHost, Peaks, SeriesQuestion } from './store.ts';
import {
  HOST_FIGURES,
  HOST_INFO,
  HOST_LAST,
  HOST_MAXIMA,
  PROCESS_FIGURES,
  PROCESS_INFO,
  PROCESS_IO_INFO,
  UNATTRIBUTED,
} from './tables.ts';

export const KNOWN_HOSTS = `SELECT rshost, a_time FROM ${HOST_LAST.name} ORDER BY rshost`;

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
  readonly #intervals: StatementSync;
  readonly #oneProcess: StatementSync;
  readonly #peaks: StatementSync;

  constructor(db: DatabaseSync, limits: Limits = LIMITS) {
    this.#db = db;
    this.#limits = limits;
    this.#knownHosts = db.prepare(KNOWN_HOSTS);
    this.#holding = db.prepare(
      `SELECT a_time, length_ms FROM ${HOST_INFO.name} WHERE rshost = ? AND a_time >= ? ORDER BY a_time LIMIT 1`,
    );
    const stretch = `FROM ${HOST_INFO.name} h WHERE h.rshost = :host AND h.a_time > :after AND h.a_time <= :to`;
    this.#extent = db.prepare(
      `SELECT count(*) AS intervals, min(a_time - length_ms) AS fromMs, max(a_time) AS toMs,
        sum(length_ms) AS coveredMs, sum(recorded) AS recorded ${stretch}`,
    );
    this.#host = db.prepare(`SELECT ${hostAverages().join(', ')} ${stretch}`);
    this.#processes = db.prepare(
      `SELECT h.length_ms, p.pid, p.started, p.md5_str, p.state, p.threads, ${PROCESS_FIGURES.map((column) => `p.${column}`).join(', ')}
      FROM ${HOST_INFO.name} h CROSS JOIN ${PROCESS_IO_INFO.name} p ON p.rshost = h.rshost AND p.a_time = h.a_time
      WHERE h.rshost = :host AND h.a_time > :after AND h.a_time <= :to ORDER BY h.a_time`,
    );
    // Objects cost twice as much, and this is the statement that reads by the million.
    this.#processes.setReturnArrays(true);
    this.#names = db.prepare(`SELECT * FROM ${PROCESS_INFO.name} WHERE md5_str = ?`);
    this.#intervals = db.prepare(`SELECT * ${stretch} ORDER BY a_time DESC LIMIT :limit`);
    this.#oneProcess = db.prepare(
      `SELECT ${PROCESS_FIGURES.join(', ')} FROM ${PROCESS_IO_INFO.name}
      WHERE rshost = ? AND a_time = ? AND pid = ? AND started = ?`,
    );
    this.#oneProcess.setReturnArrays(true);
    const peaks = HOST_MAXIMA.map(
      ({ field, column }) => `(SELECT a_time ${stretch} ORDER BY ${column} DESC, a_time LIMIT 1) AS ${field}`,
    );
    this.#peaks = db.prepare(`SELECT ${peaks.join(', ')}`);
  }

  knownHosts(): KnownHost[] {
    return this.#knownHosts
      .all()
      .map(({ rshost, a_time }) => ({ host: String(rshost), lastIntervalEndMs: Number(a_time) }));
  }

  hosts(question: HistoryQuestion): HostsAnswer {
    return transaction(this.#db, 'read', () => this.#answer(question, { processes: false }).answer);
  }

  processes(question: HistoryQuestion): HistoryAnswer {
    return transaction(this.#db, 'read', () => {
      const { answer, withProcesses } = this.#answer(question, { processes: true });
      const largest = new LargestRecords(this.#limits.rows);
      let cut = new Set<string>();
      for (const one of withProcesses) {
        const processes = this.#averages(one);
        if (processes.cut) cut.add(one.host);
        for (const record of processes.records) largest.add(one.host, record);
      }
      const { records, cut: alsoCut } = largest.result();
      cut = cut.union(alsoCut);
      for (const { host } of withProcesses) if (cut.has(host)) answer.incomplete.push({ host, reason: ONLY_LARGEST });
      const names = new Map<string, Fields | undefined>();
      const rows = records.map(({ host, record }): ProcessRow => {
        const { md5_str } = record;
        if (!names.has(md5_str)) names.set(md5_str, this.#names.get(md5_str) as Fields | undefined);
        return processRow(host, record, names.get(md5_str));
      });
      return { ...answer, rows };
    });
  }

  series(question: SeriesQuestion): Point[] {
    const { host, process, limit } = question;
    return transaction(this.#db, 'read', () => {
      const rows = this.#intervals.all({ host, ...this.#stretch(host, question), limit }).toReversed() as Fields[];
      return rows.map((fields) => {
        const point = hostPoint(fields);
        const values = process && this.#oneProcess.get(host, Number(fields.a_time), process.pid, process.startedMs);
        if (values !== undefined) point.process = processFigures(figuresOf(values as unknown as SQLOutputValue[]));
        return point;
      });
    });
  }

  peaks(question: HistoryQuestion & { host: string }): Peaks | undefined {
    const { host } = question;
    return transaction(this.#db, 'read', () => {
      const peaks = this.#peaks.get({ host, ...this.#stretch(host, question) });
      return peaks?.cpuPercent == null ? undefined : ({ ...peaks } as Peaks);
    });
  }

  #averages({ host, stretch, extent }: Found): ReturnType<ProcessAverages['result']> {
    const averages = new ProcessAverages(this.#limits.rows);
    for (const values of this.#processes.iterate({ host, ...stretch })) {
      const [lengthMs, record] = processRecord(values as unknown as SQLOutputValue[]);
      averages.add(record, lengthMs / extent.coveredMs);
    }
    return averages.result();
  }

  #answer(
    question: HistoryQuestion,
    { processes }: { processes: boolean },
  ): { answer: HostsAnswer; withProcesses: Found[] } {
    const names = question.host === undefined ? this.knownHosts().map(({ host }) => host) : [question.host];
    const found = names.map((host): Found => {
      const stretch = this.#stretch(host, question);
      return { host, stretch, extent: this.#extent.get({ host, ...stretch }) as unknown as Extent };
    });
    const { hosts, withProcesses, incomplete } = withinBudget(found, { records: this.#limits.records, processes });
    const histories = hosts.map(({ host, stretch, extent }) =>
      hostHistory(host, extent, this.#host.get({ host, ...stretch, covered: extent.coveredMs }) as Fields),
    );
    const atMs = histories.length === 0 ? question.atMs : Math.max(...histories.map(({ toMs }) => toMs));
    return { answer: { atMs, hosts: histories, incomplete }, withProcesses };
  }

  /** Intervals are asked for by their end: those of the stretch are the ones that end in (after, to]. */
  #stretch(host: string, { atMs, windowMs }: HistoryQuestion): Stretch {
    const next = this.#holding.get(host, atMs);
    const holds = next !== undefined && Number(next.a_time) - Number(next.length_ms) < atMs;
    const to = holds ? Number(next.a_time) : atMs;
    if (windowMs !== undefined) return { after: atMs - windowMs, to };
    return { after: holds ? to - 1 : to, to };
  }
}

type Stretch = { after: number; to: number };

interface Found extends HostExtent {
  stretch: Stretch;
}

/** The share of the time comes first and is exactly 1 for a single interval, whose figures then come back as they were. */
function hostAverages(): string[] {
  const share = '(length_ms / CAST(:covered AS REAL))';
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
    ...figuresOf(values.slice(6)),
  };
  return [Number(values[0]), record];
}
