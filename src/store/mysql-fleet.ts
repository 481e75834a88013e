import {
  type Alert,
  type FleetHost,
  type FleetStore,
  type HostDetail,
  ISTATE,
  type Istate,
  type MeshServer,
} from './fleet.ts';
import { alertOf, detailValues, fleetHosts, HOST_COLUMNS, ISTATES, type Presence } from './fleet-rows.ts';
import { HOST_DETAIL, LEASE, SERVER } from './fleet-tables.ts';
import { Gathering } from './gathering.ts';
import { isDuplicate } from './mysql-errors.ts';
import { chunks, type MysqlAddress, ROWS_PER_STATEMENT, type Session, Sessions } from './mysql-sessions.ts';
import { utc, utcFrom } from './mysql-time.ts';
import type { Fields } from './records.ts';
import { ALERT_INFO, HOST_CONFIG } from './tables.ts';

/** Of its own, so that a lease is not lost behind history; short, as one is held for seconds. */
const LIMITS = { connections: 2, waiting: 200, deadlineMs: 5_000 };
/** A statement with many keys costs the server time by the square of them. */
const KEYS_PER_STATEMENT = 100;

/**
 * The database's clock. Of a statement that waits for a lock it is when it began: a lease that expires meanwhile is not
 * taken by it, and one that it takes lasts less long.
 */
const NOW_MS = 'ROUND(UNIX_TIMESTAMP(NOW(3)) * 1000)';
const ALERT_COLUMNS = 'a.rshost, a.kind, a.istate, a.remarks, UNIX_TIMESTAMP(a.a_time) * 1000 AS a_time';
const IN_ORDER = 'ORDER BY a.a_time, a.rshost, a.kind';

/** What servers share, in a database of the MySQL protocol. Rows that match count as changed, whatever they held. */
export class MysqlFleet implements FleetStore {
  readonly #sessions: Sessions;
  readonly #presences: Gathering<Presence>;

  constructor(address: MysqlAddress) {
    this.#sessions = new Sessions(address, LIMITS);
    this.#presences = new Gathering((items) => this.#sessions.with((session) => notePresences(session, items)));
  }

  async hosts(): Promise<FleetHost[]> {
    const sql = `SELECT ${HOST_COLUMNS.join(', ')} FROM ${HOST_CONFIG.name} c
      LEFT JOIN ${HOST_DETAIL.name} d ON d.rshost = c.rshost WHERE c.istate IN (?) ORDER BY c.id`;
    return fleetHosts((await this.#sessions.with((session) => session.rows(sql, [ISTATES]))) as Fields[]);
  }

  async list(rshosts: readonly string[], istate: Istate): Promise<void> {
    const sql = `INSERT INTO ${HOST_CONFIG.name} (rshost, istate) VALUES ? ON DUPLICATE KEY UPDATE
      istate = IF(istate = ${ISTATE.running} AND VALUES(istate) = ${ISTATE.bringOnline}, istate, VALUES(istate))`;
    await this.#sessions.with((session) =>
      session.transaction('write', async () => {
        for (const some of chunks(rshosts, ROWS_PER_STATEMENT))
          await session.change(sql, [some.map((rshost) => [rshost, istate])]);
      }),
    );
  }

  async changeState(rshost: string, from: Istate, to: Istate): Promise<boolean> {
    const sql = `UPDATE ${HOST_CONFIG.name} SET istate = ? WHERE rshost = ? AND istate = ?`;
    return (await this.#sessions.with((session) => session.change(sql, [to, rshost, from]))) > 0;
  }

  async note(rshost: string, detail: HostDetail): Promise<void> {
    const given = detailValues(detail);
    if (given.length === 0) return;
    const columns = given.map(({ column }) => column);
    const sql = `INSERT INTO ${HOST_DETAIL.name} (${['rshost', ...columns].join(', ')}) VALUES (?)
      ON DUPLICATE KEY UPDATE ${columns.map((column) => `${column} = VALUES(${column})`).join(', ')}`;
    await this.#sessions.with((session) => session.change(sql, [[rshost, ...given.map(({ value }) => value)]]));
  }

  connected(rshost: string, server: string, version: string, release?: string): Promise<void> {
    return this.#presences.add({ rshost, server, version, release });
  }

  disconnected(rshost: string, server: string): Promise<void> {
    return this.#presences.add({ rshost, server, version: undefined });
  }

  lease(name: string, holder: string, forMs: number): Promise<boolean> {
    return this.#sessions.with(async (session) => {
      const taken = await session.change(
        `UPDATE ${LEASE.name} SET holder = ?, expires = ${NOW_MS} + ?
        WHERE name = ? AND (holder = ? OR expires <= ${NOW_MS})`,
        [holder, forMs, name, holder],
      );
      if (taken > 0) return true;
      const sql = `INSERT INTO ${LEASE.name} (name, holder, expires) VALUES (?, ?, ${NOW_MS} + ?)`;
      return isFirst(session.change(sql, [name, holder, forMs]));
    });
  }

  /** The row stays: three servers that find none and insert one would break each other's locks. */
  async release(name: string, holder: string): Promise<void> {
    const sql = `UPDATE ${LEASE.name} SET expires = 0 WHERE name = ? AND holder = ?`;
    await this.#sessions.with((session) => session.change(sql, [name, holder]));
  }

