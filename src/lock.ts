import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Problem } from './problem.ts';

/** Held until the process ends, however it ends, or `release` is called. */
export interface Lock {
  release(): void;
}

const SQLITE_BUSY = 5;
const SQLITE_NOTADB = 26;

/**
 * Makes a program single. Node.js has no flock, but SQLite takes POSIX locks that the kernel lifts when the holder dies:
 * an open write transaction is the lock, and a committed row beside it tells who holds it.
 * @param what names the program in the message: `a procmesh server`.
 * @throws Problem when another process holds it, or the file cannot be used.
 */
export function acquireLock(file: string, what: string): Lock {
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    database = new DatabaseSync(file, { timeout: 0 });
    database.exec('CREATE TABLE IF NOT EXISTS holder (pid INTEGER NOT NULL)');
    chmodSync(file, 0o600);
    database.exec('BEGIN IMMEDIATE; DELETE FROM holder');
    database.prepare('INSERT INTO holder VALUES (?)').run(process.pid);
    database.exec('COMMIT; BEGIN IMMEDIATE');
  } catch (cause) {
    const code = cause instanceof Error && 'errcode' in cause ? cause.errcode : undefined;
    const holder = code === SQLITE_BUSY ? holderIn(database) : undefined;
    database?.close();
    if (code === SQLITE_BUSY) {
      throw new Problem(
        'ERR_RUNNING',
        `${what} is running already with ${dirname(file)} (pid ${holder ?? 'unknown'}): stop it, or use another folder`,
        { cause },
      );
    }
    const why =
      code === SQLITE_NOTADB
        ? 'is not a lock of procmesh: move it away'
        : 'cannot be used as a lock: set [global] data_dir to a folder of this user’s own';
    throw new Problem('ERR_LOCK', `${file} ${why}`, { exitCode: 2, cause });
  }
  const held = database;
  return { release: () => held.close() };
}

/** The pid in a lock that another process holds; undefined in the moment in which that process is still writing it. */
function holderIn(database: DatabaseSync | undefined): unknown {
  try {
    return database?.prepare('SELECT pid FROM holder').get()?.pid;
  } catch {
    return undefined;
  }
}
