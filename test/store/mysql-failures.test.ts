import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { MysqlStore } from '../../src/store/mysql.ts';
import type { MysqlAddress } from '../../src/store/mysql-sessions.ts';
import { MariaDb } from '../support/mariadb.ts';
import { isRoot } from '../support/requirements.ts';
import { emptyDatabase } from './mysql-database.ts';
import { aProcess, interval } from './sample.ts';

const mariadb = new MariaDb(['--max-connections=10', '--innodb-print-all-deadlocks=0']);
let address: MysqlAddress;
let store: MysqlStore;
before(async () => void (await mariadb.create()));
after(() => mariadb.remove());
beforeEach(async () => {
  ({ address } = await emptyDatabase(mariadb));
  store = new MysqlStore(address);
});

const write = (step: number, host = 'a'): Promise<void> => store.write([{ host, interval: interval(step) }]);

/** Intervals and process rows there are, read past our own code. */
async function counts(): Promise<[intervals: number, rows: number]> {
  const admin = await mariadb.admin('dbzz_monitor');
  const count = async (table: string): Promise<number> =>
    (await admin.query<RowDataPacket[]>(`SELECT COUNT(*) AS n FROM ${table}`))[0][0]?.n;
  const found: [number, number] = [await count('tb_monitor_host_info'), await count('tb_monitor_process_io_info')];
  await admin.end();
  return found;
}

