import type { DatabaseSync } from 'node:sqlite';
import type { Column, ColumnKind, Table } from './table.ts';
import { HOST_CONFIG, HOST_INFO, HOST_LAST, PROCESS_INFO, SCHEMA_VERSION, TABLES } from './tables.ts';

const TYPES: Record<ColumnKind, string> = {
  id: 'INTEGER',
  hash: 'TEXT',
  name: 'TEXT',
  path: 'TEXT',
  text: 'TEXT',
  time: 'INTEGER',
  epochMs: 'INTEGER',
  whole: 'INTEGER',
  figure: 'REAL',
};

/**
 * Brings an empty file, or one that an older procmesh made, to `SCHEMA_VERSION`. Columns that the catalogue has gained
 * since are added; older rows hold NULL there, or 0 where a figure is always known. Runs inside the caller's transaction.
 */
export function migrate(db: DatabaseSync): void {
  for (const table of TABLES) {
    const existing = db.prepare('SELECT name FROM pragma_table_info(?)').all(table.name);
    if (existing.length === 0) db.exec(createTable(table));
    const names = new Set(existing.length === 0 ? table.columns.map(({ name }) => name) : existing.map((c) => c.name));
    for (const column of table.columns)
      if (!names.has(column.name)) db.exec(`ALTER TABLE ${table.name} ADD COLUMN ${declaration(column)}`);
    if (table === HOST_INFO && names.has('start_time')) {
      // Version 1 kept where an interval began in place of its length.
      db.exec(`UPDATE ${table.name} SET length_ms = a_time - start_time`);
      db.exec(`ALTER TABLE ${table.name} DROP COLUMN start_time`);
      db.exec(`INSERT INTO ${HOST_LAST.name} SELECT rshost, max(a_time) FROM ${table.name} GROUP BY rshost`);
    }
  }
  for (const { name, unique, index } of TABLES) {
    if (unique) db.exec(`CREATE UNIQUE INDEX IF NOT EXISTS ${name}_${unique} ON ${name} (${unique})`);
    if (index) db.exec(`CREATE INDEX IF NOT EXISTS ${name}_${index} ON ${name} (${index})`);
  }
  // The documented `insert into tb_monitor_host_config select 0,'192.168.168.11',1` relies on MySQL, where id 0 means
  // the next one; without this the second such statement would collide with the first.
  db.exec(`
    CREATE TRIGGER IF NOT EXISTS tb_monitor_host_config_id AFTER INSERT ON ${HOST_CONFIG.name} WHEN new.id = 0 BEGIN
      UPDATE ${HOST_CONFIG.name} SET id = (SELECT max(id) + 1 FROM ${HOST_CONFIG.name}) WHERE id = 0;
    END;
  `);
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
}

/**
 * Time tables are WITHOUT ROWID: an interval's rows lie side by side in key order and there is no second index.
 * Command lines are too long for that to pay, and an id must be a rowid to number itself.
 */
function createTable(table: Table): string {
  const columns = table.columns.map(declaration).join(', ');
  const withRowid = table.columns.some(({ kind }) => kind === 'id') || table === PROCESS_INFO;
  return `CREATE TABLE ${table.name} (${columns}, PRIMARY KEY (${table.key.join(', ')})) STRICT${withRowid ? '' : ', WITHOUT ROWID'}`;
}

function declaration({ name, kind, optional }: Column): string {
  if (optional) return `${name} ${TYPES[kind]}`;
  // SQLite adds a NOT NULL column to a table that has rows only with a default.
  return `${name} ${TYPES[kind]} NOT NULL${kind === 'figure' || kind === 'whole' ? ' DEFAULT 0' : ''}`;
}
