import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { MysqlStore } from '../../src/store/mysql.ts';
import { MariaDb } from '../support/mariadb.ts';
import { emptyDatabase, MORE_RIGHTS, RIGHTS } from './mysql-database.ts';
import { aProcess, interval, STEP, T0 } from './sample.ts';

const DAY_MS = 86_400_000;
const TODAY = Math.floor(Date.now() / DAY_MS) * DAY_MS;
const DAILY = ['disk_info', 'disk_util_qu_info', 'host_info', 'net_info', 'port_net_info', 'process_io_info'];

const mariadb = new MariaDb();
let admin: Connection;
before(async () => {
  await mariadb.create();
  admin = await mariadb.admin();
});
after(async () => {
  await admin.end();
  await mariadb.remove();
});

async function opened(t: TestContext, rights: string): Promise<MysqlStore> {
  const { address } = await emptyDatabase(mariadb, rights);
  const store = new MysqlStore(address);
  t.after(() => store.close());
  return store;
}

/** `day rows` of each partition, by table. */
async function partitions(table: string): Promise<string[]> {
  const [rows] = await admin.query<RowDataPacket[]>(
    `SELECT PARTITION_NAME AS name FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = 'dbzz_monitor'
    AND TABLE_NAME = ? ORDER BY PARTITION_ORDINAL_POSITION`,
    [`tb_monitor_${table}`],
  );
  const counted = rows.map(async ({ name }): Promise<string> => {
    const sql = `SELECT COUNT(*) AS held FROM dbzz_monitor.tb_monitor_${table} PARTITION (${name})`;
    return `${name} ${(await admin.query<RowDataPacket[]>(sql))[0][0]?.held}`;
  });
  return Promise.all(counted);
}

const dayName = (day: number): string =>
  `p${new Date(TODAY + day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')}`;

/** One interval of a host that ends at noon, so many days from now. */
const noon = (day: number, host = 'a') => {
  const endMs = TODAY + day * DAY_MS + DAY_MS / 2;
  return { host, interval: interval(0, { startMs: endMs - STEP, endMs, interfaces: [], endpoints: [] }) };
};

describe('retention in MySQL', { timeout: 120_000 }, () => {
  it('makes the days to come and drops those that are over, where the account may', async (t) => {
    const store = await opened(t, MORE_RIGHTS);
    assert.equal(await store.prune(T0, 1_000), 0);
    for (const table of DAILY)
      assert.deepEqual(await partitions(table), [...[0, 1, 2, 3].map((day) => `${dayName(day)} 0`), 'p_rest 0'], table);
    await store.write([noon(-40), noon(0), noon(1), noon(2), noon(9)]);
    assert.deepEqual(await partitions('host_info'), [
      `${dayName(0)} 2`,
      `${dayName(1)} 1`,
      `${dayName(2)} 1`,
      `${dayName(3)} 0`,
      'p_rest 1',
    ]);

    // Not a moment of tomorrow is over yet, but all of today.
    const steps: number[] = [];
    for (let deleted = -1; deleted !== 0; steps.push(deleted))
      deleted = await store.prune(TODAY + DAY_MS + DAY_MS / 4, 1_000);
    assert.equal(steps.length, DAILY.length + 1);
    for (const table of DAILY) assert.equal((await partitions(table))[0]?.split(' ')[0], dayName(1), table);
    const { hosts } = await store.hosts({ atMs: TODAY + 10 * DAY_MS, windowMs: 1e11 });
    assert.equal(hosts[0]?.intervals, 3);
  });

  it('deletes within a day, and what no day holds, where days alone would keep too much', async (t) => {
    const store = await opened(t, MORE_RIGHTS);
    await store.prune(T0, 1_000);
    await store.write([noon(1), noon(9), noon(10), noon(11)]);
    while ((await store.prune(TODAY + 10 * DAY_MS + DAY_MS / 4, 1_000)) > 0);
    const { hosts } = await store.hosts({ atMs: TODAY + 20 * DAY_MS, windowMs: 1e11 });
    assert.deepEqual([hosts[0]?.intervals, hosts[0]?.fromMs], [2, TODAY + 10 * DAY_MS + DAY_MS / 2 - STEP]);
    assert.deepEqual((await partitions('process_io_info')).at(-1), 'p_rest 2');
  });

  it('leaves the tables as they are where the account may not alter them, and deletes', async (t) => {
    const store = await opened(t, RIGHTS);
    await store.write([noon(-40), noon(-39), noon(0)]);
    while ((await store.prune(TODAY, 1_000)) > 0);
    assert.deepEqual(await partitions('host_info'), ['p_rest 1']);
    assert.deepEqual(await partitions('process_io_info'), ['p_rest 1']);
    assert.deepEqual(await partitions('disk_info'), ['p_rest 3']);
  });

  it('does not make the days while something lies where they would be cut off', async (t) => {
    const store = await opened(t, MORE_RIGHTS);
    await store.write([noon(0)]);
    assert.equal(await store.prune(TODAY, 1_000), 0);
    assert.deepEqual(await partitions('host_info'), ['p_rest 1']);
    assert.equal((await partitions('net_info')).length, 5);
  });

  it('neither waits for somebody who reads for long nor lets writes wait', async (t) => {
    const store = await opened(t, MORE_RIGHTS);
    await store.prune(T0, 1_000);
    await store.write([noon(0), noon(1)]);
    const reader = await mariadb.admin('dbzz_monitor');
    t.after(() => reader.end());
    await reader.query('START TRANSACTION');
    await reader.query('SELECT COUNT(*) FROM tb_monitor_process_io_info');
    // The day cannot be dropped, so its intervals are deleted; meanwhile others are written.
    const pruned = store.prune(TODAY + DAY_MS, 1_000);
    await store.write([noon(2)]);
    assert.ok((await pruned) > 0);
    assert.equal((await partitions('process_io_info')).length, 5);
    await reader.query('COMMIT');
    while ((await store.prune(TODAY + DAY_MS, 1_000)) > 0);
    for (const table of DAILY) assert.equal((await partitions(table)).length, 4, table);
    assert.equal((await store.hosts({ atMs: TODAY + 9 * DAY_MS, windowMs: 1e11 })).hosts[0]?.intervals, 2);
  });

  it('forgets alerts as old as the history that goes', async (t) => {
    const store = await opened(t, RIGHTS);
    for (const day of [-2, -1])
      await admin.query(
        `INSERT INTO dbzz_monitor.tb_monitor_alert_info VALUES ('a', FROM_UNIXTIME(?), 'silent', 1, 'silent for 10 s', NULL)`,
        [(TODAY + day * DAY_MS) / 1000],
      );
    assert.equal(await store.prune(TODAY - DAY_MS, 1_000), 1);
    assert.equal(await store.prune(TODAY - DAY_MS, 1_000), 0);
  });

  it('takes only so many rows at once, whichever host they are of', async (t) => {
    const store = await opened(t, RIGHTS);
    const processes = Array.from({ length: 10 }, (_, index) => aProcess({ pid: index + 1 }));
    const steps = Array.from({ length: 30 }, (_, step) => interval(step, { processes, disks: [] }));
    await store.write(['a', 'b', 'c'].flatMap((host) => steps.map((one) => ({ host, interval: one }))));
    let deleted = 0;
    for (let step = -1; step !== 0; deleted += step) {
      step = await store.prune(T0 + 100 * STEP, 50);
      assert.ok(step <= 60, String(step));
    }
    // Eleven rows of each interval, and each host; the one command line is kept a day longer.
    assert.equal(deleted, 3 * 30 * 11 + 3);
  });
});