  async holder(name: string): Promise<string | undefined> {
    const sql = `SELECT holder FROM ${LEASE.name} WHERE name = ? AND expires > ${NOW_MS}`;
    const [row] = await this.#sessions.with((session) => session.rows(sql, [name]));
    return row?.holder;
  }

  async beat({ name, url }: { name: string; url: string }): Promise<void> {
    const sql = `INSERT INTO ${SERVER.name} (name, url, beat) VALUES (?, ?, ${NOW_MS})
      ON DUPLICATE KEY UPDATE url = VALUES(url), beat = VALUES(beat)`;
    await this.#sessions.with((session) => session.change(sql, [name, url]));
  }

  async servers(): Promise<MeshServer[]> {
    const sql = `SELECT name, url, GREATEST(0, ${NOW_MS} - beat) AS silentMs FROM ${SERVER.name} ORDER BY name`;
    const rows = await this.#sessions.with((session) => session.rows(sql));
    return rows.map(({ name, url, silentMs }) => ({ name, url, silentMs }));
  }

  async leave(name: string): Promise<void> {
    await this.#sessions.with((session) => session.change(`DELETE FROM ${SERVER.name} WHERE name = ?`, [name]));
  }

  alert({ host, atMs, kind, istate, remarks }: Alert): Promise<boolean> {
    const sql = `INSERT INTO ${ALERT_INFO.name} (rshost, a_time, kind, istate, remarks) VALUES (?)`;
    const row = [host, utc(atMs), kind, istate, remarks];
    return this.#sessions.with((session) => isFirst(session.change(sql, [row])));
  }

  lastAlerts(sinceMs: number): Promise<Alert[]> {
    return this.#alerts(
      `JOIN (SELECT rshost, kind, MAX(a_time) AS a_time FROM ${ALERT_INFO.name}
        WHERE a_time >= ? AND istate IN (0, 1) GROUP BY rshost, kind) l
      ON l.rshost = a.rshost AND l.kind = a.kind AND l.a_time = a.a_time ${IN_ORDER}`,
      [utcFrom(sinceMs)],
    );
  }

  unsentAlerts(sinceMs: number, limit: number): Promise<Alert[]> {
    return this.#alerts(`WHERE a.a_time >= ? AND a.sent IS NULL AND a.istate IN (0, 1) ${IN_ORDER} LIMIT ?`, [
      utcFrom(sinceMs),
      limit,
    ]);
  }

  async sent(alerts: readonly Alert[]): Promise<void> {
    await this.#sessions.with(async (session) => {
      for (const some of chunks(alerts, KEYS_PER_STATEMENT))
        await session.change(
          `UPDATE ${ALERT_INFO.name} SET sent = ${NOW_MS}
          WHERE ${some.map(() => '(rshost = ? AND a_time = ? AND kind = ?)').join(' OR ')}`,
          some.flatMap(({ host, atMs, kind }) => [host, utc(atMs), kind]),
        );
    });
  }

  /** See `Store.close`. */
  async close(): Promise<void> {
    await this.#presences.settled();
    await this.#sessions.close();
  }

  async #alerts(sql: string, values: readonly (string | number)[]): Promise<Alert[]> {
    const select = `SELECT ${ALERT_COLUMNS} FROM ${ALERT_INFO.name} a ${sql}`;
    return (await this.#sessions.with((session) => session.rows(select, values))).map((row) => alertOf(row as Fields));
  }
}

/** By host, so that two servers that note the same hosts do not wait for each other in a circle. */
async function notePresences(session: Session, presences: readonly Presence[]): Promise<void> {
  const ordered = presences.toSorted((a, b) => (a.rshost < b.rshost ? -1 : a.rshost > b.rshost ? 1 : 0));
  const connected = ordered.flatMap(({ rshost, server, version, release = null }) =>
    version === undefined ? [] : [[rshost, server, version, release, null]],
  );
  if (connected.length > 0)
    await session.change(
      `INSERT INTO ${HOST_DETAIL.name} (rshost, server, version, agent_release, disconnected) VALUES ?
      ON DUPLICATE KEY UPDATE server = VALUES(server), version = VALUES(version),
      agent_release = VALUES(agent_release), disconnected = NULL`,
      [connected],
    );
  // Whoever has come back meanwhile is not gone.
  const last = new Map(ordered.map((presence) => [JSON.stringify([presence.rshost, presence.server]), presence]));
  const gone = [...last.values()].filter(({ version }) => version === undefined);
  if (gone.length > 0)
    await session.change(
      `UPDATE ${HOST_DETAIL.name} SET disconnected = ${NOW_MS}
      WHERE disconnected IS NULL AND (${gone.map(() => '(rshost = ? AND server = ?)').join(' OR ')})`,
      gone.flatMap(({ rshost, server }) => [rshost, server]),
    );
}

/** Not `INSERT IGNORE`, which cuts off what is too long as well. @returns whether there was no such row. */
async function isFirst(inserted: Promise<number>): Promise<boolean> {
  try {
    await inserted;
    return true;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}
