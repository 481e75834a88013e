import type { Incomplete } from '../protocol/message.ts';
import { METRICS } from '../protocol/metric.ts';
import type { Point } from '../protocol/series.ts';
import { type HostExtent, LIMITS, type Limits, ONLY_LARGEST, withinBudget } from './budget.ts';
import { type HostRecord, LargestRecords } from './largest.ts';
import type { Session, SqlValue } from './mysql-sessions.ts';
import { utc, utcFrom } from './mysql-time.ts';
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

const HOSTS_PER_STATEMENT = 100;
const NAMES_PER_STATEMENT = 500;

const AVERAGES = METRICS.map(({ column }) => column);
const MAXIMA = METRICS.map(({ column }) => `${column}_max`);
const FIGURES = PROCESS_FIGURES.join(', ');
const END_MS = 'UNIX_TIMESTAMP(a_time) * 1000';
/** Where an interval ends: `(after, to]`. */
const WITHIN = 'rshost = ? AND a_time > ? AND a_time <= ?';

/** Answers from the time tables. */
export class MysqlReader {
  readonly #limits: Limits;

  constructor(limits: Limits = LIMITS) {
    this.#limits = limits;
  }

  async knownHosts(session: Session): Promise<KnownHost[]> {
    const rows = await session.rows(
      `SELECT rshost, UNIX_TIMESTAMP(a_time) AS ended FROM ${HOST_LAST.name} ORDER BY rshost`,
    );
    return rows.map(({ rshost, ended }) => ({ host: rshost, lastIntervalEndMs: ended * 1000 }));
  }

  hosts(session: Session, question: HistoryQuestion): Promise<HostsAnswer> {
    return session.transaction('read', async () => {
      const { atMs, hosts, incomplete } = await this.#answer(session, question, { processes: false });
      return { atMs, hosts, incomplete };
    });
  }

