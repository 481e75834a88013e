import { readFileSync } from 'node:fs';
import type { MysqlAddress } from '../../src/store/mysql-sessions.ts';
import type { MariaDb } from '../support/mariadb.ts';

/** The rights that the documentation asks for, and those that make retention cheaper. */
export const RIGHTS = 'select, insert, update, delete';
export const MORE_RIGHTS = `${RIGHTS}, alter, create, drop`;
/** And those of the account that agents are given. */
export const ALERT_RIGHTS = 'select, insert on dbzz_monitor.tb_monitor_alert_info';

/** The tables of init.sql in an otherwise empty server, and an account for the server that has these rights on them. */
export async function emptyDatabase(
  mariadb: MariaDb,
  rights = RIGHTS,
): Promise<{ address: MysqlAddress; remove: () => Promise<void> }> {
  mariadb.script(`DROP DATABASE IF EXISTS dbzz_monitor;
    ${readFileSync(new URL('../../init/init.sql', import.meta.url), 'utf8')}
    CREATE OR REPLACE USER monitor_rw@'127.0.0.1' IDENTIFIED BY 'pass2';
    GRANT ${rights} ON dbzz_monitor.* TO monitor_rw@'127.0.0.1';`);
  const { port } = mariadb;
  return {
    address: { host: '127.0.0.1', port, user: 'monitor_rw', password: 'pass2', database: 'dbzz_monitor' },
    remove: async () => void mariadb.script('DROP DATABASE dbzz_monitor;'),
  };
}
