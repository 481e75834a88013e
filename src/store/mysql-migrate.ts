import { type Connection, type ConnectionOptions, createConnection } from 'mysql2/promise';
import { Problem } from '../problem.ts';
import { mysqlError } from './mysql-errors.ts';
import { makeDays } from './mysql-retention.ts';
import { CREATE_SCHEMA_TABLE, createTable, declaration, indexed, SCHEMA_TABLE, typeOf } from './mysql-schema.ts';
import { Session, schemaVersion } from './mysql-sessions.ts';
import type { Table } from './table.ts';
import { HOST_CONFIG, SCHEMA_VERSION, TABLES } from './tables.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** Adding a column may copy a table, and nobody waits for an administrator's command but the administrator. */
const STATEMENT_TIMEOUT_MS = 24 * 3_600_000;

/** How an administrator gets in: by an address or by a socket of this machine. */
export type AdminAccess = Pick<ConnectionOptions, 'host' | 'port' | 'socketPath' | 'user' | 'password'>;

/**
 * Makes the database and its tables, or brings older ones up to date; what is as it should be is left alone.
 * @param onWork is told of what may take long, before it begins.
 * @returns what was done with each table.
 * @throws Problem with a `StoreErrorCode`.
 */
export async function initDatabase(
  access: AdminAccess,
  database: string,
  onWork: (text: string) => void,
): Promise<{ table: string; done: string }[]> {
  const where = access.socketPath ?? `${access.host}:${access.port}`;
  let connection: Connection | undefined;
  try {
    connection = await createConnection({
      ...{ ...access, charset: 'utf8mb4', timezone: 'Z', decimalNumbers: true, connectTimeout: CONNECT_TIMEOUT_MS },
    });
    return await migrate(new Session(connection, STATEMENT_TIMEOUT_MS), database, onWork);
  } catch (error) {
    throw mysqlError(where, error);
  } finally {
    connection?.destroy();
  }
}

async function migrate(
  session: Session,
  database: string,
  onWork: (text: string) => void,
): Promise<{ table: string; done: string }[]> {
  await session.change("SET time_zone = '+00:00'");
  await session.change(
    `CREATE DATABASE IF NOT EXISTS \`${database}\` DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
  );
  await session.change(`USE \`${database}\``);
  const existing = await columnsOf(session);
  const version = existing.has(SCHEMA_TABLE) ? await schemaVersion(session) : 0;
  if (version > SCHEMA_VERSION)
    throw new Problem(
      'ERR_STORE_NEWER',
      `${database} holds tables of a newer procmesh (schema ${version}, this one knows ${SCHEMA_VERSION}): use that version`,
    );
  const tables: { table: string; done: string }[] = [];
  for (const table of TABLES)
    tables.push({ table: table.name, done: await bring(session, table, existing, version, onWork) });
  await session.change(CREATE_SCHEMA_TABLE);
  await session.change(`INSERT IGNORE INTO ${SCHEMA_TABLE} (version) VALUES (?)`, [SCHEMA_VERSION]);
  await makeDays(session, Date.now());
  const done = version === SCHEMA_VERSION ? 'as it is' : `version ${SCHEMA_VERSION}`;
  return [...tables, { table: SCHEMA_TABLE, done }];
}

/** Types of columns by table and name. */
type Columns = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** @returns what was done with it. */
async function bring(
  session: Session,
  table: Table,
  existing: Columns,
  version: number,
  onWork: (text: string) => void,
): Promise<string> {
  const { name, columns, index } = table;
  const found = existing.get(name);
  if (found === undefined) {
    await session.change(createTable(table));
    return 'made';
  }
  // Its list of hosts is the predecessor's, and goes on being used.
  if (table === HOST_CONFIG) return widen(session, table, found);
  if (version === 0 && !columns.every((column) => found.get(column.name) === typeOf(column))) {
    const kept = `${name}_before`;
    if (existing.has(kept))
      throw new Problem(
        'ERR_STORE_UNRECOGNISED',
        `${name} is not a table of procmesh: rename it, as ${kept} is there too`,
      );
    await session.change(`RENAME TABLE ${name} TO ${kept}`);
    await session.change(createTable(table));
    return `made; the one of another program is kept as ${kept}`;
  }
  const missing = columns.filter((column) => !found.has(column.name));
  const isIndexed = index === undefined || (await hasIndex(session, name, index));
  if (missing.length === 0 && isIndexed) return 'as it is';
  onWork(`${name}: adding columns, which may copy the table`);
  const additions = missing.map((column) => `ADD COLUMN ${declaration(column)}`);
  if (!isIndexed) additions.push(`ADD ${indexed(index)}`);
  await session.change(`ALTER TABLE ${name} ${additions.join(', ')}`);
  return `added ${[...missing.map((column) => column.name), ...(isIndexed ? [] : [`an index on ${index}`])].join(', ')}`;
}

async function hasIndex(session: Session, table: string, column: string): Promise<boolean> {
  const [found] = await session.rows(
    `SELECT 1 FROM information_schema.STATISTICS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND COLUMN_NAME = ? AND SEQ_IN_INDEX = 1 LIMIT 1`,
    [table, column],
  );
  return found !== undefined;
}

async function widen(session: Session, { name, columns }: Table, found: ReadonlyMap<string, string>): Promise<string> {
  const [type] = await session.rows(
    `SELECT CHARACTER_MAXIMUM_LENGTH AS length FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND COLUMN_NAME = 'rshost'`,
    [name],
  );
  if (columns.every((column) => found.get(column.name) === typeOf(column)) && type?.length === 255) return 'as it is';
  await session.change(`ALTER TABLE ${name} ${columns.map((column) => `MODIFY ${declaration(column)}`).join(', ')}`);
  return 'kept, its columns made wider';
}

async function columnsOf(session: Session): Promise<Columns> {
  const rows = await session.rows(
    `SELECT TABLE_NAME AS name, COLUMN_NAME AS col, LOWER(DATA_TYPE) AS type FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE()`,
  );
  const tables = new Map<string, Map<string, string>>();
  for (const { name, col, type } of rows) {
    const columns = tables.get(name) ?? new Map<string, string>();
    tables.set(name, columns.set(col, type));
  }
  return tables;
}
