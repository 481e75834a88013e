import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it, type TestContext } from 'node:test';
import { type Connection, createConnection } from 'mysql2/promise';
import { type FleetStore, ISTATE } from '../../src/store/fleet.ts';
import { MysqlStore } from '../../src/store/mysql.ts';
import type { MysqlAddress } from '../../src/store/mysql-sessions.ts';
import { MariaDb } from '../support/mariadb.ts';
import { fleetContract } from './contract-fleet.ts';
import { ALERT_RIGHTS, emptyDatabase } from './mysql-database.ts';
import { interval } from './sample.ts';

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

fleetContract('mysql', async () => {
  const { address } = await emptyDatabase(mariadb);
  const store = new MysqlStore(address);
  return {
    fleet: store.fleet,
    addByHand: async (rshost, istate) =>
      void (await admin.query('INSERT INTO dbzz_monitor.tb_monitor_host_config SELECT 0, ?, ?', [rshost, istate])),
    pass: async (ms) => {
      await admin.query('UPDATE dbzz_monitor.tb_monitor_lease SET expires = expires - ?', [ms]);
      await admin.query('UPDATE dbzz_monitor.tb_monitor_server SET beat = beat - ?', [ms]);
      await admin.query('UPDATE dbzz_monitor.tb_monitor_host_detail SET disconnected = disconnected - ?', [ms]);
    },
    close: () => store.close(),
  };
});

