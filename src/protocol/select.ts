import { compileFilter } from './filter.ts';
import { type MaxName, METRICS, metricBySort } from './metric.ts';
import type { Grouping, Query } from './query.ts';
import type { GroupRow, ProcessRow, Row } from './row.ts';

/**
 * Answers a query over process rows: filter, then group, then the largest first. The one implementation for agents
 * (their own table), for the server (what the agents sent) and for history.
 * @throws FilterError on a filter that cannot be read.
 */
export function select(query: Query, rows: readonly ProcessRow[]): Row[] {
  const kept = query.filter === undefined ? rows : rows.filter(compileFilter(query.filter));
  return query.groupBy === undefined ? largest(query, kept) : largest(query, groupRows(query.groupBy, kept));
}

/** The first `limit` rows by the query's sort, largest first; ties by host and pid or name, so that equal rows do not dance. */
export function largest<R extends Row>(query: Query, rows: readonly R[]): R[] {
  const { name } = metricBySort(query.sort);
  return rows.toSorted((a, b) => (b[name] ?? -1) - (a[name] ?? -1) || compareIdentity(a, b)).slice(0, query.limit);
}

/** Sums rows by what they have in common. Instances and hosts stay apart by host; users and comms are summed over the fleet. */
export function groupRows(by: Grouping, rows: readonly ProcessRow[]): GroupRow[] {
  const byHost = by === 'instance' || by === 'host';
  return sumGroups(rows.map((row) => ({ ...row, group: row[by], processes: 1, host: byHost ? row.host : undefined })));
}

/** Adds up partial groups of several hosts; maxima are added too, which bounds the maximum of the sum from above. */
export function sumGroups(partials: readonly GroupRow[]): GroupRow[] {
  const groups = new Map<string, GroupRow>();
  for (const partial of partials) {
    const key = `${partial.host ?? ''}\0${partial.group}`;
    let sum = groups.get(key);
    if (sum === undefined) {
      sum = { ...(partial.host !== undefined && { host: partial.host }), group: partial.group, processes: 0 };
      groups.set(key, sum);
    }
    sum.processes += partial.processes;
    for (const { name } of METRICS) {
      const max: MaxName = `${name}Max`;
      if (partial[name] !== undefined) sum[name] = (sum[name] ?? 0) + partial[name];
      if (partial[max] !== undefined) sum[max] = (sum[max] ?? 0) + partial[max];
    }
  }
  return [...groups.values()];
}

/** Both are of the same kind. */
function compareIdentity(a: Row, b: Row): number {
  const byHost = compareText(a.host ?? '', b.host ?? '');
  if (byHost !== 0) return byHost;
  if ('pid' in a && 'pid' in b) return a.pid - b.pid;
  return 'group' in a && 'group' in b ? compareText(a.group, b.group) : 0;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