describe('mysql in trouble', { timeout: 120_000 }, () => {
  it('is away while it is down, and takes what comes again when it is back, once', async (t) => {
    t.after(() => store.close());
    await write(0);
    await mariadb.stop('SIGKILL');
    await assert.rejects(write(1), { code: 'ERR_STORE_AWAY', message: /cannot be reached \(|takes no connections/ });
    await assert.rejects(store.knownHosts(), { code: 'ERR_STORE_AWAY' });
    await mariadb.start();
    await write(1);
    await write(0);
    assert.deepEqual(await counts(), [2, 2]);
  });

  it('refuses writes while it is read-only, and answers questions', async (t) => {
    t.after(() => store.close());
    await write(0);
    mariadb.script('SET GLOBAL read_only = 1');
    t.after(() => mariadb.script('SET GLOBAL read_only = 0'));
    await assert.rejects(write(1), { code: 'ERR_STORE_ACCESS', message: /is read-only: point \[Monitor\] mysql_host/ });
    assert.equal((await store.knownHosts()).length, 1);
    mariadb.script('SET GLOBAL read_only = 0');
    await write(1);
    assert.deepEqual(await counts(), [2, 2]);
  });

  it('takes no connections while it has too many, and says so', async (t) => {
    t.after(() => store.close());
    const others: Connection[] = [];
    t.after(() => Promise.all(others.map((other) => other.end())));
    for (;;) {
      const other = await mariadb.admin().catch(() => undefined);
      if (other === undefined) break;
      others.push(other);
    }
    await assert.rejects(write(0), { code: 'ERR_STORE_AWAY', message: /takes no connections at the moment/ });
    // One more than there may be is kept free for administrators.
    for (const other of others.splice(0, 2)) await other.end();
    // The server frees the place a moment after the connection has ended.
    while ((await write(0).catch((error) => error.code)) === 'ERR_STORE_AWAY');
    assert.deepEqual(await counts(), [1, 1]);
  });

  it('keeps nothing of a transaction that a deadlock or a lock broke', async (t) => {
    t.after(() => store.close());
    await write(0);
    const other = await mariadb.admin('dbzz_monitor');
    t.after(() => other.end());
    await other.query('START TRANSACTION');
    await other.query(
      "INSERT INTO tb_monitor_disk_info (rshost, a_time, mount, device) SELECT 'b', a_time, '/', 'x' FROM tb_monitor_host_info",
    );
    await assert.rejects(write(0, 'b'), { code: 'ERR_STORE_LOCKED', message: /locked for another client|deadlock/ });
    assert.deepEqual(await counts(), [1, 1]);
    await other.query('ROLLBACK');
    await write(0, 'b');
    assert.deepEqual(await counts(), [2, 2]);
  });

  it('writes an interval once that two servers deliver at the same moment', async (t) => {
    const second = new MysqlStore(address);
    t.after(() => Promise.all([store.close(), second.close()]));
    for (let round = 0; round < 20; round += 1) {
      const batch = ['a', 'b', 'c'].map((host) => ({ host, interval: interval(round) }));
      await Promise.all([store.write(batch), second.write(batch.toReversed()), store.write(batch)]);
    }
    assert.deepEqual(await counts(), [60, 60]);
  });

  it('writes an interval of which somebody has deleted a part', async (t) => {
    t.after(() => store.close());
    await write(0);
    mariadb.script('DELETE FROM dbzz_monitor.tb_monitor_host_info; DELETE FROM dbzz_monitor.tb_monitor_process_info');
    await store.write([0, 1].map((step) => ({ host: 'a', interval: interval(step) })));
    assert.deepEqual(await counts(), [2, 2]);
  });

  it('refuses what no column takes, whole, and takes the rest of what comes', async (t) => {
    t.after(() => store.close());
    const absurd = interval(1, { processes: [aProcess({ user: 'x'.repeat(256) })] });
    await assert.rejects(
      store.write([
        { host: 'a', interval: absurd },
        { host: 'b', interval: interval(1) },
      ]),
      {
        code: 'ERR_STORE_REFUSED',
        message: /does not take a value \(Data too long for column 'user'/,
      },
    );
    await write(2);
    assert.deepEqual(await counts(), [1, 1]);
  });

  it('takes counts that are larger than any machine has', async (t) => {
    t.after(() => store.close());
    const processes = [aProcess({ pid: 2 ** 40, threads: 2 ** 50 })];
    await store.write([{ host: 'a', interval: interval(0, { processes, samples: 2 ** 45 }) }]);
    assert.equal((await store.processes({ atMs: interval(0).endMs })).rows[0]?.threads, 2 ** 31 - 1);
  });

  for (const { title, sql, code, message } of [
    {
      title: 'without tables',
      sql: 'DROP TABLE dbzz_monitor.tb_monitor_schema',
      code: 'ERR_STORE_SCHEMA',
      message: /make them with procmesh init-db/,
    },
    {
      title: 'of an older procmesh',
      sql: 'UPDATE dbzz_monitor.tb_monitor_schema SET version = 1',
      code: 'ERR_STORE_SCHEMA',
      message: /older procmesh: bring them up to date with procmesh init-db/,
    },
    {
      title: 'of a newer procmesh',
      sql: 'UPDATE dbzz_monitor.tb_monitor_schema SET version = 999',
      code: 'ERR_STORE_NEWER',
      message: /newer procmesh \(schema 999/,
    },
    {
      title: 'for another account',
      sql: "SET PASSWORD FOR monitor_rw@'127.0.0.1' = PASSWORD('changed')",
      code: 'ERR_STORE_ACCESS',
      message: /refuses the user or its password: check \[Monitor\]/,
    },
    {
      title: 'for readers alone',
      sql: "REVOKE INSERT ON dbzz_monitor.* FROM monitor_rw@'127.0.0.1'",
      code: 'ERR_STORE_ACCESS',
      message: /does not let this user do that/,
    },
  ])
    it(`says what to do about a database ${title}`, async (t) => {
      t.after(() => store.close());
      mariadb.script(sql);
      await assert.rejects(write(0), { name: 'Problem', code, message });
    });
});

describe('a full disk below mysql', { timeout: 120_000, skip: !isRoot() }, () => {
  it('keeps nothing of what it has no room for, and takes it when there is room', async (t) => {
    const small = new MariaDb([
      '--innodb-log-file-size=4M',
      '--innodb-log-buffer-size=1M',
      '--loose-innodb-undo-tablespaces=0',
    ]);
    const mount = (options: string): number | null =>
      spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', small.folder], { stdio: 'ignore' }).status;
    assert.equal(mount('size=200m'), 0);
    t.after(async () => {
      await small.stop('SIGKILL');
      spawnSync('umount', ['-l', small.folder]);
      await small.remove();
    });
    await small.create();
    const { address: there } = await emptyDatabase(small);
    const full = new MysqlStore(there);
    t.after(() => full.close());
    const processes = Array.from({ length: 1_000 }, (_, index) =>
      aProcess({ pid: index + 1, cmdline: `job ${index}` }),
    );
    let step = 0;
    const rejected = await (async () => {
      for (; step < 2_000; step += 1) {
        const error = await full
          .write([{ host: 'a', interval: interval(step, { processes }) }])
          .catch((cause) => cause);
        if (error !== undefined) return error;
      }
      return undefined;
    })();
    assert.equal(rejected?.code, 'ERR_STORE_FULL', rejected?.message);
    assert.match(rejected.message, /no room/);
    assert.equal(mount('remount,size=600m'), 0);
    await full.write([{ host: 'a', interval: interval(step, { processes }) }]);
    const { hosts } = await full.hosts({ host: 'a', atMs: interval(step).endMs, windowMs: 1e10 });
    assert.equal(hosts[0]?.intervals, step + 1);
  });
});
