import { createConnection } from 'mysql2/promise';
import { isDenied, mysqlError } from './mysql-errors.ts';
import type { MysqlAddress } from './mysql-sessions.ts';
import { ALERT_INFO, HOST_CONFIG } from './tables.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const DEADLINE_MS = 5_000;

/** What agents do with the account that they are given. */
const NEEDED = `INSERT INTO ${ALERT_INFO.name} (rshost, a_time, kind, istate, remarks)
  SELECT rshost, a_time, kind, istate, remarks FROM ${ALERT_INFO.name} WHERE 1 = 0`;
/** None of it may be left to whoever takes over a host. */
const TOO_MUCH = [
  `UPDATE ${ALERT_INFO.name} SET istate = istate WHERE 1 = 0`,
  `DELETE FROM ${ALERT_INFO.name} WHERE 1 = 0`,
  `SELECT rshost FROM ${HOST_CONFIG.name} WHERE 1 = 0`,
];

/**
 * Tries what an agent does when no server is left, and what it must not be able to do; changes nothing.
 * @returns whether the account may do more than it needs. @throws Problem with what does not work.
 */
export async function examineAlertAccount(address: MysqlAddress): Promise<{ mayDoMore: boolean }> {
  try {
    const connection = await createConnection({ ...address, connectTimeout: CONNECT_TIMEOUT_MS });
    connection.on('error', () => undefined);
    const isAllowed = async (sql: string): Promise<boolean> => {
      try {
        await connection.query({ sql, timeout: DEADLINE_MS });
        return true;
      } catch (error) {
        if (isDenied(error)) return false;
        throw error;
      }
    };
    try {
      await connection.query({ sql: NEEDED, timeout: DEADLINE_MS });
      for (const sql of TOO_MUCH) if (await isAllowed(sql)) return { mayDoMore: true };
      return { mayDoMore: false };
    } finally {
      connection.destroy();
    }
  } catch (error) {
    throw mysqlError(`${address.host}:${address.port}`, error);
  }
}
