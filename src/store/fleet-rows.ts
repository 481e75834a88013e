import { type Alert, type FleetHost, type HostDetail, ISTATE, type Istate } from './fleet.ts';
import type { Fields } from './records.ts';

/** An agent that has connected to a server, or that is gone from it: then it has no version. */
export interface Presence {
  rshost: string;
  server: string;
  version: string | undefined;
  release?: string | undefined;
}

/** Columns of `HOST_DETAIL`. */
const DETAIL_COLUMNS = {
  phase: 'phase',
  failure: 'failure',
  attempts: 'attempts',
  isDeployed: 'is_deployed',
  tokenGeneration: 'token_generation',
  server: 'server',
  disconnectedMs: 'disconnected',
  version: 'version',
  release: 'agent_release',
  wanted: 'wanted',
  upgrade: 'upgrade',
  upgradeFailure: 'upgrade_failure',
} satisfies { [field in keyof HostDetail]-?: string };
const DETAIL_FIELDS = Object.keys(DETAIL_COLUMNS) as (keyof HostDetail)[];

/** Of the list `c` and its details `d`; rows by people hold other states as well. */
export const HOST_COLUMNS = ['c.rshost', 'c.istate', ...Object.values(DETAIL_COLUMNS).map((column) => `d.${column}`)];
export const ISTATES: readonly Istate[] = Object.values(ISTATE);

/** @param rows of `HOST_COLUMNS`; of those with one `rshost` the first counts. */
export function fleetHosts(rows: readonly Fields[]): FleetHost[] {
  const hosts = new Map<string, FleetHost>();
  for (const row of rows) {
    const rshost = String(row.rshost);
    if (hosts.has(rshost)) continue;
    const known = DETAIL_FIELDS.filter((field) => row[DETAIL_COLUMNS[field]] !== null);
    const detail = Object.fromEntries(known.map((field) => [field, row[DETAIL_COLUMNS[field]]])) as HostDetail;
    if (detail.isDeployed !== undefined) detail.isDeployed = Boolean(detail.isDeployed);
    hosts.set(rshost, { rshost, istate: Number(row.istate) as Istate, ...detail });
  }
  return [...hosts.values()];
}

/** The columns of what is given, and what belongs into them. */
export function detailValues(detail: HostDetail): { column: string; value: string | number | null }[] {
  const given = DETAIL_FIELDS.filter((field) => field in detail);
  return given.map((field) => {
    const value = detail[field] ?? null;
    return { column: DETAIL_COLUMNS[field], value: typeof value === 'boolean' ? Number(value) : value };
  });
}

/** @param row of `ALERT_INFO`; its `a_time` is in ms here. */
export function alertOf({ rshost, kind, istate, remarks, a_time }: Fields): Alert {
  return {
    ...{ host: String(rshost), kind: String(kind), remarks: String(remarks) },
    ...{ istate: Number(istate) === 0 ? 0 : 1, atMs: Number(a_time) },
  };
}
