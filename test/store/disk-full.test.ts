import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { storeError } from '../../src/store/sqlite-errors.ts';
import { openWriter } from '../../src/store/sqlite-file.ts';
import { SqliteReader } from '../../src/store/sqlite-read.ts';
import { SqliteWriter } from '../../src/store/sqlite-write.ts';
import { aProcess, interval, STEP, T0 } from './sample.ts';

const processes = Array.from({ length: 100 }, (_, index) => aProcess({ pid: index + 1 }));

function mount(...args: string[]): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', ...args], { stdio: 'ignore' }).status === 0;
}

describe('a full disk', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'procmesh-full-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('rejects the write it has no room for, keeps nothing of it, and takes it when there is room', async (t) => {
    if (!mount('-o', 'size=1m', 'tmpfs', folder)) return t.skip('may not mount a small file system');
    try {
      const store = await openSqliteStore(join(folder, 'store.db'));
      const write = (step: number): Promise<void> =>
        store.write(['a', 'b'].map((host) => ({ host, interval: interval(step, { processes }) })));
      let step = 0;
      const full = await (async () => {
        for (; step < 1_000; step += 1) {
          const error = await write(step).catch((cause: unknown) => cause);
          if (error !== undefined) return error;
        }
        return undefined;
      })();

      assert.ok(full instanceof Error && 'code' in full);
      assert.equal(full.code, 'ERR_STORE_FULL');
      assert.match(full.message, /store\.db cannot grow, the disk is full: make room, or lower/);
      assert.ok(step > 0);
      await assert.rejects(write(step), { code: 'ERR_STORE_FULL' });
      const everything = { atMs: T0 + step * STEP, windowMs: 1e12 };
      const kept = await store.processes(everything);
      assert.deepEqual(
        kept.hosts.map(({ intervals, toMs }) => [intervals, toMs]),
        [0, 1].map(() => [step, T0 + (step - 1) * STEP]),
      );

      assert.ok(mount('-o', 'remount,size=8m', 'tmpfs', folder));
      await write(step);
      const after = await store.processes(everything);
      assert.deepEqual(
        after.hosts.map(({ intervals }) => intervals),
        [step + 1, step + 1],
      );
      assert.equal(after.rows.length, 200);
      await store.close();
    } finally {
      spawnSync('umount', ['-l', folder]);
    }
  });

  it('is met in the middle of a transaction without a trace', () => {
    const file = join(folder, 'store.db');
    const db = openWriter(file);
    const writer = new SqliteWriter(db);
    writer.write([{ host: 'a', interval: interval(0) }]);
    const pages = Number(db.prepare('PRAGMA page_count').get()?.page_count);
    db.exec(`PRAGMA max_page_count = ${pages + 2}`);
    const batch = ['b', 'c', 'd'].map((host) => ({ host, interval: interval(0, { processes }) }));

    assert.throws(
      () => writer.write(batch),
      (error) => {
        const problem = storeError(file, error);
        return problem instanceof Error && 'code' in problem && problem.code === 'ERR_STORE_FULL';
      },
    );
    const reader = new SqliteReader(db);
    assert.deepEqual(
      reader.knownHosts().map(({ host }) => host),
      ['a'],
    );
    db.exec('PRAGMA max_page_count = 1000000');
    writer.write(batch);
    assert.equal(reader.processes({ atMs: T0 }).rows.length, 301);
    db.close();
  });
});
