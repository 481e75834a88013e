import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openWriter } from '../../src/store/sqlite-file.ts';
import { transaction } from '../../src/store/sqlite-transaction.ts';

describe('sqlite transaction', () => {
  let folder: string;
  let db: DatabaseSync;
  let other: DatabaseSync;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'procmesh-transaction-'));
    const file = join(folder, 'store.db');
    db = openWriter(file);
    other = new DatabaseSync(file, { timeout: 0 });
  });
  afterEach(() => {
    other.close();
    db.close();
    rmSync(folder, { recursive: true });
  });

  const insert = (into: DatabaseSync, version: string): void => {
    into.prepare('INSERT INTO tb_monitor_version (version, a_time) VALUES (?, 0)').run(version);
  };
  const versions = (from: DatabaseSync): unknown[] =>
    from
      .prepare('SELECT version FROM tb_monitor_version ORDER BY id')
      .all()
      .map(({ version }) => version);

  it('that writes has the store to itself from its first statement on', () => {
    transaction(db, 'write', () => {
      assert.deepEqual(versions(db), []);
      assert.throws(() => insert(other, 'in between'), /locked/);
      insert(db, 'mine');
    });
    assert.deepEqual(versions(other), ['mine']);
  });

  it('that reads sees one state throughout', () => {
    transaction(db, 'read', () => {
      assert.deepEqual(versions(db), []);
      insert(other, 'in between');
      assert.deepEqual(versions(db), []);
    });
    assert.deepEqual(versions(db), ['in between']);
  });

  it('that fails leaves nothing behind, and the connection free for the next', () => {
    const failure = new Error('half way');
    assert.throws(
      () =>
        transaction(db, 'write', () => {
          insert(db, 'half');
          throw failure;
        }),
      failure,
    );
    transaction(db, 'write', () => insert(db, 'whole'));
    assert.deepEqual(versions(other), ['whole']);
  });
});
