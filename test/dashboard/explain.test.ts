import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Connection } from 'mysql2/promise';
import { DAILY_TABLES } from '../../src/store/mysql-schema.ts';
import type { Table } from '../../src/store/table.ts';
import {
  ALERT_INFO,
  DISK_INFO,
  DISK_UTIL_QU_INFO,
  HOST_INFO,
  HOST_LAST,
  NET_INFO,
  PORT_NET_INFO,
  PROCESS_INFO,
  PROCESS_IO_INFO,
} from '../../src/store/tables.ts';
import { partition, rowsOf, TestDatabase } from './database.ts';
import { allQueries, exportedDashboard } from './exported.ts';
import { expand, type Question } from './question.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;
const FIRST_DAY = Date.UTC(2026, 5, 28) / 1000;
const DAYS = [0, 1, 2, 3].map((day) => FIRST_DAY + day * DAY);
const HOSTS = Array.from({ length: 20 }, (_, index) => `db${index + 1}`);
/** Of each host and day; enough for a plan to matter. */
const INTERVALS = 240;

/** `e` is the host's number, `i` the interval's, `p` a number of the part's. */
const FILL: [Table, columns: string, values: string, parts: number][] = [
  [HOST_INFO, 'cores, length_ms', '8, 30000', 1],
  [PROCESS_IO_INFO, 'pid, started, md5_str, state', "p.seq, 1, UNHEX(MD5(p.seq)), 'S'", 3],
  [DISK_INFO, 'mount, device', "CONCAT('/', p.seq), CONCAT('vd', p.seq)", 2],
  [DISK_UTIL_QU_INFO, 'device', "CONCAT('vd', p.seq)", 2],
  [NET_INFO, 'interface', "CONCAT('eth', p.seq)", 2],
  [PORT_NET_INFO, 'instance, remote_address', "'mysqld:3307', CONCAT('10.0.0.', p.seq)", 2],
];

/** Six hours of the third day that has a partition. */
const RANGE = { from: FIRST_DAY + 2 * DAY + 6 * HOUR, to: FIRST_DAY + 2 * DAY + 12 * HOUR, stepSeconds: 60 };
const QUESTIONS: { [what: string]: Question } = {
  'one host': { hosts: ['db3'], ...RANGE },
  'three hosts and an instance': { hosts: ['db3', 'db7', 'db11'], instances: ['mysqld:1'], ...RANGE },
};

const ALIASES: { [alias: string]: Table } = { m: DISK_INFO, u: DISK_UTIL_QU_INFO, h: HOST_INFO, n: PROCESS_INFO };
const TABLES = [...DAILY_TABLES, ALERT_INFO, PROCESS_INFO];

describe('plans of the dashboard’s queries', () => {
  const dashboard = exportedDashboard();
  const allInstances = dashboard.templating.list.find(({ name }) => name === 'instance')?.allValue ?? '';
  const queries = allQueries(dashboard);
  const database = new TestDatabase();
  let session: Connection;
  before(async () => {
    await database.create(DAYS);
    const time = (i: string): string => `FROM_UNIXTIME(${FIRST_DAY} + ${i} * ${DAY / INTERVALS})`;
    for (const [table, columns, values, parts] of FILL) {
      await database.run(
        `INSERT INTO ${table.name} (rshost, a_time, ${columns}) SELECT CONCAT('db', e.seq), ${time('i.seq')}, ${values}
        FROM seq_1_to_${HOSTS.length} e JOIN seq_1_to_${DAYS.length * INTERVALS - 1} i JOIN seq_1_to_${parts} p ORDER BY 1, 2, 3`,
      );
    }
    await database.run(
      `INSERT INTO ${PROCESS_INFO.name} (md5_str, cmdline, instance, user, comm, ports)
      SELECT UNHEX(MD5(seq)), '', CONCAT('mysqld:', seq), '', '', '' FROM seq_1_to_5000`,
    );
    await database.run(
      `INSERT INTO ${ALERT_INFO.name} (rshost, a_time, kind, remarks)
      SELECT CONCAT('db', e.seq), ${time('i.seq')}, 'silent', '' FROM seq_1_to_${HOSTS.length} e JOIN seq_1_to_100 i`,
    );
    await database.run(`ANALYZE TABLE ${TABLES.map(({ name }) => name).join(', ')}`);
    session = await database.asGrafana('America/New_York');
  });
  after(() => database.remove());

  for (const [what, question] of Object.entries(QUESTIONS)) {
    it(`read the chosen hosts’ part of the day alone, by the primary key: ${what}`, async () => {
      for (const [query, rawSql] of queries) {
        if (query === 'variable host') continue;
        const { sql } = expand(rawSql, question, allInstances);
        const steps = await rowsOf(session, `EXPLAIN PARTITIONS ${sql}`);
        const read = steps.filter(({ table }) => tableOf(table) !== undefined);
        assert.ok(read.length > 0, query);
        for (const step of read) {
          const where = `${query}: ${JSON.stringify(step)}`;
          assert.equal(step.key, 'PRIMARY', where);
          assert.ok(step.type === 'range' || looksUp(step), where);
          const daily = DAILY_TABLES.some((table) => table === tableOf(step.table));
          assert.equal(step.partitions, daily ? partition(FIRST_DAY + 2 * DAY) : null, where);
        }
      }
    });
  }

  it('look at no interval for the list of hosts', async () => {
    const [step, ...more] = await rowsOf(session, `EXPLAIN ${queries.get('variable host')}`);
    assert.deepEqual([step?.table, more], [HOST_LAST.name, []]);
  });
});

function tableOf(name: string | number | null | undefined): Table | undefined {
  return ALIASES[String(name)] ?? TABLES.find((table) => table.name === name);
}

/** Bytes of `rshost`, four for each of 255 characters and two for their number, and of `a_time`. */
const HOST_AND_TIME = 255 * 4 + 2 + 4;

/** Rows that others lead to: of a disk at that time, of one of the largest hosts, of a program's name. */
function looksUp({ table, type, key_len }: Record<string, unknown>): boolean {
  if (table === 'h') return type === 'ref';
  if (table === 'm' || table === 'u') return type === 'eq_ref' || (type === 'ref' && Number(key_len) >= HOST_AND_TIME);
  return table === 'n' && type === 'eq_ref';
}
