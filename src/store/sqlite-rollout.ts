import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { HOST_DETAIL } from './fleet-tables.ts';
import type { Fields } from './records.ts';
import type { Rollout, RolloutStore } from './rollout.ts';
import { IS_ACT, rolloutOf, type UpgradeNote } from './rollout-rows.ts';
import type { RolloutOperations } from './sqlite-thread.ts';
import { transaction } from './sqlite-transaction.ts';
import { VERSION } from './tables.ts';

/** What servers share about releases, in a file. Synchronous: lives in the thread that writes. */
export class SqliteRollouts implements RolloutOperations {
  readonly #db: DatabaseSync;
  readonly #rollouts: StatementSync;
  readonly #release: StatementSync;
  readonly #advance: StatementSync;
  readonly #want: StatementSync;
  readonly #note: StatementSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#rollouts = db.prepare(`SELECT * FROM ${VERSION.name} WHERE ${IS_ACT} ORDER BY id DESC LIMIT ?`);
    this.#release = db.prepare(
      `INSERT INTO ${VERSION.name} (version, hash, state, wave, reason, a_time)
      VALUES (?, ?, ?, ?, ?, unixepoch() * 1000) RETURNING *`,
    );
    this.#advance = db.prepare(
      `UPDATE ${VERSION.name} SET state = ?, wave = ?, reason = iif(?, ?, reason)
      WHERE id = ? AND state = ? AND wave = ? AND ${IS_ACT}`,
    );
    this.#want = db.prepare(
      `INSERT INTO ${HOST_DETAIL.name} (rshost, wanted) VALUES (?, ?) ON CONFLICT (rshost) DO UPDATE
      SET wanted = excluded.wanted, upgrade = NULL, upgrade_failure = NULL WHERE wanted IS NOT excluded.wanted`,
    );
    this.#note = db.prepare(
      `UPDATE ${HOST_DETAIL.name} SET upgrade = ?, upgrade_failure = ? WHERE rshost = ? AND wanted = ?`,
    );
  }

  rollouts(limit: number): Rollout[] {
    return this.#rollouts.all(limit).map((row) => rolloutOf(row as Fields));
  }

  release(act: Parameters<RolloutStore['release']>[0], after: number): Rollout | undefined {
    const { version, hash, state, wave, reason } = act;
    return transaction(this.#db, 'write', () => {
      if ((this.#rollouts.get(1)?.id ?? 0) !== after) return undefined;
      return rolloutOf(this.#release.get(version, hash, state, wave, reason ?? null) as Fields);
    });
  }

  advance(...[serial, from, to]: Parameters<RolloutStore['advance']>): boolean {
    const isGiven = Number('reason' in to);
    const changed = this.#advance.run(to.state, to.wave, isGiven, to.reason ?? null, serial, from.state, from.wave);
    return changed.changes === 1;
  }

  want(rshosts: readonly string[], serial: number): void {
    transaction(this.#db, 'write', () => {
      for (const rshost of rshosts) this.#want.run(rshost, serial);
    });
  }

  noteUpgrades(notes: readonly UpgradeNote[]): void {
    transaction(this.#db, 'write', () => {
      for (const { rshost, serial, phase, failure } of notes) this.#note.run(phase, failure ?? null, rshost, serial);
    });
  }
}
