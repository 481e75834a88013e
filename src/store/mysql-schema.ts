import type { Column, ColumnKind, Table } from './table.ts';
import { HOST_INFO, INTERVAL_PARTS, TABLES } from './tables.ts';

export const DATABASE = 'dbzz_monitor';
/** One row per migration that was applied, `version` the highest. */
export const SCHEMA_TABLE = 'tb_monitor_schema';
/** Tables that are cut into days. */
export const DAILY_TABLES: readonly Table[] = [...INTERVAL_PARTS, HOST_INFO];
/** The partition of what belongs to no day that has one. */
export const REST = 'p_rest';

/** Names compare byte by byte: `/data` and `/Data` are two mount points. */
const OPTIONS = 'ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin';

const TYPES: Record<ColumnKind, string> = {
  id: 'bigint',
  hash: 'binary(16)',
  name: 'varchar(255)',
  path: 'varchar(500)',
  text: 'text',
  time: 'timestamp',
  epochMs: 'bigint',
  whole: 'int',
  figure: 'double',
};

/** SQL that MySQL 5.7 and 8, MariaDB and TiDB share; does nothing where the table is there. */
export function createTable(table: Table): string {
  const { name, comment, columns, key, unique, index } = table;
  const lines = [
    ...columns.map(declaration),
    `PRIMARY KEY (${key.join(', ')})`,
    ...(unique === undefined ? [] : [`UNIQUE KEY uk_${unique} (${unique})`]),
    ...(index === undefined ? [] : [indexed(index)]),
  ];
  const partitions = DAILY_TABLES.includes(table)
    ? `\nPARTITION BY RANGE (unix_timestamp(a_time)) (PARTITION ${REST} VALUES LESS THAN (MAXVALUE))`
    : '';
  return `CREATE TABLE IF NOT EXISTS ${name} (\n  ${lines.join(',\n  ')}\n) ${OPTIONS} COMMENT=${quoted(comment)}${partitions}`;
}

export const CREATE_SCHEMA_TABLE = `CREATE TABLE IF NOT EXISTS ${SCHEMA_TABLE} (
  version int NOT NULL COMMENT 'of these tables',
  a_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT 'when they were made or brought to it',
  PRIMARY KEY (version)
) ${OPTIONS} COMMENT='what the tables are like'`;

/** A column with its comment, as it is made and as it is added later. */
export function declaration(column: Column): string {
  return `${typed(column)} COMMENT ${quoted(column.comment)}`;
}

/** An index of a table, as it is made and as it is added later. */
export function indexed(column: string): string {
  return `KEY idx_${column} (${column})`;
}

function typed({ name, kind, optional }: Column): string {
  const type = `${name} ${TYPES[kind]}`;
  if (optional) return `${type} DEFAULT NULL`;
  switch (kind) {
    case 'id':
      return `${type} NOT NULL AUTO_INCREMENT`;
    case 'time':
      // Without a default of its own MySQL 5.7 would set the first timestamp of a table anew with each update.
      return `${type} NOT NULL DEFAULT CURRENT_TIMESTAMP`;
    case 'figure':
    case 'whole':
    case 'epochMs':
      return `${type} NOT NULL DEFAULT 0`;
    default:
      return `${type} NOT NULL`;
  }
}

/** `init/init.sql`: what `procmesh init-db` does to an empty server, for those who would rather read and run it themselves. */
export function initSql(version: number): string {
  return [
    '-- Made by `npm run generate` from src/store/tables.ts: run it as an administrator, or call `procmesh init-db`.',
    `CREATE DATABASE IF NOT EXISTS ${DATABASE} DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;`,
    `USE ${DATABASE};`,
    ...[...TABLES.map(createTable), CREATE_SCHEMA_TABLE].map((statement) => `\n${statement};`),
    `\nINSERT IGNORE INTO ${SCHEMA_TABLE} (version) VALUES (${version});\n`,
  ].join('\n');
}

/** As `information_schema.COLUMNS` calls it. */
export function typeOf({ kind }: Column): string {
  return TYPES[kind].replace(/[( ].*/, '');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