describe('fleet in mysql', { timeout: 120_000 }, () => {
  let address: MysqlAddress;
  beforeEach(async () => {
    ({ address } = await emptyDatabase(mariadb));
  });

  function opened(t: TestContext): MysqlStore {
    const store = new MysqlStore(address);
    t.after(() => store.close());
    return store;
  }

  /** Somebody who keeps the rows locked that a statement changes, until a commit, or the end of the test. */
  async function holding(t: TestContext, statement: string): Promise<Connection> {
    const other = await mariadb.admin('dbzz_monitor');
    t.after(() => other.end());
    await other.query('START TRANSACTION');
    await other.query(statement);
    return other;
  }

  it('never has two holders of a lease, however often two servers race for it', async (t) => {
    const fleets = [opened(t).fleet, opened(t).fleet];
    const race = async (name: string): Promise<number> => {
      const taken = await Promise.all(fleets.map((fleet, index) => fleet.lease(name, `mesh-${index}`, 60_000)));
      assert.equal(taken.filter(Boolean).length, 1, name);
      return taken.indexOf(true);
    };
    for (let round = 0; round < 200; round += 1) {
      await race(`new-${round}`);
      const holder = await race('duties');
      // The other one's wish comes at the same moment as the end of the first.
      const other = 1 - holder;
      const [, taken] = await Promise.all([
        fleets[holder]?.release('duties', `mesh-${holder}`),
        fleets[other]?.lease('duties', `mesh-${other}`, 60_000),
      ]);
      if (taken) await fleets[other]?.release('duties', `mesh-${other}`);
    }
  });

  it("judges a lease by the database's clock alone", async (t) => {
    const first = opened(t).fleet;
    assert.equal(await first.lease('duties', 'mesh-1', 60_000), true);
    const second = opened(t).fleet;
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 86_400_000 });
    assert.equal(await second.lease('duties', 'mesh-2', 60_000), false);
    t.mock.timers.reset();
    await admin.query("SET GLOBAL init_connect = 'SET timestamp = UNIX_TIMESTAMP() + 61'");
    t.after(() => admin.query("SET GLOBAL init_connect = ''"));
    assert.equal(await opened(t).fleet.lease('duties', 'mesh-2', 60_000), true);
    assert.equal(await first.lease('duties', 'mesh-1', 60_000), false);
  });

  it('has its clock in fractions of a second', async (t) => {
    const { fleet } = opened(t);
    const read = async (): Promise<number> => {
      await fleet.lease('duties', 'mesh-1', 0);
      const [rows] = await admin.query('SELECT expires FROM dbzz_monitor.tb_monitor_lease');
      return (rows as { expires: number }[])[0]?.expires ?? 0;
    };
    const times: number[] = [];
    for (let count = 0; count < 10; count += 1) times.push(await read());
    assert.ok(times.every((time) => Number.isInteger(time) && time > 1e12));
    assert.ok(times.some((time) => time % 1000 !== 0));
  });

  it('does not wait behind history that waits for a lock', async (t) => {
    const store = opened(t);
    await store.write([{ host: 'a', interval: interval(0) }]);
    const other = await holding(t, "UPDATE tb_monitor_host_last SET a_time = a_time WHERE rshost = 'a'");
    let isWritten = false;
    const writes = [1, 2, 3].map(async (step) => {
      await store.write([{ host: 'a', interval: interval(step) }]);
      isWritten = true;
    });
    await Promise.all([store.fleet.beat({ name: 'mesh-1', url: '' }), store.fleet.hosts()]);
    assert.equal(await store.fleet.lease('duties', 'mesh-1', 10_000), true);
    assert.equal(isWritten, false);
    await other.query('COMMIT');
    await Promise.all(writes);
  });

  it('says so when somebody keeps a row locked, and goes on with the others', async (t) => {
    const { fleet } = opened(t);
    await fleet.list(['a', 'b'], ISTATE.bringOnline);
    const other = await holding(t, "UPDATE tb_monitor_host_config SET istate = 0 WHERE rshost = 'a'");
    const locked = assert.rejects(fleet.changeState('a', ISTATE.bringOnline, ISTATE.running), {
      ...{ name: 'Problem', code: 'ERR_STORE_LOCKED', message: /keeps rows locked for another client/ },
    });
    assert.equal(await fleet.changeState('b', ISTATE.bringOnline, ISTATE.running), true);
    assert.deepEqual(await fleet.hosts(), [
      { rshost: 'a', istate: 1 },
      { rshost: 'b', istate: 2 },
    ]);
    await locked;
    await other.query('COMMIT');
    assert.equal(await fleet.changeState('a', ISTATE.takeOffline, ISTATE.offline), true);
  });

  it('notes the same agents from two servers at once', async (t) => {
    const fleets = [opened(t).fleet, opened(t).fleet];
    const names = Array.from({ length: 500 }, (_, index) => `host-${index}`);
    await fleets[0]?.list(names, ISTATE.running);
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(
        fleets.flatMap((fleet, index) =>
          (index === 0 ? names : names.toReversed()).flatMap((name) => [
            fleet.connected(name, `mesh-${index}`, '0.1.0'),
            fleet.disconnected(name, `mesh-${1 - index}`),
          ]),
        ),
      );
    }
    assert.equal((await fleets[0]?.hosts())?.filter(({ server }) => server !== undefined).length, 500);
  });

  it('answers questions while it is read-only, and refuses the rest', async (t) => {
    const { fleet } = opened(t);
    await fleet.list(['a'], ISTATE.running);
    await fleet.beat({ name: 'mesh-1', url: '' });
    await fleet.lease('duties', 'mesh-1', 10_000);
    await admin.query('SET GLOBAL read_only = 1');
    t.after(() => admin.query('SET GLOBAL read_only = 0'));
    assert.equal((await fleet.hosts()).length, 1);
    assert.equal((await fleet.servers()).length, 1);
    assert.deepEqual([await fleet.lastAlerts(0), await fleet.unsentAlerts(0, 10)], [[], []]);
    const refused = { name: 'Problem', code: 'ERR_STORE_ACCESS', message: /is read-only/ };
    for (const write of [
      (f: FleetStore) => f.lease('duties', 'mesh-1', 10_000),
      (f: FleetStore) => f.lease('new', 'mesh-1', 10_000),
      (f: FleetStore) => f.beat({ name: 'mesh-1', url: '' }),
      (f: FleetStore) => f.connected('a', 'mesh-1', '0.1.0'),
      (f: FleetStore) => f.disconnected('a', 'mesh-1'),
      (f: FleetStore) => f.list(['b'], ISTATE.bringOnline),
      (f: FleetStore) => f.alert({ host: 'a', kind: 'cpu', istate: 1, remarks: '', atMs: 1_000 }),
    ])
      await assert.rejects(write(fleet), refused);
    await admin.query('SET GLOBAL read_only = 0');
    await fleet.connected('a', 'mesh-1', '0.1.0');
    assert.equal(await fleet.lease('duties', 'mesh-1', 10_000), true);
  });

  it("takes a predecessor's list, whose names have another collation and may be there twice", async (t) => {
    mariadb.script(`USE dbzz_monitor; DROP TABLE tb_monitor_host_config;
      CREATE TABLE tb_monitor_host_config (id bigint NOT NULL AUTO_INCREMENT, rshost varchar(20) NOT NULL DEFAULT '',
        istate tinyint NOT NULL DEFAULT 0, PRIMARY KEY (id)) DEFAULT CHARSET=utf8mb3;
      INSERT INTO tb_monitor_host_config VALUES (0, 'b', 2), (0, 'a', 1), (0, 'b', 0), (0, 'a ', 7);`);
    const { fleet } = opened(t);
    await fleet.note('b', { phase: 'at rest' });
    assert.deepEqual(await fleet.hosts(), [
      { rshost: 'b', istate: 2, phase: 'at rest' },
      { rshost: 'a', istate: 1 },
    ]);
    assert.equal(await fleet.changeState('a', ISTATE.bringOnline, ISTATE.running), true);
  });

  it('refuses a name that is too long, instead of cutting it off', async (t) => {
    const { fleet } = opened(t);
    const long = 'x'.repeat(256);
    const refused = { name: 'Problem', code: 'ERR_STORE_REFUSED' };
    await assert.rejects(fleet.lease(long, 'mesh-1', 1_000), refused);
    await assert.rejects(fleet.list(['short', long], ISTATE.bringOnline), refused);
    await assert.rejects(fleet.alert({ host: long, kind: 'cpu', istate: 1, remarks: '', atMs: 1_000 }), refused);
    assert.deepEqual(await fleet.hosts(), []);
  });

  it('finishes what was asked before it is closed, and rejects what is asked later', async () => {
    const store = new MysqlStore(address);
    const names = Array.from({ length: 2_500 }, (_, index) => `host-${index}`);
    const asked = names.map((name) => store.fleet.connected(name, 'mesh-1', '0.1.0'));
    asked.push(store.fleet.beat({ name: 'mesh-1', url: '' }));
    await store.close();
    await Promise.all(asked);
    await assert.rejects(store.fleet.hosts(), { name: 'Problem', code: 'ERR_STORE_CLOSED' });
    await assert.rejects(store.fleet.disconnected('a', 'mesh-1'), { code: 'ERR_STORE_CLOSED' });
  });
});

