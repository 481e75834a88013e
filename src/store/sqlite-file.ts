import { closeSync, mkdirSync, openSync, readSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Problem } from '../problem.ts';
import { migrate } from './sqlite-schema.ts';
import { transaction } from './sqlite-transaction.ts';
import { SCHEMA_VERSION } from './tables.ts';

/** `PRAGMA application_id`, "prmh": in the header of every file we made, and the mark we recognise it by. */
const APPLICATION_ID = 0x70726d68;
const MAGIC = 'SQLite format 3\0';
const APPLICATION_ID_OFFSET = 68;
const HEADER_BYTES = 100;

/** Another process's commit is waited for this long. */
const BUSY_TIMEOUT_MS = 5_000;
/** The write-ahead log is cut back to this after a checkpoint; it grows while a long query reads. */
const MAX_IDLE_WAL_BYTES = 16 * 1024 * 1024;

/**
 * Opens the store for writing; makes file (mode 0600) and folder (0700) if they are not there, and migrates an older
 * one. A process does this once per file, before it opens readers: `recognise` reads the file past SQLite, and closing
 * a file drops all POSIX locks its process has on it.
 * @throws Problem when the file is not ours or newer than we are, and SQLite's and Node's own errors.
 */
export function openWriter(file: string): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const found = statSync(file, { throwIfNoEntry: false });
  // Opening what is no file, such as a pipe, may wait for ever.
  if (found !== undefined && !found.isFile()) throw unrecognised(file);
  // Made here and not by SQLite, which makes files as the umask has it; theirs follow the mode of this one.
  closeSync(openSync(file, 'a', 0o600));
  recognise(file);
  const db = connect(file);
  try {
    // Made in one transaction, before the write-ahead log: a file is either empty or carries our mark.
    transaction(db, 'write', () => {
      const version = schemaVersion(db);
      if (version > SCHEMA_VERSION) throw newer(file, version);
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
      migrate(db);
    });
    db.exec('PRAGMA journal_mode = WAL');
    db.exec(`PRAGMA journal_size_limit = ${MAX_IDLE_WAL_BYTES}`);
    // FULL: a commit is on the disk before it returns. NORMAL, the usual advice for WAL, may lose it in a power cut.
    db.exec('PRAGMA synchronous = FULL');
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

/** A second connection, for queries only, to a file that `openWriter` has opened. */
export function openReader(file: string): DatabaseSync {
  const db = connect(file);
  db.exec('PRAGMA query_only = TRUE');
  return db;
}

/**
 * For queries only, in a process that does not open the file otherwise. @returns undefined for a file that is empty or
 * older than we are, which is left as it is. @throws as `openWriter`.
 */
export function openForLooking(file: string): DatabaseSync | undefined {
  if (!statSync(file).isFile()) throw unrecognised(file);
  recognise(file);
  const db = openReader(file);
  try {
    const version = schemaVersion(db);
    if (version > SCHEMA_VERSION) throw newer(file, version);
    if (version === SCHEMA_VERSION) return db;
  } catch (error) {
    db.close();
    throw error;
  }
  db.close();
  return undefined;
}

function schemaVersion(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.user_version);
}

function connect(file: string): DatabaseSync {
  return new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, enableDoubleQuotedStringLiterals: false });
}

/** Looks before SQLite does: opening another program's database may already replay its journal. */
function recognise(file: string): void {
  const header = Buffer.alloc(HEADER_BYTES);
  const fd = openSync(file, 'r');
  let length: number;
  try {
    length = readSync(fd, header, 0, HEADER_BYTES, 0);
  } finally {
    closeSync(fd);
  }
  if (length === 0) return;
  const ours =
    length === HEADER_BYTES &&
    header.toString('latin1', 0, MAGIC.length) === MAGIC &&
    header.readUInt32BE(APPLICATION_ID_OFFSET) === APPLICATION_ID;
  if (!ours) throw unrecognised(file);
}

function unrecognised(file: string): Problem {
  return new Problem(
    'ERR_STORE_UNRECOGNISED',
    `${file} is not a procmesh store: move it away or set [global] data_dir to another folder`,
  );
}

function newer(file: string, version: number): Problem {
  return new Problem(
    'ERR_STORE_NEWER',
    `${file} was made by a newer procmesh (schema ${version}, this one knows ${SCHEMA_VERSION}): install that version or set [global] data_dir to another folder`,
  );
}