  processes(session: Session, question: HistoryQuestion): Promise<HistoryAnswer> {
    return session.transaction('read', async () => {
      const { atMs, hosts, incomplete, withProcesses } = await this.#answer(session, question, { processes: true });
      const largest = new LargestRecords(this.#limits.rows);
      const single = withProcesses.filter(({ extent }) => extent.intervals === 1);
      for (const part of chunks(single, HOSTS_PER_STATEMENT))
        for await (const [host, record] of oneInterval(session, part)) largest.add(host, record);
      for (const one of withProcesses.filter(({ extent }) => extent.intervals > 1))
        for await (const record of manyIntervals(session, one)) largest.add(one.host, record);
      const { records, cut } = largest.result();
      const reasons = withProcesses.filter(({ host }) => cut.has(host));
      const left = reasons.map(({ host }): Incomplete => ({ host, reason: ONLY_LARGEST }));
      return { atMs, hosts, rows: await named(session, records), incomplete: [...incomplete, ...left] };
    });
  }

  series(session: Session, question: SeriesQuestion): Promise<Point[]> {
    const { host, process, limit } = question;
    return session.transaction('read', async () => {
      const [stretch] = await stretches(session, [host], question);
      if (stretch === undefined) return [];
      const rows = await session.rows(
        `SELECT *, ${END_MS} AS a_time FROM ${HOST_INFO.name} WHERE ${WITHIN} ORDER BY ${HOST_INFO.name}.a_time DESC LIMIT ?`,
        [...bounds(stretch), limit],
      );
      const figures = new Map<number, NonNullable<Point['process']>>();
      if (process !== undefined)
        for await (const values of session.stream(
          `SELECT ${END_MS}, ${FIGURES}
          FROM ${PROCESS_IO_INFO.name} WHERE ${WITHIN} AND pid = ? AND started = ?`,
          [...bounds(stretch), process.pid, process.startedMs],
        ))
          figures.set(Number(values[0]), processFigures(figuresOf(values.slice(1))));
      return rows.toReversed().map((fields) => {
        const point = hostPoint(fields as Fields);
        const recorded = figures.get(fields.a_time);
        if (recorded !== undefined) point.process = recorded;
        return point;
      });
    });
  }

  peaks(session: Session, question: HistoryQuestion & { host: string }): Promise<Peaks | undefined> {
    return session.transaction('read', async () => {
      const [stretch] = await stretches(session, [question.host], question);
      if (stretch === undefined) return undefined;
      const peaks = HOST_MAXIMA.map(
        ({ field, column }) =>
          `(SELECT ${END_MS} FROM ${HOST_INFO.name} WHERE ${WITHIN} ORDER BY ${column} DESC, a_time LIMIT 1) AS ${field}`,
      );
      const [found] = await session.rows(
        `SELECT ${peaks.join(', ')}`,
        peaks.flatMap(() => bounds(stretch)),
      );
      return found?.cpuPercent == null ? undefined : ({ ...found } as unknown as Peaks);
    });
  }

  async #answer(
    session: Session,
    question: HistoryQuestion,
    { processes }: { processes: boolean },
  ): Promise<HostsAnswer & { withProcesses: Found[] }> {
    const { host } = question;
    const names = host === undefined ? (await this.knownHosts(session)).map((known) => known.host) : [host];
    const found: Found[] = [];
    for (const part of chunks(names, HOSTS_PER_STATEMENT))
      found.push(...(await extents(session, await stretches(session, part, question))));
    const { hosts, withProcesses, incomplete } = withinBudget(found, { records: this.#limits.records, processes });
    const histories = hosts.map((one) => hostHistory(one.host, one.extent, one.fields));
    const atMs = histories.length === 0 ? question.atMs : Math.max(...histories.map(({ toMs }) => toMs));
    return { atMs, hosts: histories, incomplete, withProcesses };
  }
}

/** Of the intervals of a host the ones that end in `(after, to]`, epoch ms. */
interface Stretch {
  host: string;
  after: number;
  to: number;
}

interface Found extends HostExtent {
  stretch: Stretch;
  /** Columns of `HOST_INFO`, averaged and maximised. */
  fields: Fields;
}

/** The interval that holds the moment belongs to it, whole. */
async function stretches(
  session: Session,
  hosts: readonly string[],
  { atMs, windowMs }: HistoryQuestion,
): Promise<Stretch[]> {
  const next = await session.rows(
    hosts
      .map(
        () =>
          `(SELECT rshost, ${END_MS} AS ended, length_ms FROM ${HOST_INFO.name} WHERE rshost = ? AND a_time >= ? ORDER BY a_time LIMIT 1)`,
      )
      .join(' UNION ALL '),
    hosts.flatMap((host) => [host, utcFrom(atMs)]),
  );
  const holding = new Map(next.filter((row) => row.ended - row.length_ms < atMs).map((row) => [row.rshost, row.ended]));
  return hosts.map((host) => {
    const to = holding.get(host) ?? atMs;
    const after = windowMs !== undefined ? atMs - windowMs : holding.has(host) ? to - 1_000 : to;
    return { host, after, to };
  });
}

async function extents(session: Session, asked: readonly Stretch[]): Promise<Found[]> {
  const rows = await session.rows(
    `SELECT rshost, COUNT(*) AS intervals, MIN(${END_MS} - length_ms) AS fromMs, MAX(${END_MS}) AS toMs,
      SUM(length_ms) AS coveredMs, SUM(recorded) AS recorded, ${hostAverages().join(', ')}
    FROM ${HOST_INFO.name} WHERE ${asked.map(() => `(${WITHIN})`).join(' OR ')} GROUP BY rshost`,
    asked.flatMap(bounds),
  );
  const byHost = new Map(rows.map((row) => [row.rshost, row]));
  return asked.map((stretch) => {
    const { host } = stretch;
    const fields = (byHost.get(host) ?? { intervals: 0 }) as Fields;
    return { host, stretch, extent: fields as unknown as Extent, fields };
  });
}

/** A single interval's figures come back as they were, whatever a division would make of them. */
function hostAverages(): string[] {
  const largest = new Set(['cores', 'memTotalBytes']);
  const average = (column: string): string =>
    `IF(COUNT(*) = 1, MAX(${column}), SUM(${column} * length_ms) / SUM(length_ms))`;
  return [
    ...HOST_FIGURES.map(({ field, column }) => {
      if (largest.has(field)) return `MAX(${column}) AS ${column}`;
      return `${field === 'processes' ? `ROUND(${average(column)})` : average(column)} AS ${column}`;
    }),
    ...HOST_MAXIMA.map(({ column }) => `MAX(${column}) AS ${column}`),
    ...UNATTRIBUTED.map(({ column }) => `${average(column)} AS ${column}`),
  ];
}

/** Of hosts of which the question takes in one interval. */
async function* oneInterval(session: Session, hosts: readonly Found[]): AsyncGenerator<[string, ProcessRecord]> {
  const rows = session.stream(
    `SELECT rshost, pid, started, HEX(md5_str), state, threads, ${FIGURES}
    FROM ${PROCESS_IO_INFO.name} WHERE ${hosts.map(() => '(rshost = ? AND a_time = ?)').join(' OR ')}`,
    hosts.flatMap(({ host, extent }) => [host, utc(extent.toMs)]),
  );
  for await (const [host, ...values] of rows) yield [String(host), processRecord(values)];
}

/** Averages over the covered time, and identity by the last interval that recorded the process. */
async function* manyIntervals(session: Session, { stretch, extent }: Found): AsyncGenerator<ProcessRecord> {
  // The largest text is the newest: a time in seconds has ten digits from 2001 to 2286.
  const newest = `MAX(CONCAT(UNIX_TIMESTAMP(p.a_time), ' ', HEX(p.md5_str), ' ', p.state, ' ', p.threads))`;
  const rows = session.stream(
    `SELECT p.pid, p.started, ${newest}, ${AVERAGES.map((column) => `SUM(p.${column} * h.length_ms)`).join(', ')},
      ${MAXIMA.map((column) => `MAX(p.${column})`).join(', ')}
    FROM ${HOST_INFO.name} h JOIN ${PROCESS_IO_INFO.name} p ON p.rshost = h.rshost AND p.a_time = h.a_time
    WHERE h.rshost = ? AND h.a_time > ? AND h.a_time <= ? AND p.rshost = ? AND p.a_time > ? AND p.a_time <= ?
    GROUP BY p.pid, p.started`,
    [...bounds(stretch), ...bounds(stretch)],
  );
  for await (const [pid, started, last, ...figures] of rows) {
    const [, md5_str = '', state = '', threads = ''] = String(last).split(' ');
    const record = processRecord([pid ?? 0, started ?? 0, md5_str, state, threads, ...figures]);
    record.averages = record.averages.map((sum) => (sum === null ? null : sum / extent.coveredMs));
    yield record;
  }
}

async function named(session: Session, records: readonly HostRecord[]): Promise<HistoryAnswer['rows']> {
  const names = new Map<string, Fields>();
  for (const part of chunks([...new Set(records.map(({ record }) => record.md5_str))], NAMES_PER_STATEMENT)) {
    const rows = await session.rows(`SELECT *, HEX(md5_str) AS digits FROM ${PROCESS_INFO.name} WHERE md5_str IN (?)`, [
      part.map((digits) => Buffer.from(digits, 'hex')),
    ]);
    for (const row of rows) names.set(row.digits, row as Fields);
  }
  return records.map(({ host, record }) => processRow(host, record, names.get(record.md5_str)));
}

/** @param values pid, started, md5_str, state, threads, averages, maxima. */
function processRecord(values: readonly SqlValue[]): ProcessRecord {
  return {
    pid: Number(values[0]),
    started: Number(values[1]),
    md5_str: String(values[2]),
    state: String(values[3]),
    threads: Number(values[4]),
    ...figuresOf(values.slice(5)),
  };
}

function bounds({ host, after, to }: Stretch): SqlValue[] {
  return [host, utc(after), utc(to)];
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
