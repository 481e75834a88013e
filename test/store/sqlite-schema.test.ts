import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { METRICS } from '../../src/protocol/metric.ts';
import { openReader, openWriter } from '../../src/store/sqlite-file.ts';
import { SqliteFleet } from '../../src/store/sqlite-fleet.ts';
import { SqliteReader } from '../../src/store/sqlite-read.ts';
import { SqliteRollouts } from '../../src/store/sqlite-rollout.ts';
import { SqliteWriter } from '../../src/store/sqlite-write.ts';
import { SCHEMA_VERSION } from '../../src/store/tables.ts';
import { interval, T0 } from './sample.ts';

describe('sqlite schema', () => {
  let folder: string;
  let db: DatabaseSync;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'procmesh-schema-'));
    db = openWriter(join(folder, 'store.db'));
  });
  afterEach(() => {
    db.close();
    rmSync(folder, { recursive: true });
  });

  const columns = (table: string): unknown[] =>
    db
      .prepare('SELECT name FROM pragma_table_info(?)')
      .all(table)
      .map(({ name }) => name);

  it('has the tables of the public contract', () => {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
    assert.deepEqual(
      tables.map(({ name }) => name),
      [
        'tb_monitor_alert_info',
        'tb_monitor_disk_info',
        'tb_monitor_disk_util_qu_info',
        'tb_monitor_host_config',
        'tb_monitor_host_detail',
        'tb_monitor_host_info',
        'tb_monitor_host_last',
        'tb_monitor_lease',
        'tb_monitor_net_info',
        'tb_monitor_port_net_info',
        'tb_monitor_process_info',
        'tb_monitor_process_io_info',
        'tb_monitor_server',
        'tb_monitor_version',
      ],
    );
    assert.deepEqual(columns('tb_monitor_host_config'), ['id', 'rshost', 'istate']);
    for (const { column } of METRICS)
      for (const name of [column, `${column}_max`]) assert.ok(columns('tb_monitor_process_io_info').includes(name));
  });

  it('is brought up to date from its first version, with what it holds', () => {
    new SqliteWriter(db).write([0, 1].map((step) => ({ host: 'a', interval: interval(step) })));
    db.exec(`
      ALTER TABLE tb_monitor_host_info ADD COLUMN start_time INTEGER NOT NULL DEFAULT 0;
      UPDATE tb_monitor_host_info SET start_time = a_time - 29000;
      ALTER TABLE tb_monitor_host_info DROP COLUMN length_ms;
      DROP TABLE tb_monitor_host_last;
      DROP TABLE tb_monitor_alert_info;
      PRAGMA user_version = 1;
    `);
    db.close();
    db = openWriter(join(folder, 'store.db'));
    assert.equal(columns('tb_monitor_host_info').includes('start_time'), false);
    const reader = new SqliteReader(db);
    const { endMs } = interval(1);
    assert.deepEqual(reader.knownHosts(), [{ host: 'a', lastIntervalEndMs: endMs }]);
    const [{ coveredMs, intervals } = { coveredMs: 0, intervals: 0 }] = reader.hosts({
      atMs: endMs,
      windowMs: 1e6,
    }).hosts;
    assert.deepEqual([coveredMs, intervals], [58_000, 2]);
    assert.equal(db.prepare('PRAGMA user_version').get()?.user_version, SCHEMA_VERSION);
  });

  it('is brought up to date from its second version, and keeps the alerts and hosts it has', () => {
    db.exec(`
      DROP TABLE tb_monitor_host_detail; DROP TABLE tb_monitor_server; DROP TABLE tb_monitor_lease;
      DROP INDEX tb_monitor_alert_info_a_time;
      ALTER TABLE tb_monitor_alert_info DROP COLUMN sent;
      INSERT INTO tb_monitor_alert_info VALUES ('a', ${T0}, 'cpu', 1, 'CPU at 95 %');
      INSERT INTO tb_monitor_host_config SELECT 0, 'a', 2;
      PRAGMA user_version = 2;
    `);
    db.close();
    db = openWriter(join(folder, 'store.db'));
    const fleet = new SqliteFleet(db);
    assert.deepEqual(fleet.hosts(), [{ rshost: 'a', istate: 2 }]);
    assert.equal(fleet.unsentAlerts(0, 10)[0]?.remarks, 'CPU at 95 %');
    assert.equal(fleet.lease('duties', 'mesh-1', 1_000), true);
    const indexes = db.prepare("SELECT name FROM pragma_index_list('tb_monitor_alert_info')").all();
    assert.ok(indexes.some(({ name }) => name === 'tb_monitor_alert_info_a_time'));
  });

  it('is brought up to date from its third version, whose versions are no acts of releasing', () => {
    db.exec(`
      ${['hash', 'state', 'wave', 'reason'].map((name) => `ALTER TABLE tb_monitor_version DROP COLUMN ${name};`).join('')}
      ${['agent_release', 'wanted', 'upgrade', 'upgrade_failure'].map((name) => `ALTER TABLE tb_monitor_host_detail DROP COLUMN ${name};`).join('')}
      INSERT INTO tb_monitor_version (version, a_time) VALUES ('0.1.0', ${T0});
      INSERT INTO tb_monitor_host_config SELECT 0, 'a', 2;
      INSERT INTO tb_monitor_host_detail (rshost, version, token_generation) VALUES ('a', '0.1.0', 3);
      PRAGMA user_version = 3;
    `);
    db.close();
    db = openWriter(join(folder, 'store.db'));
    assert.equal(db.prepare('PRAGMA user_version').get()?.user_version, SCHEMA_VERSION);
    const rollouts = new SqliteRollouts(db);
    assert.deepEqual(rollouts.rollouts(10), []);
    const act = { version: '0.2.0', hash: 'a'.repeat(64), state: 'running', wave: 0 } as const;
    assert.equal(rollouts.release(act, 0)?.serial, 2);
    rollouts.want(['a'], 2);
    const host = { rshost: 'a', istate: 2, version: '0.1.0', tokenGeneration: 3, wanted: 2 };
    assert.deepEqual(new SqliteFleet(db).hosts(), [host]);
  });

  it('takes the documented statement for a new host again and again', () => {
    for (const last of [11, 12, 13]) db.exec(`insert into tb_monitor_host_config select 0,'192.168.168.${last}',1;`);
    const rows = db.prepare('SELECT id, rshost, istate FROM tb_monitor_host_config ORDER BY id').all();
    assert.deepEqual(
      rows.map(({ id, rshost, istate }) => [id, rshost, istate]),
      [11, 12, 13].map((last, index) => [index + 1, `192.168.168.${last}`, 1]),
    );
    assert.throws(() => db.exec("insert into tb_monitor_host_config select 0,'192.168.168.11',1;"), /UNIQUE/);
  });

  it('puts a commit on the disk before it returns, and lets readers read meanwhile', () => {
    assert.equal(db.prepare('PRAGMA synchronous').get()?.synchronous, 2);
    assert.equal(db.prepare('PRAGMA journal_mode').get()?.journal_mode, 'wal');
  });

  it('gives readers a connection that cannot write', () => {
    const reader = openReader(join(folder, 'store.db'));
    assert.throws(() => reader.exec('DELETE FROM tb_monitor_host_info'), /readonly/);
    reader.close();
  });

  it('keeps a row per mount, and a row per device that has counters', () => {
    new SqliteWriter(db).write([{ host: 'a', interval: interval(0) }]);
    const mounts = db.prepare('SELECT mount, device, used_bytes FROM tb_monitor_disk_info ORDER BY mount').all();
    assert.deepEqual(
      mounts.map(({ mount, device, used_bytes }) => [mount, device, used_bytes]),
      [
        ['/', 'vda', 4e10],
        ['/mnt', 'nas:/export', 4e11],
        ['/var', 'vda', 4e10],
      ],
    );
    const devices = db.prepare('SELECT * FROM tb_monitor_disk_util_qu_info').all();
    assert.deepEqual(
      devices.map(({ rshost, a_time, device, util_percent_max, queue }) => [
        rshost,
        a_time,
        device,
        util_percent_max,
        queue,
      ]),
      [['a', T0, 'vda', 99, null]],
    );
  });

  it('keeps a row per interface and per endpoint, and prunes them with their interval', () => {
    const rates = { inBytesPerSec: 1, inBytesPerSecMax: 2, outBytesPerSec: 3, outBytesPerSecMax: 4 };
    const inColumns = Object.fromEntries(
      ['in_bytes_per_sec', 'in_bytes_per_sec_max', 'out_bytes_per_sec', 'out_bytes_per_sec_max'].map((name, index) => [
        name,
        index + 1,
      ]),
    );
    const served = { instance: 'mysqld:3306', localPort: 3306, remoteAddress: '10.0.0.7', ...rates };
    const used = { instance: 'mysqld:3306', remotePort: 53, remoteAddress: '2001:db8::1', ...rates };
    const writer = new SqliteWriter(db);
    const interfaces = [
      { name: 'eth0', speedBitsPerSec: 1e9, ...rates },
      { name: 'tun0', ...rates },
    ];
    writer.write([{ host: 'a', interval: interval(0, { interfaces, endpoints: [served, used, used] }) }]);
    const rows = (table: string): unknown[] =>
      db
        .prepare(`SELECT * FROM ${table}`)
        .all()
        .map((row) => ({ ...row }));
    const key = { rshost: 'a', a_time: T0 };
    assert.deepEqual(rows('tb_monitor_net_info'), [
      { ...key, interface: 'eth0', speed_bits_per_sec: 1e9, ...inColumns },
      { ...key, interface: 'tun0', speed_bits_per_sec: null, ...inColumns },
    ]);
    const instance = 'mysqld:3306';
    assert.deepEqual(rows('tb_monitor_port_net_info'), [
      { ...key, instance, local_port: 0, remote_address: '2001:db8::1', remote_port: 53, ...inColumns },
      { ...key, instance, local_port: 3306, remote_address: '10.0.0.7', remote_port: 0, ...inColumns },
    ]);
    writer.prune(T0 + 1, 1_000);
    assert.deepEqual([...rows('tb_monitor_net_info'), ...rows('tb_monitor_port_net_info')], []);
  });

  it('keeps the lowest listening port as rsport', () => {
    new SqliteWriter(db).write([{ host: 'a', interval: interval(0) }]);
    assert.equal(db.prepare('SELECT rsport FROM tb_monitor_process_io_info').get()?.rsport, 3307);
  });
});
