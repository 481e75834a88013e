import type { Query } from '../src/protocol/query.ts';
import { MAX_LIMIT } from '../src/protocol/query.ts';
import type { GroupRow } from '../src/protocol/row.ts';
import type { Model, ProcessesView } from './model.ts';

/** What is asked as long as the terminal UI runs: it feeds the hosts, their history, and the totals. */
export const HOSTS_QUERY: Query = { view: 'hosts', sort: 'cpu', limit: MAX_LIMIT };

/** Rows asked for at first. */
export const LEAST_LIMIT = 50;

/** What the view on the screen needs to know of processes; `undefined` where it shows none, so that nobody measures for it. */
export function processesQuery(model: Model): Query | undefined {
  const view = model.views.at(-1);
  if (view?.name === 'process') {
    const { host, pid } = view.process;
    return { view: 'processes', host, filter: `pid:${exactly(String(pid))}`, sort: 'cpu', limit: 1, details: true };
  }
  if (view?.name !== 'processes') return undefined;
  return {
    view: 'processes',
    ...(view.host !== undefined && { host: view.host }),
    ...(view.filter !== undefined && { filter: view.filter }),
    ...(view.groupBy !== undefined && { groupBy: view.groupBy }),
    sort: model.metricSort,
    limit: Math.min(Math.max(view.limit, LEAST_LIMIT, model.rows), MAX_LIMIT),
  };
}

/** The filter that leaves a group's own processes, within what was filtered already. */
export function groupFilter(view: ProcessesView, row: GroupRow): string {
  const own = `${view.groupBy ?? 'instance'}:${exactly(row.group)}`;
  return view.filter === undefined ? own : `(${view.filter}) AND ${own}`;
}

/** A word in a filter matches any part of a field; only a regular expression can insist on all of it. */
function exactly(text: string): string {
  const literal = text.replace(/[^\w:@-]/g, (unit) =>
    unit === '.' ? '\\.' : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `/^${literal}$/`;
}
