import { isDuplicate } from './mysql-errors.ts';
import { ROWS_PER_STATEMENT, type Session, type SqlValue } from './mysql-sessions.ts';
import { utc } from './mysql-time.ts';
import { intervalRows, type NameFields } from './records.ts';
import type { HostInterval } from './store.ts';
import {
  type Column,
  type Fields,
  FORGET_SLACK_MS,
  HOST_INFO,
  INTERVAL_PARTS,
  PROCESS_INFO,
  type Table,
} from './tables.ts';

/** Command lines are up to 8 KB each. */
const NAMES_PER_STATEMENT = 100;
/** Names that are known to be in the table; past that all are forgotten and written again. */
const MAX_KNOWN_NAMES = 200_000;
/** Another server may have written some of a batch since this one looked; it does not do so again and again. */
const MAX_ATTEMPTS = 5;

/** Writes whole intervals, many hosts at once, each table's rows in the order of its key. */
export class MysqlWriter {
  /** `a_time` of each row of `PROCESS_INFO` as it was written last. */
  readonly #knownNames = new Map<string, number>();

  /** All intervals in one transaction; those that are there already stay as they are. */
  async write(session: Session, batch: readonly HostInterval[]): Promise<void> {
    let wanted = inOrder(batch);
    for (let attempt = 1; wanted.length > 0; attempt += 1) {
      const intervals = wanted;
      try {
        const names = await session.transaction('write', () => this.#insert(session, intervals));
        this.#remember(names);
        return;
      } catch (error) {
        // The usual case costs nothing: what is there already is looked for only when something of a batch is.
        if (!isDuplicate(error) || attempt === MAX_ATTEMPTS) throw error;
        wanted = await missing(session, wanted);
      }
    }
  }

  /** @returns the names that it wrote. */
  async #insert(session: Session, intervals: readonly HostInterval[]): Promise<NameFields[]> {
    const rows = intervals.map(intervalRows);
    const hosts = rows.map(({ host }) => host);
    await insert(session, HOST_INFO, hosts);
    const names = new Map(rows.flatMap((one) => one.names.map((info) => [info.md5_str, info])));
    const unknown = [...names.values()].filter(
      ({ md5_str, a_time }) => (this.#knownNames.get(md5_str) ?? 0) < Number(a_time) - FORGET_SLACK_MS,
    );
    await insertNames(session, unknown);
    for (const table of INTERVAL_PARTS) {
      const parts = rows.flatMap((one) => one.parts.get(table) ?? []);
      await insert(session, table, parts);
    }
    return unknown;
  }

  #remember(names: readonly NameFields[]): void {
    if (this.#knownNames.size > MAX_KNOWN_NAMES) this.#knownNames.clear();
    for (const { md5_str, a_time } of names) this.#knownNames.set(md5_str, Number(a_time));
  }
}

/** By host and time; of two for one second the first counts. */
function inOrder(batch: readonly HostInterval[]): HostInterval[] {
  const distinct = new Map<string, HostInterval>();
  for (const item of batch) {
    const key = `${utc(item.interval.endMs)} ${item.host}`;
    if (!distinct.has(key)) distinct.set(key, item);
  }
  return [...distinct.values()].sort(
    (a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : 0) || a.interval.endMs - b.interval.endMs,
  );
}

async function missing(session: Session, intervals: readonly HostInterval[]): Promise<HostInterval[]> {
  const keys = intervals.map(({ host, interval }) => [host, utc(interval.endMs)]);
  const found = await session.rows(
    `SELECT rshost, UNIX_TIMESTAMP(a_time) AS a_time FROM ${HOST_INFO.name}
    WHERE ${keys.map(() => '(rshost = ? AND a_time = ?)').join(' OR ')}`,
    keys.flat(),
  );
  const there = new Set(found.map(({ rshost, a_time }) => `${a_time} ${rshost}`));
  return intervals.filter(({ host, interval }) => !there.has(`${Math.floor(interval.endMs / 1000)} ${host}`));
}

async function insert(session: Session, table: Table, rows: readonly Fields[]): Promise<void> {
  const names = table.columns.map(({ name }) => name).join(', ');
  for (let from = 0; from < rows.length; from += ROWS_PER_STATEMENT) {
    const values = rows.slice(from, from + ROWS_PER_STATEMENT).map((fields) => rowValues(table.columns, fields));
    await session.change(`INSERT INTO ${table.name} (${names}) VALUES ?`, [values]);
  }
}

/** Ordered, so that two servers that write the same names do not wait for each other in a circle. */
async function insertNames(session: Session, names: readonly NameFields[]): Promise<void> {
  const ordered = names.toSorted((a, b) => (a.md5_str < b.md5_str ? -1 : 1));
  const columns = PROCESS_INFO.columns.map(({ name }) => name).join(', ');
  for (let from = 0; from < ordered.length; from += NAMES_PER_STATEMENT) {
    const part = ordered.slice(from, from + NAMES_PER_STATEMENT);
    await session.change(
      `INSERT INTO ${PROCESS_INFO.name} (${columns}) VALUES ?
      ON DUPLICATE KEY UPDATE a_time = GREATEST(a_time, VALUES(a_time))`,
      [part.map((fields) => rowValues(PROCESS_INFO.columns, fields))],
    );
  }
}

function rowValues(columns: readonly Column[], fields: Fields): SqlValue[] {
  return columns.map(({ name, kind }) => {
    const value = fields[name] ?? null;
    return kind === 'time' && value !== null ? utc(Number(value)) : value;
  });
}