describe('the account that agents are given', () => {
  it('adds alerts and reads them, and may do nothing else', async (t) => {
    const { address } = await emptyDatabase(mariadb);
    mariadb.script(`CREATE OR REPLACE USER monitor_alert@'127.0.0.1' IDENTIFIED BY 'pass3';
      GRANT ${ALERT_RIGHTS} TO monitor_alert@'127.0.0.1';`);
    const agent = await createConnection({ ...address, user: 'monitor_alert', password: 'pass3' });
    t.after(() => agent.end());
    const insert = `INSERT INTO tb_monitor_alert_info (rshost, a_time, kind, istate, remarks)
      VALUES ('mesh', FROM_UNIXTIME(1782875520), 'server', 1, 'no server can be reached')`;
    await agent.query(insert);
    await assert.rejects(agent.query(insert), { errno: 1062 });
    const [found] = await agent.query('SELECT rshost, kind FROM tb_monitor_alert_info');
    assert.deepEqual(JSON.parse(JSON.stringify(found)), [{ rshost: 'mesh', kind: 'server' }]);

    const [tables] = await admin.query(
      "SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'dbzz_monitor'",
    );
    const others = (tables as { name: string }[])
      .map(({ name }) => name)
      .filter((name) => !name.endsWith('alert_info'));
    assert.ok(others.length > 10);
    const denied = { errno: 1142 };
    for (const name of others) {
      await assert.rejects(agent.query(`SELECT * FROM ${name}`), denied, name);
      await assert.rejects(agent.query(`DELETE FROM ${name}`), denied, name);
    }
    await assert.rejects(agent.query("INSERT INTO tb_monitor_host_config SELECT 0, 'intruder', 1"), denied);
    await assert.rejects(agent.query('UPDATE tb_monitor_alert_info SET sent = 1'), denied);
    await assert.rejects(agent.query('DELETE FROM tb_monitor_alert_info'), denied);
    await assert.rejects(agent.query('DROP TABLE tb_monitor_alert_info'), denied);

    const store = new MysqlStore(address);
    t.after(() => store.close());
    assert.deepEqual(await store.fleet.unsentAlerts(0, 10), [
      { host: 'mesh', kind: 'server', istate: 1, remarks: 'no server can be reached', atMs: 1_782_875_520_000 },
    ]);
  });
});
