import type { Connection as CoreConnection } from 'mysql2';
import {
  type Connection,
  createPool,
  type Pool,
  type PoolConnection,
  type ResultSetHeader,
  type RowDataPacket,
} from 'mysql2/promise';
import { Problem } from '../problem.ts';
import { isConnectionSound, mysqlError } from './mysql-errors.ts';
import { SCHEMA_TABLE } from './mysql-schema.ts';
import { SCHEMA_VERSION } from './tables.ts';

export interface MysqlAddress {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Another client's lock is waited for this long, where the deadline leaves time to say so. */
const LOCK_WAIT_S = 5;

/** Also what is sent at once to a statement with many rows: well below any server's max_allowed_packet. */
export const ROWS_PER_STATEMENT = 1_000;

export function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** A value, or rows of values for `VALUES ?`. */
export type SqlValue = string | number | Buffer | null | readonly SqlValue[];

/** One connection, as long as some work of ours has it. */
export class Session {
  readonly #connection: Connection;
  readonly #deadlineMs: number;

  /** @param deadlineMs of each statement. */
  constructor(connection: Connection, deadlineMs: number) {
    this.#connection = connection;
    this.#deadlineMs = deadlineMs;
  }

  /** @returns the rows of a SELECT. */
  async rows(sql: string, values: readonly SqlValue[] = []): Promise<RowDataPacket[]> {
    const [rows] = await this.#connection.query<RowDataPacket[]>(this.#options(sql, values));
    return rows;
  }

  /** Row by row, as arrays, no more of them in memory than have come meanwhile. */
  stream(sql: string, values: readonly SqlValue[]): AsyncIterable<SqlValue[]> {
    // The wrapper that makes promises of callbacks has no streams.
    const core = (this.#connection as PoolConnection).connection as unknown as CoreConnection;
    const query = core.query({ ...this.#options(sql, values), rowsAsArray: true });
    return query.stream({ highWaterMark: ROWS_PER_STATEMENT });
  }

  /** @returns rows that were changed. */
  async change(sql: string, values: readonly SqlValue[] = []): Promise<number> {
    const [result] = await this.#connection.query<ResultSetHeader>(this.#options(sql, values));
    return result.affectedRows;
  }

  /** All of the work or none of it; with `read` it sees one state throughout. */
  async transaction<T>(kind: 'read' | 'write', work: () => Promise<T>): Promise<T> {
    await this.change(kind === 'read' ? 'START TRANSACTION WITH CONSISTENT SNAPSHOT' : 'START TRANSACTION');
    try {
      const result = await work();
      await this.change('COMMIT');
      return result;
    } catch (error) {
      if (isConnectionSound(error)) await this.change('ROLLBACK');
      throw error;
    }
  }

  #options(sql: string, values: readonly SqlValue[]): { sql: string; values: SqlValue[]; timeout: number } {
    return { sql, values: [...values], timeout: this.#deadlineMs };
  }
}

/** What the tables are like; 0 where that was never written down. */
export async function schemaVersion(session: Session): Promise<number> {
  const [row] = await session.rows(`SELECT MAX(version) AS version FROM ${SCHEMA_TABLE}`);
  return Number(row?.version ?? 0);
}

/**
 * A few connections to one server, made when they are needed, each with a session of ours: times are UTC, and a value that
 * does not fit is an error.
 */
export class Sessions {
  readonly #where: string;
  readonly #pool: Pool;
  readonly #deadlineMs: number;
  readonly #prepared = new WeakSet<object>();
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;

  /** @param limits `waiting` more than `connections` may ask at once; each statement has a deadline. */
  constructor(address: MysqlAddress, limits: { connections: number; waiting: number; deadlineMs: number }) {
    const { host, port, user, password, database } = address;
    this.#where = `${host}:${port}`;
    this.#deadlineMs = limits.deadlineMs;
    this.#pool = createPool({
      // By name: what else the configuration knows of MySQL is none of the pool's, which complains of it.
      ...{ host, port, user, password, database },
      ...{ connectionLimit: limits.connections, queueLimit: limits.waiting, connectTimeout: CONNECT_TIMEOUT_MS },
      ...{ timezone: 'Z', charset: 'utf8mb4', decimalNumbers: true },
    });
  }

  /** @throws Problem with a `StoreErrorCode`, or what the work threw. */
  async with<T>(work: (session: Session) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Problem('ERR_STORE_CLOSED', 'the store is closed');
    const running = this.#run(work);
    this.#running.add(running);
    try {
      return await running;
    } catch (error) {
      throw mysqlError(this.#where, error);
    } finally {
      this.#running.delete(running);
    }
  }

  /** Lets what was asked before finish; later questions are refused. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.allSettled(this.#running);
    // A connection that was never made cannot be ended well; it is gone all the same.
    await this.#pool.end().catch(() => undefined);
  }

  async #run<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const connection = await this.#acquire();
    try {
      const session = new Session(connection, this.#deadlineMs);
      if (!this.#prepared.has(connection.connection)) await this.#prepare(connection.connection, session);
      const result = await work(session);
      connection.release();
      return result;
    } catch (error) {
      if (isConnectionSound(error)) connection.release();
      else connection.destroy();
      throw error;
    }
  }

  async #acquire(): Promise<PoolConnection> {
    const asked = this.#pool.getConnection();
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      asked.then((connection) => connection.release()).catch(() => undefined);
      reject(new Problem('ERR_STORE_BUSY', `MySQL at ${this.#where} has been busy with other questions for too long`));
    }, this.#deadlineMs);
    try {
      return await Promise.race([asked, late]);
    } catch (error) {
      if (!(error instanceof Error) || error.message !== 'Queue limit reached.') throw error;
      throw new Problem('ERR_STORE_BUSY', `too many questions wait for MySQL at ${this.#where}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  async #prepare(connection: object, session: Session): Promise<void> {
    // STRICT_ALL_TABLES would make MySQL refuse a lock_wait_timeout of 0, which it takes for 1.
    await session.change(
      `SET time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY',
        innodb_lock_wait_timeout = ${Math.min(LOCK_WAIT_S, Math.floor(this.#deadlineMs / 2_000))}`,
    );
    const version = await schemaVersion(session);
    if (version > SCHEMA_VERSION)
      throw new Problem(
        'ERR_STORE_NEWER',
        `MySQL at ${this.#where} holds tables of a newer procmesh (schema ${version}, this one knows ${SCHEMA_VERSION}): install that version`,
      );
    if (version < SCHEMA_VERSION)
      throw new Problem(
        'ERR_STORE_SCHEMA',
        `MySQL at ${this.#where} holds tables of an older procmesh: bring them up to date with procmesh init-db`,
      );
    this.#prepared.add(connection);
  }
}
