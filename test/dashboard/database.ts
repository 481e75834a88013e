import { readFileSync } from 'node:fs';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { DAILY_TABLES, DATABASE, REST } from '../../src/store/mysql-schema.ts';
import type { Fields } from '../../src/store/records.ts';
import type { Table } from '../../src/store/table.ts';
import { MariaDb } from '../support/mariadb.ts';
import type { Data } from './data.ts';

const DAY = 86_400;
const ZONES = ['America/New_York', 'Asia/Shanghai'];
const PASSWORD = 'only reads';

/** The tables of `init/init.sql`, cut into days, on a server of the test's own. */
export class TestDatabase {
  readonly #server = new MariaDb();
  readonly #sessions: Connection[] = [];
  #admin: Connection | undefined;

  /** @param days epoch seconds at which the days begin that have a partition of their own. */
  async create(days: readonly number[]): Promise<this> {
    await this.#server.create();
    this.#server.loadTimeZones(ZONES);
    this.#server.script(readFileSync('init/init.sql', 'utf8'));
    this.#admin = await this.#server.admin(DATABASE);
    await this.#admin.query("SET time_zone = '+00:00'");
    for (const { name } of DAILY_TABLES) {
      const parts = days.map((day) => `PARTITION ${partition(day)} VALUES LESS THAN (${day + DAY})`);
      await this.#admin.query(
        `ALTER TABLE ${name} REORGANIZE PARTITION ${REST} INTO (${parts.join(', ')}, PARTITION ${REST} VALUES LESS THAN (MAXVALUE))`,
      );
    }
    await this.#admin.query(`CREATE USER 'monitor_ro'@'localhost' IDENTIFIED BY '${PASSWORD}'`);
    await this.#admin.query(`GRANT SELECT ON ${DATABASE}.* TO 'monitor_ro'@'localhost'`);
    return this;
  }

  async insert(data: Data): Promise<void> {
    for (const [table, rows] of data) await this.#insert(table, rows);
  }

  async #insert({ name, columns }: Table, rows: readonly Fields[]): Promise<void> {
    const [first] = rows;
    if (first === undefined) return;
    const names = columns.filter((column) => column.name in first);
    const tuples = rows.map((row) => {
      const values = names.map((column) => {
        const value = this.#connection.escape(row[column.name]);
        if (column.kind === 'time') return `FROM_UNIXTIME(${value})`;
        return column.kind === 'hash' ? `UNHEX(${value})` : value;
      });
      return `(${values.join(', ')})`;
    });
    await this.run(
      `INSERT INTO ${name} (${names.map((column) => column.name).join(', ')}) VALUES ${tuples.join(', ')}`,
    );
  }

  /** As the administrator, in UTC. */
  async run(sql: string): Promise<void> {
    await this.#connection.query(sql);
  }

  /** A session as Grafana opens it, as strict as a server can be set; it ends with the server. */
  async asGrafana(zone: string): Promise<Connection> {
    const session = await createConnection({
      ...{ host: '127.0.0.1', port: this.#server.port, user: 'monitor_ro', password: PASSWORD, database: DATABASE },
      ...{ charset: 'UTF8MB4_UNICODE_CI', decimalNumbers: true },
    });
    this.#sessions.push(session);
    await session.query("SET SESSION sql_mode = 'ONLY_FULL_GROUP_BY,TRADITIONAL,NO_ENGINE_SUBSTITUTION'");
    await session.query('SET SESSION time_zone = ?', [zone]);
    return session;
  }

  get #connection(): Connection {
    if (this.#admin === undefined) throw new Error('the database is not there yet');
    return this.#admin;
  }

  async remove(): Promise<void> {
    for (const session of [...this.#sessions, this.#admin]) await session?.end();
    await this.#server.remove();
  }
}

/** The partition of the day that begins then. */
export function partition(day: number): string {
  return `p${new Date(day * 1000).toISOString().slice(0, 10).replaceAll('-', '')}`;
}

export async function rowsOf(session: Connection, sql: string): Promise<Record<string, number | string | null>[]> {
  try {
    const [rows] = await session.query<RowDataPacket[]>(sql);
    return rows.map((row) => ({ ...row }));
  } catch (error) {
    throw new Error(`${error}\n${sql}`, { cause: error });
  }
}
