import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Alert, type FleetHost, type HostDetail, ISTATE, type Istate, type MeshServer } from './fleet.ts';
import { alertOf, detailValues, fleetHosts, HOST_COLUMNS, ISTATES, type Presence } from './fleet-rows.ts';
import { HOST_DETAIL, LEASE, SERVER } from './fleet-tables.ts';
import type { Fields } from './records.ts';
import type { FleetOperations } from './sqlite-thread.ts';
import { transaction } from './sqlite-transaction.ts';
import { ALERT_INFO, HOST_CONFIG } from './tables.ts';

const NOW_MS = "CAST(round(unixepoch('subsec') * 1000) AS INTEGER)";

/** What servers share, in a file. Synchronous: lives in the thread that writes. */
export class SqliteFleet implements FleetOperations {
  readonly #db: DatabaseSync;
  readonly #hosts: StatementSync;
  readonly #list: StatementSync;
  readonly #changeState: StatementSync;
  readonly #connected: StatementSync;
  readonly #disconnected: StatementSync;
  readonly #lease: StatementSync;
  readonly #release: StatementSync;
  readonly #holder: StatementSync;
  readonly #beat: StatementSync;
  readonly #servers: StatementSync;
  readonly #leave: StatementSync;
  readonly #alert: StatementSync;
  readonly #lastAlerts: StatementSync;
  readonly #unsentAlerts: StatementSync;
  readonly #sent: StatementSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#hosts = db.prepare(
      `SELECT ${HOST_COLUMNS.join(', ')} FROM ${HOST_CONFIG.name} c
      LEFT JOIN ${HOST_DETAIL.name} d ON d.rshost = c.rshost WHERE c.istate IN (${ISTATES.join(', ')}) ORDER BY c.id`,
    );
    this.#list = db.prepare(
      `INSERT INTO ${HOST_CONFIG.name} (rshost, istate) VALUES (?, ?) ON CONFLICT (rshost) DO UPDATE
      SET istate = excluded.istate WHERE istate <> ${ISTATE.running} OR excluded.istate <> ${ISTATE.bringOnline}`,
    );
    this.#changeState = db.prepare(`UPDATE ${HOST_CONFIG.name} SET istate = ? WHERE rshost = ? AND istate = ?`);
    this.#connected = db.prepare(
      `INSERT INTO ${HOST_DETAIL.name} (rshost, server, version, agent_release) VALUES (?, ?, ?, ?) ON CONFLICT (rshost)
      DO UPDATE SET server = excluded.server, version = excluded.version, agent_release = excluded.agent_release,
      disconnected = NULL`,
    );
    this.#disconnected = db.prepare(
      `UPDATE ${HOST_DETAIL.name} SET disconnected = ${NOW_MS} WHERE rshost = ? AND server = ? AND disconnected IS NULL`,
    );
    this.#lease = db.prepare(
      `INSERT INTO ${LEASE.name} (name, holder, expires) VALUES (?, ?, ${NOW_MS} + ?) ON CONFLICT (name) DO UPDATE
      SET holder = excluded.holder, expires = excluded.expires WHERE holder = excluded.holder OR expires <= ${NOW_MS}`,
    );
    this.#release = db.prepare(`UPDATE ${LEASE.name} SET expires = 0 WHERE name = ? AND holder = ?`);
    this.#holder = db.prepare(`SELECT holder FROM ${LEASE.name} WHERE name = ? AND expires > ${NOW_MS}`);
    this.#beat = db.prepare(
      `INSERT INTO ${SERVER.name} (name, url, beat) VALUES (?, ?, ${NOW_MS}) ON CONFLICT (name) DO UPDATE
      SET url = excluded.url, beat = excluded.beat`,
    );
    this.#servers = db.prepare(
      `SELECT name, url, max(0, ${NOW_MS} - beat) AS silentMs FROM ${SERVER.name} ORDER BY name`,
    );
    this.#leave = db.prepare(`DELETE FROM ${SERVER.name} WHERE name = ?`);
    this.#alert = db.prepare(
      `INSERT INTO ${ALERT_INFO.name} (rshost, a_time, kind, istate, remarks) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO NOTHING`,
    );
    // The other columns are those of the row that is the maximum, https://sqlite.org/lang_select.html#bareagg.
    this.#lastAlerts = db.prepare(
      `SELECT rshost, kind, istate, remarks, max(a_time) AS a_time FROM ${ALERT_INFO.name}
      WHERE a_time >= ? AND istate IN (0, 1) GROUP BY rshost, kind ORDER BY max(a_time), rshost, kind`,
    );
    this.#unsentAlerts = db.prepare(
      `SELECT rshost, kind, istate, remarks, a_time FROM ${ALERT_INFO.name}
      WHERE a_time >= ? AND sent IS NULL AND istate IN (0, 1) ORDER BY a_time, rshost, kind LIMIT ?`,
    );
    this.#sent = db.prepare(
      `UPDATE ${ALERT_INFO.name} SET sent = ${NOW_MS} WHERE rshost = ? AND a_time = ? AND kind = ?`,
    );
  }

  hosts(): FleetHost[] {
    return fleetHosts(this.#hosts.all() as Fields[]);
  }

  list(rshosts: readonly string[], istate: Istate): void {
    transaction(this.#db, 'write', () => {
      for (const rshost of rshosts) this.#list.run(rshost, istate);
    });
  }

  changeState(rshost: string, from: Istate, to: Istate): boolean {
    return this.#changeState.run(to, rshost, from).changes === 1;
  }

  note(rshost: string, detail: HostDetail): void {
    const given = detailValues(detail);
    if (given.length === 0) return;
    const columns = given.map(({ column }) => column);
    this.#db
      .prepare(
        `INSERT INTO ${HOST_DETAIL.name} (${['rshost', ...columns].join(', ')}) VALUES (?${', ?'.repeat(given.length)})
        ON CONFLICT (rshost) DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}`,
      )
      .run(rshost, ...given.map(({ value }) => value));
  }

  notePresences(presences: readonly Presence[]): void {
    transaction(this.#db, 'write', () => {
      for (const { rshost, server, version, release = null } of presences)
        if (version === undefined) this.#disconnected.run(rshost, server);
        else this.#connected.run(rshost, server, version, release);
    });
  }

  lease(name: string, holder: string, forMs: number): boolean {
    return this.#lease.run(name, holder, forMs).changes === 1;
  }

  release(name: string, holder: string): void {
    this.#release.run(name, holder);
  }

  holder(name: string): string | undefined {
    const row = this.#holder.get(name);
    return row && String(row.holder);
  }

  beat({ name, url }: { name: string; url: string }): void {
    this.#beat.run(name, url);
  }

  servers(): MeshServer[] {
    return this.#servers.all().map(({ name, url, silentMs }) => ({
      ...{ name: String(name), url: String(url), silentMs: Number(silentMs) },
    }));
  }

  leave(name: string): void {
    this.#leave.run(name);
  }

  alert({ host, atMs, kind, istate, remarks }: Alert): boolean {
    return this.#alert.run(host, atMs, kind, istate, remarks).changes === 1;
  }

  lastAlerts(sinceMs: number): Alert[] {
    return this.#lastAlerts.all(sinceMs).map((row) => alertOf(row as Fields));
  }

  unsentAlerts(sinceMs: number, limit: number): Alert[] {
    return this.#unsentAlerts.all(sinceMs, limit).map((row) => alertOf(row as Fields));
  }

  sent(alerts: readonly Alert[]): void {
    transaction(this.#db, 'write', () => {
      for (const { host, atMs, kind } of alerts) this.#sent.run(host, atMs, kind);
    });
  }
}
