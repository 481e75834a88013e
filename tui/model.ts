import type { Answer, ConnectionStatus } from '../src/client/client.ts';
import type { Incomplete } from '../src/protocol/message.ts';
import type { Metrics, SortName } from '../src/protocol/metric.ts';
import type { Grouping, Query } from '../src/protocol/query.ts';
import type { HostRow, HostTotal, ProcessRow, Row } from '../src/protocol/row.ts';
import { type Cursor, TOP } from './cursor.ts';
import type { History } from './history.ts';

export type Connection = { state: 'connecting' } | { state: 'live' } | { state: 'gone'; reason: string };

/** An answer as it arrived. `receivedAtMs` is our own clock: the age of data must not depend on the server's. */
export interface Dated {
  /** UTC. */
  readonly at: string;
  readonly receivedAtMs: number;
}

export interface HostsData extends Dated {
  readonly rows: readonly HostRow[];
}

export interface ProcessesData extends Dated {
  readonly rows: readonly Row[];
  readonly totals: readonly HostTotal[];
  readonly incomplete: readonly Incomplete[];
}

export interface HostsView {
  readonly name: 'hosts';
  /** Part of a host's name. */
  readonly filter?: string | undefined;
  readonly cursor: Cursor;
  /** Those that pass the filter, in the order that was chosen. */
  readonly rows: readonly HostRow[];
}

/** Processes or groups: of one host, with its gauges, or of the fleet. */
export interface ProcessesView {
  readonly name: 'processes';
  /** The group it was opened from. */
  readonly group?: string | undefined;
  readonly host?: string | undefined;
  readonly groupBy?: Grouping | undefined;
  readonly filter?: string | undefined;
  readonly cursor: Cursor;
  /** Rows asked for; grows as somebody scrolls down. */
  readonly limit: number;
  readonly data?: ProcessesData | undefined;
}

export interface DetailsView {
  readonly name: 'process';
  /** As it was last seen. */
  readonly process: ProcessRow;
  readonly seen: Dated;
  readonly ended: boolean;
  /** Since the view was opened, oldest first, bounded. */
  readonly samples: readonly Metrics[];
  readonly scroll: number;
}

export type View = HostsView | ProcessesView | DetailsView;

export interface Model {
  readonly columns: number;
  readonly rows: number;
  /** A line the caller wants seen. */
  readonly notice?: string | undefined;
  readonly nowMs: number;
  readonly connection: Connection;
  readonly paused: boolean;
  readonly helping: boolean;
  /** A filter that is being typed. */
  readonly typing?: string | undefined;
  /** What the server said to a question instead of an answer. */
  readonly refusal?: { readonly to: 'hosts' | 'processes'; readonly text: string } | undefined;
  /** Column that the tables of processes are ordered by, and the metric by which the server picks their rows. */
  readonly sort: string;
  readonly metricSort: SortName;
  /** Column that the table of hosts is ordered by. */
  readonly hostSort: string;
  /** Open views, the one on the screen last: Esc goes back. */
  readonly views: readonly [View, ...View[]];
  /** Whether the first view is decided: by the first hosts that arrive, or by somebody's key. */
  readonly started: boolean;
  readonly hosts?: HostsData | undefined;
  readonly history: History;
  /** What the screen needs of processes, kept equal to `processesQuery`. */
  readonly asked?: Query | undefined;
  /** Whether `asked` has not been answered yet. */
  readonly awaiting: boolean;
}

export type Message =
  | { type: 'key'; key: string }
  | { type: 'resize'; columns: number; rows: number }
  | { type: 'status'; status: ConnectionStatus }
  | { type: 'answer'; to: 'hosts' | 'processes'; answer: Answer; nowMs: number }
  | { type: 'clock'; nowMs: number };

/** What `update` wants done; `ask` without a query means that no processes are looked at. */
export type Command = { type: 'ask'; query: Query | undefined } | { type: 'quit' };

/** Before anything was heard. */
export function initialModel(terminal: { columns: number; rows: number; nowMs: number; notice?: string }): Model {
  return {
    ...terminal,
    connection: { state: 'connecting' },
    paused: false,
    helping: false,
    sort: 'cpu',
    metricSort: 'cpu',
    hostSort: 'cpu',
    views: [HOSTS_VIEW],
    started: false,
    history: new Map(),
    awaiting: false,
  };
}

export const HOSTS_VIEW: HostsView = { name: 'hosts', cursor: TOP, rows: [] };

/** A view of processes that has not been answered yet. */
export function processesView(of: Pick<ProcessesView, 'host' | 'filter' | 'groupBy' | 'group'>): ProcessesView {
  const { host, filter, groupBy, group } = of;
  return { name: 'processes', host, filter, groupBy, group, cursor: TOP, limit: 0 };
}

/** The view on the screen. */
export function openView(model: Model): View {
  return model.views.at(-1) ?? model.views[0];
}

/** The same model with another view on the screen in place of the open one. */
export function withView(model: Model, view: View): Model {
  const [first, ...rest] = model.views;
  return { ...model, views: rest.length === 0 ? [view] : [first, ...rest.slice(0, -1), view] };
}

/** The instant of what is on the screen; nothing while there is nothing. */
export function shownData(model: Model): Dated | undefined {
  const view = openView(model);
  if (view.name === 'hosts') return model.hosts;
  return view.name === 'processes' ? view.data : view.seen;
}
