import { isDenied, isLocked } from './mysql-errors.ts';
import { DAILY_TABLES, REST } from './mysql-schema.ts';
import type { Session } from './mysql-sessions.ts';
import { utc, utcFrom } from './mysql-time.ts';
import { ALERT_INFO, FORGET_SLACK_MS, HOST_INFO, HOST_LAST, INTERVAL_PARTS, PROCESS_INFO } from './tables.ts';

const DAY_MS = 86_400_000;
/** Days that have a partition before they begin. */
const DAYS_AHEAD = 3;

interface Partition {
  table: string;
  name: string;
  /** The first instant that does not belong to it, epoch ms; the rest has none. */
  endMs: number | undefined;
  /** About how many. */
  rows: number;
}

/**
 * Forgets what is old. An account that may alter the tables drops whole days at once and makes those to come; another
 * deletes, a few intervals at a time.
 */
export class MysqlRetention {
  #mayAlter = true;
  /** The host whose intervals are deleted at the moment; those before it, by name, have none left that are old. */
  #host = '';

  /** See `Store.prune`. */
  async prune(session: Session, beforeMs: number, maxRows: number): Promise<number> {
    if (this.#mayAlter) {
      try {
        const dropped = await dropOldest(session, beforeMs);
        if (dropped > 0) return dropped;
        await makeDays(session, Date.now());
      } catch (error) {
        if (isDenied(error)) this.#mayAlter = false;
        // Somebody reads the table for long: nobody is made to wait for that, it is tried again.
        else if (!isLocked(error)) throw error;
      }
    }
    const deleted = await this.#deleteIntervals(session, beforeMs, maxRows);
    // No older interval is left, so nothing refers to what was last used this long ago.
    return deleted >= maxRows ? deleted : deleted + (await forget(session, beforeMs, maxRows - deleted));
  }

  async #deleteIntervals(session: Session, beforeMs: number, maxRows: number): Promise<number> {
    const before = utcFrom(beforeMs);
    const hosts = await session.rows(`SELECT rshost FROM ${HOST_LAST.name} WHERE rshost >= ? ORDER BY rshost`, [
      this.#host,
    ]);
    let deleted = 0;
    for (const { rshost } of hosts) {
      this.#host = rshost;
      while (deleted < maxRows) {
        const lastMs = await lastOfStep(session, rshost, before, maxRows - deleted);
        if (lastMs === undefined) break;
        deleted += await deleteUntil(session, rshost, lastMs);
      }
      if (deleted >= maxRows) return deleted;
    }
    this.#host = '';
    return deleted;
  }
}

/**
 * Cuts today and the next days off the rest, as long as there is nothing in it that would have to be moved.
 * @param nowMs the clock, epoch ms.
 */
export async function makeDays(session: Session, nowMs: number): Promise<void> {
  const partitions = await partitionsOf(session);
  const today = Math.floor(nowMs / DAY_MS) * DAY_MS;
  const last = today + DAYS_AHEAD * DAY_MS;
  for (const { name: table } of DAILY_TABLES) {
    const ends = partitions.flatMap((partition) => (partition.table === table ? (partition.endMs ?? []) : []));
    const first = Math.max(today, ...ends);
    if (first > last || (await session.rows(`SELECT 1 FROM ${table} PARTITION (${REST}) LIMIT 1`)).length > 0) continue;
    const days = Array.from({ length: (last - first) / DAY_MS + 1 }, (_, index) => day(first + index * DAY_MS));
    const parts = [...days, `PARTITION ${REST} VALUES LESS THAN (MAXVALUE)`].join(', ');
    await alter(session, `ALTER TABLE ${table} REORGANIZE PARTITION ${REST} INTO (${parts})`);
  }
}

function day(startMs: number): string {
  const name = utc(startMs).slice(0, 10).replaceAll('-', '');
  return `PARTITION p${name} VALUES LESS THAN (${(startMs + DAY_MS) / 1000})`;
}

/** @returns rows that went with the oldest day of one table, about; 0 when none of them is old enough. */
async function dropOldest(session: Session, beforeMs: number): Promise<number> {
  const partitions = await partitionsOf(session);
  const old = partitions.find(({ endMs }) => endMs !== undefined && endMs <= beforeMs);
  if (old === undefined) return 0;
  await alter(session, `ALTER TABLE ${old.table} DROP PARTITION ${old.name}`);
  return Math.max(1, old.rows);
}

/** By table, the parts of an interval before its row in `HOST_INFO`; of a table the oldest first, the rest last. */
async function partitionsOf(session: Session): Promise<Partition[]> {
  const names = DAILY_TABLES.map(({ name }) => name);
  const rows = await session.rows(
    `SELECT TABLE_NAME AS name, PARTITION_NAME AS part, PARTITION_DESCRIPTION AS bound, TABLE_ROWS AS held
    FROM information_schema.PARTITIONS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (?) AND PARTITION_NAME IS NOT NULL
    ORDER BY PARTITION_ORDINAL_POSITION`,
    [names],
  );
  return rows
    .map((row) => ({
      table: String(row.name),
      name: String(row.part),
      endMs: row.bound === 'MAXVALUE' ? undefined : Number(row.bound) * 1000,
      rows: Number(row.held),
    }))
    .sort((a, b) => names.indexOf(a.table) - names.indexOf(b.table));
}

/**
 * A change of a table waits for everybody who uses it, and everybody else then waits behind it: so it does not wait.
 * 0 is one second to MySQL, which knows no less.
 */
async function alter(session: Session, statement: string): Promise<void> {
  await session.change('SET lock_wait_timeout = 0');
  try {
    await session.change(statement);
  } finally {
    await session.change('SET lock_wait_timeout = DEFAULT');
  }
}

/** The end of the interval that fills a step of so many rows, or of the last one that is old; undefined when none is. */
async function lastOfStep(session: Session, host: string, before: string, rows: number): Promise<number | undefined> {
  const old = await session.rows(
    `SELECT UNIX_TIMESTAMP(a_time) * 1000 AS ended, recorded FROM ${HOST_INFO.name}
    WHERE rshost = ? AND a_time < ? ORDER BY a_time LIMIT ?`,
    [host, before, rows],
  );
  let left = rows;
  for (const { ended, recorded } of old) {
    left -= 1 + recorded;
    if (left <= 0) return ended;
  }
  return old.at(-1)?.ended;
}

function deleteUntil(session: Session, host: string, endMs: number): Promise<number> {
  return session.transaction('write', async () => {
    let deleted = 0;
    for (const { name } of [...INTERVAL_PARTS, HOST_INFO])
      deleted += await session.change(`DELETE FROM ${name} WHERE rshost = ? AND a_time <= ?`, [host, utc(endMs)]);
    return deleted;
  });
}

async function forget(session: Session, beforeMs: number, maxRows: number): Promise<number> {
  let forgotten = 0;
  for (const [{ name }, unusedMs] of [
    [PROCESS_INFO, beforeMs - FORGET_SLACK_MS],
    [ALERT_INFO, beforeMs],
    [HOST_LAST, beforeMs],
  ] as const)
    forgotten += await session.change(`DELETE FROM ${name} WHERE a_time < ? LIMIT ?`, [utcFrom(unusedMs), maxRows]);
  return forgotten;
}
