import {
  type Alert,
  type FleetHost,
  type FleetStore,
  type HostDetail,
  ISTATE,
  type Istate,
  type MeshServer,
} from '../../src/store/fleet.ts';

/** What the servers of a mesh share, in memory; its clock is the test's. */
export class FakeFleet implements FleetStore {
  readonly rows: FleetHost[] = [];
  readonly leases = new Map<string, { holder: string; untilMs: number }>();
  readonly alive = new Map<string, { url: string; atMs: number }>();
  readonly alerts: (Alert & { isSent: boolean })[] = [];
  readonly #now: () => number;
  /** Resolves or rejects whatever is asked, before it is done. */
  onCall: () => Promise<void> = async () => undefined;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  async hosts(): Promise<FleetHost[]> {
    await this.onCall();
    return structuredClone(this.rows.filter(({ istate }) => Object.values(ISTATE).includes(istate)));
  }

  async list(rshosts: readonly string[], istate: Istate): Promise<void> {
    await this.onCall();
    for (const rshost of rshosts) {
      const row = this.#row(rshost);
      if (row === undefined) this.rows.push({ rshost, istate });
      else if (!(row.istate === ISTATE.running && istate === ISTATE.bringOnline)) row.istate = istate;
    }
  }

  async changeState(rshost: string, from: Istate, to: Istate): Promise<boolean> {
    await this.onCall();
    const row = this.#row(rshost);
    if (row?.istate !== from) return false;
    row.istate = to;
    return true;
  }

  async note(rshost: string, detail: HostDetail): Promise<void> {
    await this.onCall();
    const row = this.#row(rshost);
    if (row === undefined) return;
    Object.assign(row, detail);
    for (const field of Object.keys(detail) as (keyof HostDetail)[]) if (detail[field] === undefined) delete row[field];
  }

  connected(rshost: string, server: string, version: string, release?: string): Promise<void> {
    return this.note(rshost, { server, version, release, disconnectedMs: undefined });
  }

  async disconnected(rshost: string, server: string): Promise<void> {
    await this.onCall();
    const row = this.#row(rshost);
    if (row?.server === server) row.disconnectedMs ??= this.#now();
  }

  async lease(name: string, holder: string, forMs: number): Promise<boolean> {
    await this.onCall();
    const held = this.leases.get(name);
    if (held !== undefined && held.holder !== holder && held.untilMs > this.#now()) return false;
    this.leases.set(name, { holder, untilMs: this.#now() + forMs });
    return true;
  }

  async release(name: string, holder: string): Promise<void> {
    await this.onCall();
    if (this.leases.get(name)?.holder === holder) this.leases.delete(name);
  }

  async holder(name: string): Promise<string | undefined> {
    await this.onCall();
    const held = this.leases.get(name);
    return held !== undefined && held.untilMs > this.#now() ? held.holder : undefined;
  }

  async beat({ name, url }: { name: string; url: string }): Promise<void> {
    await this.onCall();
    this.alive.set(name, { url, atMs: this.#now() });
  }

  async servers(): Promise<MeshServer[]> {
    await this.onCall();
    const servers = [...this.alive].map(([name, { url, atMs }]) => ({ name, url, silentMs: this.#now() - atMs }));
    return servers.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async leave(name: string): Promise<void> {
    await this.onCall();
    this.alive.delete(name);
  }

  async alert(alert: Alert): Promise<boolean> {
    await this.onCall();
    const isThere = this.alerts.some((other) => same(other, alert));
    if (!isThere) this.alerts.push({ ...alert, isSent: false });
    return !isThere;
  }

  async lastAlerts(sinceMs: number): Promise<Alert[]> {
    await this.onCall();
    const last = new Map(this.#since(sinceMs).map((alert) => [`${alert.host} ${alert.kind}`, alert]));
    return [...last.values()].sort((a, b) => a.atMs - b.atMs).map(({ isSent: _, ...alert }) => alert);
  }

  async unsentAlerts(sinceMs: number, limit: number): Promise<Alert[]> {
    await this.onCall();
    const unsent = this.#since(sinceMs).filter(({ isSent }) => !isSent);
    return unsent.slice(0, limit).map(({ isSent: _, ...alert }) => alert);
  }

  async sent(alerts: readonly Alert[]): Promise<void> {
    await this.onCall();
    for (const alert of this.alerts) if (alerts.some((other) => same(other, alert))) alert.isSent = true;
  }

  #since(sinceMs: number) {
    return this.alerts.filter(({ atMs }) => atMs >= sinceMs).toSorted((a, b) => a.atMs - b.atMs);
  }

  #row(rshost: string): FleetHost | undefined {
    return this.rows.find((row) => row.rshost === rshost);
  }
}

function same(a: Alert, b: Alert): boolean {
  return a.host === b.host && a.kind === b.kind && a.atMs === b.atMs;
}
