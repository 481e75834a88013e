import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { SCHEMA_VERSION } from '../../src/store/tables.ts';
import { aProcess, interval, T0 } from './sample.ts';

describe('sqlite store file', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'procmesh-store-'));
    file = join(folder, 'data', 'store.db');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  async function makeStore(): Promise<void> {
    const store = await openSqliteStore(file);
    await store.write([{ host: 'a', interval: interval(0) }]);
    await store.close();
  }

  it('is made with its folder, for its owner only', async () => {
    const store = await openSqliteStore(file);
    await store.write([{ host: 'a', interval: interval(0) }]);
    assert.equal(statSync(join(folder, 'data')).mode & 0o777, 0o700);
    assert.deepEqual(readdirSync(join(folder, 'data')).sort(), ['store.db', 'store.db-shm', 'store.db-wal']);
    for (const name of readdirSync(join(folder, 'data')))
      assert.equal(statSync(join(folder, 'data', name)).mode & 0o777, 0o600, name);
    await store.close();
  });

  it('holds everything itself once it is closed, and again when it is reopened', async () => {
    await makeStore();
    assert.deepEqual(readdirSync(join(folder, 'data')), ['store.db']);
    const store = await openSqliteStore(file);
    assert.equal((await store.processes({ atMs: T0 })).rows.length, 1);
    await store.close();
  });

  const strangers: Record<string, (path: string) => void> = {
    'a text file': (path) => writeFileSync(path, 'my shopping list\n'),
    'a long file of noise': (path) => writeFileSync(path, Buffer.alloc(20_000, 'noise')),
    'the database of another program, with an unfinished journal': (path) => {
      const db = new DatabaseSync(path);
      db.exec('PRAGMA journal_mode = WAL; CREATE TABLE bookmark (url); INSERT INTO bookmark VALUES (1)');
      // A copy taken now has what it would have had in a crash: rows in the log that are not in the file.
      const files = ['', '-wal'].map((suffix) => ({ suffix, bytes: readFileSync(path + suffix) }));
      db.close();
      for (const { suffix, bytes } of files) writeFileSync(path + suffix, bytes);
    },
  };
  for (const [what, make] of Object.entries(strangers)) {
    it(`refuses ${what} and leaves it as it is`, async () => {
      mkdirSync(join(folder, 'data'));
      make(file);
      const content = (): unknown =>
        readdirSync(join(folder, 'data')).map((name) => [name, readFileSync(join(folder, 'data', name), 'hex')]);
      const before = content();
      await assert.rejects(openSqliteStore(file), {
        name: 'Problem',
        code: 'ERR_STORE_UNRECOGNISED',
        message: `${file} is not a procmesh store: move it away or set [global] data_dir to another folder`,
      });
      assert.deepEqual(content(), before);
    });
  }

  it('refuses a folder or a pipe in its place, and a file in the place of its folder', async () => {
    mkdirSync(file, { recursive: true });
    await assert.rejects(openSqliteStore(file), { name: 'Problem', code: 'ERR_STORE_UNRECOGNISED' });
    const pipe = join(folder, 'data', 'pipe');
    spawnSync('mkfifo', [pipe]);
    await assert.rejects(openSqliteStore(pipe), { name: 'Problem', code: 'ERR_STORE_UNRECOGNISED' });
    const below = join(folder, 'file', 'store.db');
    writeFileSync(join(folder, 'file'), '');
    await assert.rejects(openSqliteStore(below), { name: 'Problem', code: 'ERR_STORE_ACCESS' });
  });

  it('takes an empty file for a new store', async () => {
    mkdirSync(join(folder, 'data'));
    writeFileSync(file, '');
    await makeStore();
    assert.ok(statSync(file).size > 0);
  });

  it('refuses a store that a newer procmesh made, and leaves its tables as they are', async () => {
    await makeStore();
    const newer = new DatabaseSync(file);
    newer.exec('PRAGMA user_version = 999; DROP TABLE tb_monitor_disk_info');
    newer.close();
    await assert.rejects(openSqliteStore(file), {
      name: 'Problem',
      code: 'ERR_STORE_NEWER',
      message: new RegExp(`schema 999, this one knows ${SCHEMA_VERSION}`),
    });
    const db = new DatabaseSync(file);
    assert.equal(db.prepare('PRAGMA user_version').get()?.user_version, 999);
    assert.equal(db.prepare("SELECT count(*) AS n FROM pragma_table_info('tb_monitor_disk_info')").get()?.n, 0);
    db.close();
  });

  it('gives a store made before a metric was known its columns', async () => {
    await makeStore();
    const older = new DatabaseSync(file);
    for (const column of ['net_in_bytes_per_sec', 'net_in_bytes_per_sec_max'])
      older.exec(`ALTER TABLE tb_monitor_process_io_info DROP COLUMN ${column}`);
    older.exec('ALTER TABLE tb_monitor_host_info DROP COLUMN disk_queue');
    older.close();

    const store = await openSqliteStore(file);
    await store.write([{ host: 'b', interval: interval(0, { processes: [aProcess({ netInBytesPerSec: 5 })] }) }]);
    const { rows, hosts } = await store.processes({ atMs: T0 });
    assert.deepEqual(
      rows.map((row) => row.netInBytesPerSec),
      [undefined, 5],
    );
    assert.deepEqual(
      hosts.map(({ total }) => total.diskQueue),
      [0, 0.7],
    );
    await store.close();
  });

  it('says that a damaged store is damaged', async () => {
    await makeStore();
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(0xff, 100, 4096));
    await assert.rejects(openSqliteStore(file), { name: 'Problem', code: 'ERR_STORE_DAMAGED' });
    assert.ok(existsSync(file));
  });
});
