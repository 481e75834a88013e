import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it, type TestContext } from 'node:test';
import type { Connection } from 'mysql2/promise';
import { MysqlStore } from '../../src/store/mysql.ts';
import type { MysqlAddress } from '../../src/store/mysql-sessions.ts';
import { MariaDb } from '../support/mariadb.ts';
import { ACT, rolloutContract } from './contract-rollout.ts';
import { emptyDatabase } from './mysql-database.ts';

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

rolloutContract('mysql', async () => {
  const { address } = await emptyDatabase(mariadb);
  const store = new MysqlStore(address);
  return { fleet: store.fleet, rollouts: store.rollouts, close: () => store.close() };
});

describe('rollouts in mysql', { timeout: 120_000 }, () => {
  let address: MysqlAddress;
  beforeEach(async () => {
    ({ address } = await emptyDatabase(mariadb));
  });

  function opened(t: TestContext): MysqlStore {
    const store = new MysqlStore(address);
    t.after(() => store.close());
    return store;
  }

  it('lets one of two servers release the next, however often they race for it', async (t) => {
    const stores = [opened(t).rollouts, opened(t).rollouts];
    let newest = 0;
    for (let round = 0; round < 200; round += 1) {
      const acts = await Promise.all(stores.map((store) => store.release(ACT, newest)));
      const made = acts.filter((act) => act !== undefined);
      assert.equal(made.length, 1, `round ${round}`);
      assert.ok((made[0]?.serial ?? 0) > newest);
      newest = made[0]?.serial ?? 0;
    }
    assert.equal((await stores[0]?.rollouts(1_000))?.length, 200);
  });

  it('releases the next though somebody writes rows of an older schema at the same time', async (t) => {
    const { rollouts } = opened(t);
    let newest = 0;
    for (let round = 0; round < 30; round += 1) {
      const [act] = await Promise.all([
        rollouts.release(ACT, newest),
        admin.query("INSERT INTO dbzz_monitor.tb_monitor_version (version) VALUES ('0.1.0')"),
      ]);
      assert.ok((act?.serial ?? 0) > newest, `round ${round}`);
      newest = act?.serial ?? 0;
    }
    assert.equal((await rollouts.rollouts(1_000)).length, 30);
  });

  it('looks again when a cluster has broken off its insert for the sake of another', async (t) => {
    const other = await mariadb.admin('dbzz_monitor');
    t.after(() => other.end());
    // What a server of Galera says when another one of them committed the same key first.
    await other.query(`CREATE TRIGGER certify BEFORE INSERT ON tb_monitor_version FOR EACH ROW BEGIN
      SET @tries = COALESCE(@tries, 0) + 1;
      IF @tries < 3 THEN SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found'; END IF;
    END`);
    const { rollouts } = opened(t);
    assert.equal((await rollouts.release(ACT, 0))?.serial, 1);
    await other.query('DROP TRIGGER certify');
    await other.query(`CREATE TRIGGER certify BEFORE INSERT ON tb_monitor_version FOR EACH ROW
      SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found'`);
    await assert.rejects(rollouts.release(ACT, 1), { name: 'Problem', code: 'ERR_STORE_LOCKED' });
  });

  it('leaves out rows of an older schema, whose ids are not given again', async (t) => {
    await admin.query("INSERT INTO dbzz_monitor.tb_monitor_version (id, version) VALUES (7, '0.1.0')");
    const { rollouts } = opened(t);
    assert.deepEqual(await rollouts.rollouts(10), []);
    assert.equal((await rollouts.release(ACT, 0))?.serial, 8);
    assert.equal(await rollouts.release(ACT, 7), undefined);
    assert.equal(await rollouts.advance(7, ACT, { state: 'done', wave: 3 }), false);
  });

  it('notes the same hosts from two servers at once', async (t) => {
    const stores = [opened(t), opened(t)];
    const names = Array.from({ length: 500 }, (_, index) => `host-${index}`);
    await stores[0]?.fleet.list(names, 2);
    for (let serial = 1; serial <= 10; serial += 1)
      await Promise.all(
        stores.flatMap(({ rollouts, fleet }, index) => {
          const ordered = index === 0 ? names : names.toReversed();
          return [
            rollouts.want(ordered, serial),
            ...ordered.map((name) => rollouts.noteUpgrade(name, serial, index === 0 ? 'receiving' : 'testing')),
            ...ordered.map((name) => fleet.connected(name, `mesh-${index}`, '0.1.0')),
          ];
        }),
      );
    assert.ok((await stores[0]?.fleet.hosts())?.every(({ wanted }) => wanted === 10));
  });

  it('answers while it is read-only, and refuses the rest', async (t) => {
    const { rollouts } = opened(t);
    await rollouts.release(ACT, 0);
    await rollouts.want(['a'], 1);
    await admin.query('SET GLOBAL read_only = 1');
    t.after(() => admin.query('SET GLOBAL read_only = 0'));
    assert.equal((await rollouts.rollouts(10)).length, 1);
    assert.equal(await rollouts.release(ACT, 0), undefined);
    const refused = { name: 'Problem', code: 'ERR_STORE_ACCESS', message: /is read-only/ };
    for (const write of [
      () => rollouts.release(ACT, 1),
      () => rollouts.advance(1, ACT, ACT),
      () => rollouts.want(['a'], 2),
      () => rollouts.noteUpgrade('a', 1, 'done'),
    ])
      await assert.rejects(write(), refused);
  });

  it('refuses what is too long, instead of cutting it off', async (t) => {
    const { rollouts } = opened(t);
    const refused = { name: 'Problem', code: 'ERR_STORE_REFUSED' };
    await assert.rejects(rollouts.release({ ...ACT, version: 'x'.repeat(256) }, 0), refused);
    await assert.rejects(rollouts.want(['x'.repeat(256)], 1), refused);
    assert.deepEqual(await rollouts.rollouts(10), []);
  });

  it('finishes what was asked before it is closed, and rejects what is asked later', async () => {
    const store = new MysqlStore(address);
    const names = Array.from({ length: 2_500 }, (_, index) => `host-${index}`);
    await store.rollouts.want(names, 1);
    const asked = names.map((name) => store.rollouts.noteUpgrade(name, 1, 'done'));
    await store.close();
    await Promise.all(asked);
    const [rows] = await admin.query("SELECT rshost FROM dbzz_monitor.tb_monitor_host_detail WHERE upgrade = 'done'");
    assert.equal((rows as unknown[]).length, 2_500);
    await assert.rejects(store.rollouts.rollouts(1), { name: 'Problem', code: 'ERR_STORE_CLOSED' });
    await assert.rejects(store.rollouts.noteUpgrade('a', 1, 'done'), { code: 'ERR_STORE_CLOSED' });
  });
});
