import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Problem } from '../../src/problem.ts';
import { storeError } from '../../src/store/sqlite-errors.ts';
import { openWriter } from '../../src/store/sqlite-file.ts';

function errorOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: 'nothing was thrown' });
}

describe('sqlite errors', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'procmesh-errors-'));
    file = join(folder, 'store.db');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('name the other process when it holds the lock', () => {
    const holder = openWriter(file);
    holder.exec('BEGIN IMMEDIATE');
    const impatient = new DatabaseSync(file, { timeout: 0 });
    const error = errorOf(() => impatient.exec('BEGIN IMMEDIATE'));
    const problem = storeError(file, error);
    assert.ok(problem instanceof Problem);
    assert.equal(problem.code, 'ERR_STORE_LOCKED');
    assert.equal(problem.message, `${file} is locked by another process: end what else has it open`);
    assert.equal(problem.cause, error);
    impatient.close();
    holder.close();
  });

  it('tell a file that may not be written from one that cannot be opened', () => {
    openWriter(file).close();
    const reading = new DatabaseSync(file, { readOnly: true });
    const readOnly = storeError(
      file,
      errorOf(() => reading.exec('DELETE FROM tb_monitor_version')),
    );
    reading.close();
    const missing = storeError(
      file,
      errorOf(() => new DatabaseSync(join(folder, 'missing', 'store.db'))),
    );
    for (const problem of [readOnly, missing])
      assert.ok(problem instanceof Problem && problem.code === 'ERR_STORE_ACCESS');
    assert.match(String(readOnly), /may not be written/);
    assert.match(String(missing), /cannot be opened/);
  });

  it('have a way out for what the file system says', () => {
    const codes = {
      EACCES: 'ERR_STORE_ACCESS',
      EROFS: 'ERR_STORE_ACCESS',
      ENOSPC: 'ERR_STORE_FULL',
      EIO: 'ERR_STORE_IO',
    };
    for (const [code, expected] of Object.entries(codes)) {
      const problem = storeError(file, Object.assign(new Error(code), { code }));
      assert.ok(problem instanceof Problem && problem.code === expected, code);
    }
  });

  it('are told apart by their primary code, but for the one I/O error that is a full disk', () => {
    const [READONLY_DIRECTORY, CORRUPT_INDEX, IOERR_WRITE, IOERR_SHMSIZE] = [1544, 779, 778, 4874];
    const codes = [READONLY_DIRECTORY, CORRUPT_INDEX, IOERR_WRITE, IOERR_SHMSIZE].map((errcode) => {
      const problem = storeError(file, Object.assign(new Error(), { code: 'ERR_SQLITE_ERROR', errcode }));
      return problem instanceof Problem && problem.code;
    });
    assert.deepEqual(codes, ['ERR_STORE_ACCESS', 'ERR_STORE_DAMAGED', 'ERR_STORE_IO', 'ERR_STORE_FULL']);
  });

  it('leave bugs as they are', () => {
    const db = openWriter(file);
    const syntax = errorOf(() => db.exec('SELEC'));
    const constraint = errorOf(() => db.exec("INSERT INTO tb_monitor_host_config VALUES (1, 'a', NULL)"));
    for (const error of [syntax, constraint, new TypeError('x')]) assert.equal(storeError(file, error), error);
    db.close();
  });
});
