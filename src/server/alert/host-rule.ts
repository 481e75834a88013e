import { type FleetHost, ISTATE } from '../../store/fleet.ts';
import { isAlive } from '../alive.ts';
import type { MeshReading } from '../host-list.ts';
import type { Verdict } from './verdict.ts';

/** A connection that broke may be made again at once. */
const GONE_MS = 10_000;
/** Agents of a server that is gone look for another one. */
const ORPHANED_MS = 15_000;
/** After the start, and after a break, agents and servers have this long to come back before any is missed. */
export const GRACE_MS = 30_000;

/** The connections of the server that judges; what the store says of them may be of an earlier run. */
export interface OwnConnections {
  server: string;
  has(host: string): boolean;
}

/** Which hosts are offline. All times are by the monotonic clock, so that no other machine's clock matters. */
export class HostRule {
  readonly #goneAt = new Map<string, number>();

  /** Says nothing of hosts that are being worked on, never connected, or may come back any moment. */
  judge({ hosts, servers, readAt, steadySince }: MeshReading, own: OwnConnections): Verdict[] {
    const isGrace = readAt - steadySince < GRACE_MS;
    const alive = new Set(servers.filter(isAlive).map(({ name }) => name));
    const verdicts: Verdict[] = [];
    const seen = new Set<string>();
    for (const row of hosts) {
      const { host, fault } = row;
      if (fault !== undefined || row.istate !== ISTATE.running || row.server === undefined) continue;
      seen.add(host);
      const absence = this.#absence(row, host, alive, own);
      if (absence === undefined) {
        this.#goneAt.delete(host);
        verdicts.push({ host, kind: 'offline', isWell: true, text: 'online again' });
      } else if (this.#isOver(host, absence.toleratedMs, readAt) && !isGrace && row.phase === undefined)
        verdicts.push({ host, kind: 'offline', isWell: false, text: `offline: ${absence.text}` });
    }
    for (const host of this.#goneAt.keys()) if (!seen.has(host)) this.#goneAt.delete(host);
    return verdicts;
  }

  #absence(
    { server = '', disconnectedMs }: FleetHost,
    host: string,
    alive: ReadonlySet<string>,
    own: OwnConnections,
  ): { text: string; toleratedMs: number } | undefined {
    if (disconnectedMs !== undefined) {
      const since = new Date(disconnectedMs).toISOString().slice(0, 19);
      return { text: `its agent is not connected since ${since}Z`, toleratedMs: GONE_MS };
    }
    if (server === own.server && !own.has(host))
      return { text: 'its agent has not come back since the server started', toleratedMs: GONE_MS };
    if (alive.has(server) || server === own.server) return undefined;
    return { text: `its server ${server} is gone and it has found no other`, toleratedMs: ORPHANED_MS };
  }

  #isOver(host: string, toleratedMs: number, now: number): boolean {
    const goneAt = this.#goneAt.get(host) ?? now;
    this.#goneAt.set(host, goneAt);
    return now - goneAt >= toleratedMs;
  }
}
