import { MAX_LIMIT, type Query } from '../src/protocol/query.ts';
import type { GroupRow } from '../src/protocol/row.ts';
import { KEPT } from './history.ts';
import { isPast, type Model, openView, type ProcessesView, type Subject, type View } from './model.ts';

/** What is asked of the present as long as it is shown: it feeds the hosts, their history, and the totals. */
export const HOSTS_QUERY: Query = { view: 'hosts', sort: 'cpu', limit: MAX_LIMIT };

/** How the newest rollout stands; of its hosts only how many there are is shown. */
const RELEASE_QUERY: Query = { view: 'release', sort: 'cpu', limit: 1 };

/** Rows asked for at first. */
export const LEAST_LIMIT = 50;

/** As far back as a query can look: what is kept is for the server to know. */
const ALL_MS = 366 * 86_400_000;

/** What the screen needs to know of a subject; `undefined` where it shows none, so that nobody measures or reads for it. */
export function questionOf(model: Model, subject: Subject): Query | undefined {
  switch (subject) {
    case 'hosts':
      return hostsQuery(model);
    case 'processes':
      return processesQuery(model);
    case 'series':
      return seriesQuery(model);
    case 'release':
      return releaseQuery(model);
  }
}

export function isSameQuery(a: Query | undefined, b: Query | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** In the past only the list of hosts shows what it is answered: of one host the processes' totals say it all. */
function hostsQuery(model: Model): Query | undefined {
  const { moment } = model;
  if (moment.state !== 'past') return HOSTS_QUERY;
  return openView(model).name === 'hosts' ? { ...HOSTS_QUERY, atMs: moment.atMs } : undefined;
}

function processesQuery(model: Model): Query | undefined {
  const { moment } = model;
  const view = openView(model);
  const then = moment.state === 'past' ? { atMs: moment.atMs } : {};
  if (view.name === 'process') {
    const { host, pid } = view.process;
    const details = moment.state === 'past' ? {} : { details: true };
    const filter = `pid:${exactly(String(pid))}`;
    return { view: 'processes', host, filter, sort: 'cpu', limit: 1, ...details, ...then };
  }
  if (view.name !== 'processes') return undefined;
  return {
    view: 'processes',
    ...(view.host !== undefined && { host: view.host }),
    ...(view.filter !== undefined && { filter: view.filter }),
    ...(view.groupBy !== undefined && { groupBy: view.groupBy }),
    sort: model.metricSort,
    limit: Math.min(Math.max(view.limit, LEAST_LIMIT, model.rows), MAX_LIMIT),
    ...then,
  };
}

/** What led up to a moment of the past; or, to find one, what is the newest. */
function seriesQuery(model: Model): Query | undefined {
  const { moment } = model;
  if (moment.state === 'live') return undefined;
  const view = openView(model);
  const host = moment.state === 'seeking' ? hostToSeek(model) : shownHost(view);
  if (host === undefined) return undefined;
  const { pid, startedAt } = view.name === 'process' ? view.process : {};
  return {
    ...{ view: 'series', host, sort: 'cpu', limit: KEPT, atMs: moment.atMs, windowMs: ALL_MS },
    ...(pid !== undefined && startedAt !== undefined && { process: { pid, startedAt } }),
  };
}

/** It stands above the hosts of the present: until there are some, or where the only one is opened, nobody looks. */
function releaseQuery(model: Model): Query | undefined {
  const hasHosts = model.hosts !== undefined && model.hosts.rows.length > 0;
  return openView(model).name === 'hosts' && hasHosts && !isPast(model) ? RELEASE_QUERY : undefined;
}

/** Whose newest interval is gone back to: that of the host on the screen, or else of one that is there. */
export function hostToSeek(model: Model): string | undefined {
  const hosts = model.hosts?.rows ?? [];
  return shownHost(openView(model)) ?? (hosts.find(({ status }) => status === 'online') ?? hosts[0])?.host;
}

/** The one host that a view is about. */
function shownHost(view: View): string | undefined {
  if (view.name === 'hosts') return undefined;
  return view.name === 'process' ? view.process.host : view.host;
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
