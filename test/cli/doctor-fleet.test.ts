import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it, type TestContext } from 'node:test';
import { type FleetStore, ISTATE } from '../../src/store/fleet.ts';
import { MysqlStore } from '../../src/store/mysql.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { emptyDatabase } from '../store/mysql-database.ts';
import { MariaDb } from '../support/mariadb.ts';
import { scratchFolder } from '../support/scratch.ts';
import { examined } from './examined.ts';

const mariadb = new MariaDb();
before(async () => void (await mariadb.create()));
after(() => mariadb.remove());

/** A data folder whose store holds what is written there, and a server that has been silent for so long. */
async function dataFolder(t: TestContext, write: (fleet: FleetStore) => Promise<void>, silentMs = 0): Promise<string> {
  const dataDir = scratchFolder(t);
  const file = join(dataDir, 'procmesh.db');
  const store = await openSqliteStore(file);
  await write(store.fleet);
  await store.close();
  const db = new DatabaseSync(file);
  db.exec(`UPDATE tb_monitor_server SET beat = beat - ${silentMs} WHERE name = 'srv-2'`);
  db.close();
  return dataDir;
}

/** Three hosts that run, one of them cut off, two that are brought online, and two that failed. */
async function writeHosts(fleet: FleetStore): Promise<void> {
  await fleet.list(['web-1', 'web-2', 'web-3'], ISTATE.running);
  await fleet.list(['web-4', 'root@web-5:2222', 'web-6'], ISTATE.bringOnline);
  await fleet.list(['web-7'], ISTATE.takeOffline);
  await fleet.list(['web-8'], ISTATE.offline);
  for (const host of ['web-1', 'web-2', 'web-3']) await fleet.connected(host, 'srv-1', '1.0.0');
  await fleet.disconnected('web-2', 'srv-1');
  await fleet.note('root@web-5:2222', { failure: 'the disk of web-5 is full\x1b[2J', attempts: 3 });
  await fleet.note('web-7', { failure: 'it does not answer', attempts: 1 });
  await fleet.beat({ name: 'srv-1', url: 'wss://srv-1:9300' });
}

describe('procmesh doctor, of the fleet', { timeout: 240_000 }, () => {
  it('says nothing before there is a store, and does not make one', async (t) => {
    const dataDir = scratchFolder(t);
    const { code, found } = await examined(t, { PROCMESH_GLOBAL_DATA_DIR: dataDir });
    assert.equal(code, 0);
    for (const check of ['duties', 'hosts', 'fleet']) assert.equal(found.has(check), false);
    assert.match(found.get('history') ?? '', /^ok, SQLite in /);
    assert.throws(() => readFileSync(join(dataDir, 'procmesh.db')), { code: 'ENOENT' });
  });

  it('counts hosts, gives the reasons of those that failed, and says who does the duties', async (t) => {
    const dataDir = await dataFolder(t, async (fleet) => {
      await writeHosts(fleet);
      await fleet.lease('duties', 'srv-1 0123abcd', 60_000);
    });
    const { found, code } = await examined(t, { PROCMESH_GLOBAL_DATA_DIR: dataDir });
    assert.equal(code, 0);
    assert.equal(found.get('duties'), 'ok, srv-1 does them; 1 of 1 server lives');
    assert.equal(
      found.get('hosts'),
      'limited, 2 connected, 1 not connected, 2 under way, 2 failed; root@web-5:2222: the disk of web-5 is full�[2J; web-7: it does not answer, mend the reason, it is tried again by itself; procmesh doctor --host root@web-5:2222 tries now',
    );
  });

  it('finds a fleet without hosts well', async (t) => {
    const dataDir = await dataFolder(t, async () => undefined);
    const { found } = await examined(t, { PROCMESH_GLOBAL_DATA_DIR: dataDir });
    assert.equal(found.get('hosts'), 'ok, none is listed');
    assert.equal(found.get('duties'), 'ok, no server does them; 0 of 0 servers live');
  });

  it('names a server that is silent, and duties that nobody does', async (t) => {
    const write = async (fleet: FleetStore): Promise<void> => {
      await fleet.beat({ name: 'srv-1', url: 'wss://srv-1:9300' });
      await fleet.beat({ name: 'srv-2', url: 'wss://srv-2:9300' });
    };
    const silent = await examined(t, { PROCMESH_GLOBAL_DATA_DIR: await dataFolder(t, write, 3_600_000 * 5) });
    assert.equal(
      silent.found.get('duties'),
      'limited, no server does them; 1 of 2 servers live; srv-2 was last heard of 5 h ago, start srv-2 again, or delete what is gone for good from tb_monitor_server',
    );
    const idle = await examined(t, { PROCMESH_GLOBAL_DATA_DIR: await dataFolder(t, write) });
    assert.match(idle.found.get('duties') ?? '', /^limited, no server does them; 2 of 2 servers live, wait for 15 s/);
  });

  it('reads it from MySQL, and leaves it to the check of history to say that MySQL is away', async (t) => {
    const { address } = await emptyDatabase(mariadb);
    const store = new MysqlStore(address);
    await writeHosts(store.fleet);
    await store.fleet.lease('duties', 'srv-1 0123abcd', 60_000);
    await store.close();
    const env = {
      PROCMESH_MONITOR_MYSQL_HOST: '127.0.0.1',
      PROCMESH_MONITOR_MYSQL_PORT: String(address.port),
      PROCMESH_MONITOR_MYSQL_PASS: 'pass2',
    };
    const { found } = await examined(t, env);
    assert.equal(found.get('duties'), 'ok, srv-1 does them; 1 of 1 server lives');
    assert.match(found.get('hosts') ?? '', /^limited, 2 connected, 1 not connected, 2 under way, 2 failed; /);
    const away = await examined(t, { ...env, PROCMESH_MONITOR_MYSQL_PORT: '1' });
    assert.equal(away.code, 1);
    assert.match(away.found.get('history') ?? '', /^failed/);
    assert.equal(away.found.has('fleet'), false);
  });

  it('fails where the store is none of ours, and leaves an older one as it is', async (t) => {
    const dataDir = scratchFolder(t);
    const file = join(dataDir, 'procmesh.db');
    writeFileSync(file, 'a letter to grandmother, and not a database at all\n'.repeat(10));
    const { code, found } = await examined(t, { PROCMESH_GLOBAL_DATA_DIR: dataDir });
    assert.equal(code, 1);
    assert.match(found.get('fleet') ?? '', /^failed, .*procmesh\.db is not a procmesh store: /);
    const older = await dataFolder(t, writeHosts);
    const db = new DatabaseSync(join(older, 'procmesh.db'));
    db.exec('PRAGMA user_version = 1');
    db.close();
    const { found: ofOlder } = await examined(t, { PROCMESH_GLOBAL_DATA_DIR: older });
    assert.equal(ofOlder.has('hosts'), false);
    const again = new DatabaseSync(join(older, 'procmesh.db'));
    t.after(() => again.close());
    assert.equal(again.prepare('PRAGMA user_version').get()?.user_version, 1);
  });
});
