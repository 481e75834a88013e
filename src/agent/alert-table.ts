import { createConnection, type ResultSetHeader, type RowDataPacket } from 'mysql2/promise';
import type { AlertAccess } from '../alert-channel/access.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const DEADLINE_MS = 10_000;
/** There is such a row; its lock was waited for too long; a deadlock with who inserts it. */
const LOST = new Set([1062, 1205, 1213]);

/**
 * Inserts what says that no server is left, unless an agent has done so lately. All times are by the database's clock.
 * The rows' seconds are whole multiples of five minutes, the last one and the one before: so whoever inserts at the same
 * time, on either side of such an edge, has a row with the same key, and one of all succeeds, whatever the database locks.
 * @returns whether this is the one that has to tell. @throws what the driver throws.
 */
export async function claim(access: AlertAccess, remarks: string): Promise<boolean> {
  const { host, port, user, password, database } = access;
  const connection = await createConnection({
    ...{ host, port, user, password, database, timezone: 'Z', charset: 'utf8mb4', decimalNumbers: true },
    connectTimeout: CONNECT_TIMEOUT_MS,
  });
  connection.on('error', () => undefined);
  const ask = { values: [] as unknown[], timeout: DEADLINE_MS };
  try {
    await connection.query({ ...ask, sql: "SET time_zone = '+00:00'" });
    const [[row]] = await connection.query<RowDataPacket[]>({ ...ask, sql: RECENT });
    const pauseMinutes = PAUSES_MINUTES[Math.ceil(Number(row?.rowsTold) / ROWS)];
    if (pauseMinutes === undefined) return false;
    const values = [remarks, pauseMinutes + SLOT_MINUTES];
    const [{ affectedRows }] = await connection.query<ResultSetHeader>({ ...ask, sql: CLAIM, values });
    return affectedRows === ROWS;
  } catch (error) {
    if (error instanceof Error && 'errno' in error && LOST.has(Number(error.errno))) return false;
    throw error;
  } finally {
    connection.destroy();
  }
}

const SLOT_MINUTES = 5;
const ROWS = 2;
/** After the n-th time within two hours; after the last there is silence until they are over. */
const PAUSES_MINUTES = [0, 5, 10, 20, 40];

const RECENT = `SELECT COUNT(*) AS rowsTold FROM tb_monitor_alert_info
  WHERE rshost = 'procmesh' AND kind = 'server' AND istate = 1 AND a_time > NOW() - INTERVAL 2 HOUR`;

const CLAIM = `INSERT INTO tb_monitor_alert_info (rshost, kind, istate, remarks, a_time)
  SELECT 'procmesh', 'server', 1, ?, FROM_UNIXTIME(FLOOR(UNIX_TIMESTAMP() / 300) * 300 - back)
  FROM (SELECT 0 AS back UNION ALL SELECT 300) slots
  WHERE NOT EXISTS (SELECT 1 FROM tb_monitor_alert_info
    WHERE rshost = 'procmesh' AND kind = 'server' AND istate = 1 AND a_time > NOW() - INTERVAL ? MINUTE)`;
