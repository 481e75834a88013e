import { Problem } from '../problem.ts';
import type { StoreErrorCode } from './store.ts';

/** Errors that concern what was sent, not the connection, have a state of the SQL standard. */
interface SqlError extends Error {
  errno?: number;
  sqlState?: string;
}

const AWAY: [StoreErrorCode, string] = ['ERR_STORE_AWAY', 'takes no connections at the moment'];
const ACCESS = 'check [Monitor] mysql_user and mysql_pass, and grant it select, insert, update, delete';

/** By number, https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html; MariaDB and TiDB keep to them. */
const PROBLEMS: Record<number, [StoreErrorCode, string]> = {
  // Too many connections; of this user; over its limits; this host is blocked; shutting down; killed.
  1040: AWAY,
  1203: AWAY,
  1226: AWAY,
  1129: AWAY,
  1053: AWAY,
  1927: AWAY,
  1044: ['ERR_STORE_ACCESS', `does not let this user into the database: ${ACCESS}`],
  1045: ['ERR_STORE_ACCESS', `refuses the user or its password: ${ACCESS}`],
  1142: ['ERR_STORE_ACCESS', `does not let this user do that: ${ACCESS}`],
  1143: ['ERR_STORE_ACCESS', `does not let this user do that: ${ACCESS}`],
  1698: ['ERR_STORE_ACCESS', `refuses the user or its password: ${ACCESS}`],
  1049: ['ERR_STORE_SCHEMA', 'has no such database: make it with procmesh init-db'],
  1054: ['ERR_STORE_SCHEMA', 'has tables that lack columns: bring them up to date with procmesh init-db'],
  1146: ['ERR_STORE_SCHEMA', 'lacks tables: make them with procmesh init-db'],
  1290: ['ERR_STORE_ACCESS', 'is read-only: point [Monitor] mysql_host to the one that may be written'],
  1792: ['ERR_STORE_ACCESS', 'is read-only: point [Monitor] mysql_host to the one that may be written'],
  1836: ['ERR_STORE_ACCESS', 'is read-only: point [Monitor] mysql_host to the one that may be written'],
  1021: ['ERR_STORE_FULL', 'has no room on its disk: make room, or lower [global] retention_day'],
  1030: ['ERR_STORE_IO', 'could not read or write its files: look into its error log'],
  1114: ['ERR_STORE_FULL', 'has no room left in a table: make room, or lower [global] retention_day'],
  1205: ['ERR_STORE_LOCKED', 'keeps rows locked for another client'],
  1213: ['ERR_STORE_LOCKED', 'broke a deadlock with another client'],
};

/** "Got error 28 from storage engine": ENOSPC. */
const NO_SPACE = /\berror: ?28\b|\berror 28\b/;

/** What the user can do about an error of MySQL or of the way to it; any other error is handed back as it is. */
export function mysqlError(where: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof Problem) return error;
  // The statement would go into the log with it: a thousand rows, and the command lines of a host.
  if ('sql' in error) delete error.sql;
  const [code, text] = problemOf(error) ?? [];
  return code === undefined ? error : new Problem(code, `MySQL at ${where} ${text}`, { cause: error });
}

function problemOf(error: SqlError): [StoreErrorCode, string] | undefined {
  if (error.errno === 1030 && NO_SPACE.test(error.message)) return PROBLEMS[1021];
  const known = PROBLEMS[error.errno ?? 0];
  if (known !== undefined) return known;
  // Data exceptions of the SQL standard, and a text that the column's character set does not have.
  if (error.sqlState?.startsWith('22') || error.errno === 1366)
    return ['ERR_STORE_REFUSED', `does not take a value (${error.message})`];
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'PROTOCOL_SEQUENCE_TIMEOUT') return ['ERR_STORE_SLOW', 'has not answered in time'];
  if (error.sqlState === undefined && code !== '')
    return ['ERR_STORE_AWAY', `cannot be reached (${code}): start it, or correct [Monitor] mysql_host`];
  return undefined;
}

/** Whether a connection can go on after this error: what the server refused has a state of the SQL standard. */
export function isConnectionSound(error: unknown): boolean {
  return error instanceof Error && (error as SqlError).sqlState !== undefined && (error as SqlError).errno !== 1927;
}

export function isDuplicate(error: unknown): boolean {
  return error instanceof Error && (error as SqlError).errno === 1062;
}

/** The account may not do that. */
export function isDenied(error: unknown): boolean {
  return error instanceof Error && [1044, 1142, 1227].includes((error as SqlError).errno ?? 0);
}

/** Broken off for the sake of another client; a cluster says so too when another of its servers was faster. */
export function isDeadlock(error: unknown): boolean {
  return error instanceof Error && (error as SqlError).errno === 1213;
}

/** Others hold what it would have to wait for. */
export function isLocked(error: unknown): boolean {
  return error instanceof Error && (error as SqlError).errno === 1205;
}
