import { statSync } from 'node:fs';
import type { Finding } from '../agent/abilities.ts';
import type { Config, MysqlConfig } from '../config.ts';
import { Problem } from '../problem.ts';
import { examineMysql } from '../store/mysql-examine.ts';

/** Clocks that are further apart make times of intervals and of alerts disagree. */
const MAX_CLOCK_OFFSET_MS = 2_000;

/** Whether the server can keep history where the configuration says. */
export async function databaseFindings({ mysql, dataDir }: Config, configFile: string): Promise<Finding[]> {
  if (mysql === undefined) return [{ check: 'history', state: 'ok', found: `SQLite in ${dataDir}` }];
  return [...(await database(mysql)), ...passwordFile(mysql, configFile)];
}

async function database(mysql: MysqlConfig): Promise<Finding[]> {
  const check = 'history';
  const where = `MySQL at ${mysql.host}:${mysql.port}`;
  try {
    const { version, mayAlter, clockOffsetMs } = await examineMysql(mysql);
    const rights = mayAlter ? 'drops old days at once' : 'deletes what is old row by row';
    const isTogether = Math.abs(clockOffsetMs) <= MAX_CLOCK_OFFSET_MS;
    const distance = `${Math.abs(clockOffsetMs / 1000).toFixed(1)} s ${clockOffsetMs < 0 ? 'behind' : 'ahead'}`;
    return [
      mayAlter
        ? { check, state: 'ok', found: `${where}, ${version}, ${rights}` }
        : {
            ...{ check, state: 'limited', found: `${where}, ${version}, ${rights}` },
            mend: `grant alter, create, drop on ${mysql.database}.* to ${mysql.user}, then procmesh init-db`,
          },
      isTogether
        ? { check: 'clock', state: 'ok', found: `that of MySQL is ${distance}` }
        : {
            check: 'clock',
            state: 'failed',
            found: `that of MySQL is ${distance}`,
            mend: 'run chrony or ntpd on both',
          },
    ];
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return [{ check, state: 'failed', found: error.message }];
  }
}

/** A password that everybody can read is none. */
function passwordFile({ password }: MysqlConfig, file: string): Finding[] {
  if (password === '' || process.env.PROCMESH_MONITOR_MYSQL_PASS !== undefined) return [];
  const isPrivate = (statSync(file).mode & 0o077) === 0;
  if (isPrivate) return [];
  const found = `${file} holds the password of MySQL and can be read by others`;
  return [{ check: 'password', state: 'limited', found, mend: `chmod 600 ${file}` }];
}
