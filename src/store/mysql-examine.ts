import { type MysqlAddress, Sessions } from './mysql-sessions.ts';
import { TABLES } from './tables.ts';

const DEADLINE_MS = 5_000;

export interface MysqlFindings {
  version: string;
  /** Whether it may make and drop days. */
  mayAlter: boolean;
  /** How far the clock of the database is ahead of ours. */
  clockOffsetMs: number;
}

/** Tries what the server does at run time, and changes nothing. @throws Problem with what does not work. */
export async function examineMysql(address: MysqlAddress): Promise<MysqlFindings> {
  const sessions = new Sessions(address, { connections: 1, waiting: 1, deadlineMs: DEADLINE_MS });
  try {
    return await sessions.with(async (session) => {
      for (const { name, columns, key } of TABLES) {
        const names = columns.map((column) => column.name).join(', ');
        await session.change(`INSERT INTO ${name} (${names}) SELECT ${names} FROM ${name} WHERE 1 = 0`);
        await session.change(`UPDATE ${name} SET ${key[0]} = ${key[0]} WHERE 1 = 0`);
        await session.change(`DELETE FROM ${name} WHERE 1 = 0`);
      }
      const before = Date.now();
      const [row] = await session.rows(
        `SELECT VERSION() AS version, UNIX_TIMESTAMP(NOW(3)) * 1000 AS nowMs,
          (SELECT COUNT(DISTINCT PRIVILEGE_TYPE) FROM (
            SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES
            UNION ALL SELECT PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES
              WHERE REPLACE(TABLE_SCHEMA, '\\\\', '') = DATABASE()
          ) held WHERE PRIVILEGE_TYPE IN ('ALTER', 'CREATE', 'DROP')) AS privileges`,
      );
      const middle = (before + Date.now()) / 2;
      const clockOffsetMs = Math.round(Number(row?.nowMs) - middle);
      return { version: String(row?.version), mayAlter: Number(row?.privileges) === 3, clockOffsetMs };
    });
  } finally {
    await sessions.close();
  }
}
