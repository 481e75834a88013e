import type { DatabaseSync } from 'node:sqlite';

/** Runs `work` in one transaction: `read` sees one state throughout, `write` is kept as a whole or not at all. */
export function transaction<T>(db: DatabaseSync, kind: 'read' | 'write', work: () => T): T {
  // A deferred transaction that turns to writing later is refused at once when another one wrote in between.
  db.exec(kind === 'read' ? 'BEGIN' : 'BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    // SQLite has rolled back by itself after some errors, such as a full disk, and not after others.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
