import { hash } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { intervalRows, nameRow, type Values, type Writing } from './rows.ts';
import { KNOWN_HOSTS } from './sqlite-read.ts';
import { transaction } from './sqlite-transaction.ts';
import type { HostInterval } from './store.ts';
import type { Table } from './table.ts';
import { ALERT_INFO, FORGET_SLACK_MS, HOST_INFO, HOST_LAST, INTERVAL_PARTS, PROCESS_INFO } from './tables.ts';

const PLAIN: Writing = { time: (epochMs) => epochMs, md5: (text) => hash('md5', text) };

/** Writes and deletes whole intervals. Synchronous: lives in a thread of its own. */
export class SqliteWriter {
  readonly #db: DatabaseSync;
  readonly #insertHost: Insert;
  readonly #insertLast: Insert;
  readonly #insertParts: ReadonlyMap<Table, Insert>;
  readonly #insertNames: Insert;
  readonly #knownHosts: StatementSync;
  readonly #oldest: StatementSync;
  readonly #deleteParts: StatementSync[];
  readonly #deleteHost: StatementSync;
  readonly #forgetNames: StatementSync;
  readonly #forgetAlerts: StatementSync;
  readonly #forgetHosts: StatementSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#insertHost = insert(db, HOST_INFO);
    this.#insertLast = insert(
      db,
      HOST_LAST,
      'ON CONFLICT (rshost) DO UPDATE SET a_time = max(a_time, excluded.a_time)',
    );
    this.#insertParts = new Map(INTERVAL_PARTS.map((table) => [table, insert(db, table)]));
    this.#insertNames = insert(
      db,
      PROCESS_INFO,
      `ON CONFLICT (md5_str) DO UPDATE SET a_time = excluded.a_time WHERE ${PROCESS_INFO.name}.a_time < excluded.a_time - ${FORGET_SLACK_MS}`,
    );
    this.#knownHosts = db.prepare(KNOWN_HOSTS);
    this.#oldest = db.prepare(
      `SELECT a_time FROM ${HOST_INFO.name} WHERE rshost = ? AND a_time < ? ORDER BY a_time LIMIT ?`,
    );
    this.#deleteParts = INTERVAL_PARTS.map((table) => deleteInterval(db, table));
    this.#deleteHost = deleteInterval(db, HOST_INFO);
    this.#forgetAlerts = db.prepare(`DELETE FROM ${ALERT_INFO.name} WHERE a_time < ?`);
    this.#forgetHosts = db.prepare(`DELETE FROM ${HOST_LAST.name} WHERE a_time < ?`);
    this.#forgetNames = db.prepare(
      `DELETE FROM ${PROCESS_INFO.name} WHERE md5_str IN (SELECT md5_str FROM ${PROCESS_INFO.name} WHERE a_time < ? LIMIT ?)`,
    );
  }

  write(batch: readonly HostInterval[]): void {
    transaction(this.#db, 'write', () => {
      for (const item of batch) this.#writeInterval(item);
    });
  }

  /** See `Store.prune`. */
  prune(beforeMs: number, maxRows: number): number {
    return transaction(this.#db, 'write', () => {
      let deleted = 0;
      for (const { rshost } of this.#knownHosts.all()) {
        for (const { a_time } of this.#oldest.all(String(rshost), beforeMs, maxRows)) {
          for (const statement of [...this.#deleteParts, this.#deleteHost])
            deleted += Number(statement.run(String(rshost), Number(a_time)).changes);
          if (deleted >= maxRows) return deleted;
        }
      }
      // No older interval is left, so nothing refers to what was last used this long ago.
      return [
        this.#forgetNames.run(beforeMs - FORGET_SLACK_MS, maxRows - deleted),
        this.#forgetAlerts.run(beforeMs),
        this.#forgetHosts.run(beforeMs),
      ].reduce((sum, { changes }) => sum + Number(changes), deleted);
    });
  }

  #writeInterval(item: HostInterval): void {
    const { endMs } = item.interval;
    const { host, last, names, parts } = intervalRows(item, PLAIN);
    const isNew = this.#insertHost(host);
    if (!isNew) return;
    this.#insertLast(last);
    for (const [text, process] of names) this.#insertNames(nameRow(text, process, endMs, PLAIN));
    for (const [table, rows] of parts) for (const row of rows) this.#insertParts.get(table)?.(row);
  }
}

/** @returns whether the row is new. */
type Insert = (row: Values) => boolean;

function insert(db: DatabaseSync, table: Table, onConflict = 'ON CONFLICT DO NOTHING'): Insert {
  const names = table.columns.map(({ name }) => name);
  const statement = db.prepare(
    `INSERT INTO ${table.name} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')}) ${onConflict}`,
  );
  return (row) => statement.run(...row).changes === 1;
}

function deleteInterval(db: DatabaseSync, table: Table): StatementSync {
  return db.prepare(`DELETE FROM ${table.name} WHERE rshost = ? AND a_time = ?`);
}
