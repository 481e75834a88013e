import { createHash } from 'node:crypto';
import { isDuplicate } from './mysql-errors.ts';
import { ROWS_PER_STATEMENT, type Session } from './mysql-sessions.ts';
import { utc } from './mysql-time.ts';
import { intervalRows, nameRow, type Values, type Writing } from './rows.ts';
import type { HostInterval } from './store.ts';
import type { Table } from './table.ts';
import { FORGET_SLACK_MS, HOST_INFO, HOST_LAST, INTERVAL_PARTS, PROCESS_INFO } from './tables.ts';

/** Command lines are up to 8 KB each. */
const NAMES_PER_STATEMENT = 100;
/** Some hundred bytes each; past that all are forgotten and written again. */
const MAX_KNOWN_NAMES = 100_000;
/** Another server may have written some of a batch since this one looked; it does not do so again and again. */
const MAX_ATTEMPTS = 5;

/** Of what somebody has deleted only in part the rest must not be in the way for ever. */
const AS_IT_IS = 'ON DUPLICATE KEY UPDATE rshost = rshost';
const LATER = 'ON DUPLICATE KEY UPDATE a_time = GREATEST(a_time, VALUES(a_time))';

interface Name {
  md5: Buffer;
  /** `a_time` of its row in `PROCESS_INFO` as it was written last; 0 before. */
  writtenMs: number;
}

/** Writes whole intervals, many hosts at once, each table's rows in the order of its key. */
export class MysqlWriter {
  /** By the text whose MD5 it is: hashing the names of every process again and again would be a tenth of the work. */
  readonly #names = new Map<string, Name>();
  readonly #writing: Writing = { time: utc, md5: (text) => this.#name(text).md5 };

  /** All intervals in one transaction; those that are there already stay as they are. */
  async write(session: Session, batch: readonly HostInterval[]): Promise<void> {
    let wanted = inOrder(batch);
    for (let attempt = 1; wanted.length > 0; attempt += 1) {
      const intervals = wanted;
      try {
        const names = await session.transaction('write', () =>
          this.#insert(session, intervals, attempt === 1 ? '' : AS_IT_IS),
        );
        for (const [text, endMs] of names) this.#name(text).writtenMs = endMs;
        if (this.#names.size > MAX_KNOWN_NAMES) this.#names.clear();
        return;
      } catch (error) {
        // The usual case costs nothing: what is there already is looked for only when something of a batch is.
        if (!isDuplicate(error) || attempt === MAX_ATTEMPTS) throw error;
        wanted = await missing(session, wanted);
      }
    }
  }

  /** @returns the names that it wrote, and when they were used last. */
  async #insert(
    session: Session,
    intervals: readonly HostInterval[],
    onDuplicatePart: string,
  ): Promise<Map<string, number>> {
    const rows = intervals.map((item) => intervalRows(item, this.#writing));
    const hosts = rows.map(({ host }) => host);
    await insert(session, HOST_INFO, hosts);
    const lasts = rows.map(({ last }) => last);
    await insert(session, HOST_LAST, lasts, LATER);
    const written = new Map<string, number>();
    const names: Values[] = [];
    for (const [index, { interval }] of intervals.entries())
      for (const [text, process] of rows[index]?.names ?? []) {
        const knownMs = written.get(text) ?? this.#name(text).writtenMs;
        if (knownMs >= interval.endMs - FORGET_SLACK_MS) continue;
        written.set(text, interval.endMs);
        names.push(nameRow(text, process, interval.endMs, this.#writing));
      }
    await insertNames(session, names);
    for (const table of INTERVAL_PARTS) {
      const parts = rows.flatMap((one) => one.parts.get(table) ?? []);
      await insert(session, table, parts, onDuplicatePart);
    }
    return written;
  }

  #name(text: string): Name {
    let name = this.#names.get(text);
    if (name === undefined) {
      name = { md5: createHash('md5').update(text).digest(), writtenMs: 0 };
      this.#names.set(text, name);
    }
    return name;
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

async function insert(session: Session, table: Table, rows: readonly Values[], onDuplicate = ''): Promise<void> {
  const names = table.columns.map(({ name }) => name).join(', ');
  const size = table === PROCESS_INFO ? NAMES_PER_STATEMENT : ROWS_PER_STATEMENT;
  for (let from = 0; from < rows.length; from += size)
    await session.change(`INSERT INTO ${table.name} (${names}) VALUES ? ${onDuplicate}`, [
      rows.slice(from, from + size),
    ]);
}

/** Ordered, so that two servers that write the same names do not wait for each other in a circle. */
function insertNames(session: Session, names: readonly Values[]): Promise<void> {
  const ordered = names.toSorted(([a], [b]) => Buffer.compare(a as Buffer, b as Buffer));
  return insert(session, PROCESS_INFO, ordered, LATER);
}
