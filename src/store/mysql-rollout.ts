import type { UpgradePhase } from '../protocol/release.ts';
import { HOST_DETAIL } from './fleet-tables.ts';
import { Gathering } from './gathering.ts';
import { isDeadlock, isDuplicate } from './mysql-errors.ts';
import { chunks, type MysqlAddress, ROWS_PER_STATEMENT, type Session, Sessions } from './mysql-sessions.ts';
import type { Fields } from './records.ts';
import type { Rollout, RolloutStore } from './rollout.ts';
import { IS_ACT, rolloutOf, type UpgradeNote } from './rollout-rows.ts';
import { VERSION } from './tables.ts';

/** Of its own: notes of a thousand hosts do not hold up a lease. */
const LIMITS = { connections: 2, waiting: 200, deadlineMs: 5_000 };
/** Of rows that somebody writes by hand at the same time. */
const MAX_ATTEMPTS = 5;

const SELECT = `SELECT id, version, UNIX_TIMESTAMP(a_time) * 1000 AS a_time, hash, state, wave, reason FROM ${VERSION.name}`;

type Act = Parameters<RolloutStore['release']>[0];

/** What servers share about releases, in a database of the MySQL protocol. Rows that match count as changed. */
export class MysqlRollouts implements RolloutStore {
  readonly #sessions: Sessions;
  readonly #notes: Gathering<UpgradeNote>;

  constructor(address: MysqlAddress) {
    this.#sessions = new Sessions(address, LIMITS);
    this.#notes = new Gathering((items) => this.#sessions.with((session) => noteUpgrades(session, items)));
  }

  async rollouts(limit: number): Promise<Rollout[]> {
    const sql = `${SELECT} WHERE ${IS_ACT} ORDER BY id DESC LIMIT ?`;
    return (await this.#sessions.with((session) => session.rows(sql, [limit]))).map((row) => rolloutOf(row as Fields));
  }

  release(act: Act, after: number): Promise<Rollout | undefined> {
    return this.#sessions.with(async (session) => {
      for (let attempt = 1; ; attempt += 1) {
        const [row] = await session.rows(
          `SELECT MAX(id) AS highest, MAX(CASE WHEN ${IS_ACT} THEN id END) AS newest FROM ${VERSION.name}`,
        );
        if (Number(row?.newest ?? 0) !== after) return undefined;
        try {
          return await insert(session, Number(row?.highest ?? 0) + 1, act);
        } catch (error) {
          if (attempt === MAX_ATTEMPTS || !(isDuplicate(error) || isDeadlock(error))) throw error;
        }
      }
    });
  }

  async advance(...[serial, from, to]: Parameters<RolloutStore['advance']>): Promise<boolean> {
    const isGiven = 'reason' in to;
    const sql = `UPDATE ${VERSION.name} SET state = ?, wave = ?${isGiven ? ', reason = ?' : ''}
      WHERE id = ? AND state = ? AND wave = ? AND ${IS_ACT}`;
    const values = [to.state, to.wave, ...(isGiven ? [to.reason ?? null] : []), serial, from.state, from.wave];
    return (await this.#sessions.with((session) => session.change(sql, values))) > 0;
  }

  async want(rshosts: readonly string[], serial: number): Promise<void> {
    // What is assigned earlier is seen by what is assigned later.
    const sql = `INSERT INTO ${HOST_DETAIL.name} (rshost, wanted) VALUES ? ON DUPLICATE KEY UPDATE
      upgrade = IF(wanted <=> VALUES(wanted), upgrade, NULL),
      upgrade_failure = IF(wanted <=> VALUES(wanted), upgrade_failure, NULL), wanted = VALUES(wanted)`;
    await this.#sessions.with(async (session) => {
      for (const some of chunks(rshosts.toSorted(), ROWS_PER_STATEMENT))
        await session.change(sql, [some.map((rshost) => [rshost, serial])]);
    });
  }

  noteUpgrade(rshost: string, serial: number, phase: UpgradePhase, failure?: string): Promise<void> {
    return this.#notes.add({ rshost, serial, phase, failure });
  }

  /** See `Store.close`. */
  async close(): Promise<void> {
    await this.#notes.settled();
    await this.#sessions.close();
  }
}

/**
 * Two servers that found the same newest act have the same id for the next: the key lets one of them have it, wherever
 * in a cluster they write. Ids that number themselves would differ, and so would those who look for the lowest.
 */
async function insert(session: Session, id: number, act: Act): Promise<Rollout> {
  const { version, hash, state, wave, reason = null } = act;
  await session.change(`INSERT INTO ${VERSION.name} (id, version, hash, state, wave, reason) VALUES (?)`, [
    [id, version, hash, state, wave, reason],
  ]);
  const [row] = await session.rows(`${SELECT} WHERE id = ?`, [id]);
  return rolloutOf(row as Fields);
}

/** Of a host the last note counts. Those that say the same, as most do, are one statement, which locks in the key's order. */
async function noteUpgrades(session: Session, notes: readonly UpgradeNote[]): Promise<void> {
  const last = new Map(notes.map((note) => [JSON.stringify([note.rshost, note.serial]), note]));
  const groups = Map.groupBy(last.values(), ({ serial, phase, failure }) => JSON.stringify([serial, phase, failure]));
  for (const group of groups.values()) {
    const { serial, phase, failure } = group[0] as UpgradeNote;
    const sql = `UPDATE ${HOST_DETAIL.name} SET upgrade = ?, upgrade_failure = ? WHERE wanted = ? AND rshost IN (?)`;
    await session.change(sql, [phase, failure ?? null, serial, group.map(({ rshost }) => rshost)]);
  }
}
