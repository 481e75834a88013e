import type { Answer, ConnectionStatus, ViewerEvent } from '../src/client/client.ts';
import type { Incomplete } from '../src/protocol/message.ts';
import type { Metrics, SortName } from '../src/protocol/metric.ts';
import type { Grouping, Query } from '../src/protocol/query.ts';
import type { RolloutStatus } from '../src/protocol/release.ts';
import type { HostRow, HostTotal, ProcessRow, Row } from '../src/protocol/row.ts';
import type { Point } from '../src/protocol/series.ts';
import { type Cursor, TOP } from './cursor.ts';
import type { History } from './history.ts';

export type Connection = { state: 'connecting' } | { state: 'live' } | { state: 'gone'; reason: string };

/** Which moment the screens show, by the server's clock, epoch ms. */
export type Moment =
  | { readonly state: 'live' }
  /** Live still, while it is looked for which intervals are the newest: so many of them are to be gone back. */
  | { readonly state: 'seeking'; readonly atMs: number; readonly back: number }
  /** `atMs` is what is asked for; until the answer comes, the moment before stays on the screen. */
  | { readonly state: 'past'; readonly atMs: number; readonly isPlaying: boolean };

/** What the server is asked about, each in its turn. */
export const SUBJECTS = ['hosts', 'processes', 'series', 'release'] as const;
export type Subject = (typeof SUBJECTS)[number];

/** A question that stands. */
export interface Asked {
  readonly query: Query;
  /** Not answered yet. */
  readonly isAwaited: boolean;
  /** Our own clock. */
  readonly sinceMs: number;
}

/** An answer as it arrived. `receivedAtMs` is our own clock: the age of data must not depend on the server's. */
export interface Dated {
  /** UTC. */
  readonly at: string;
  /** Of the past: where the interval begins that ends `at`; absent where nothing was recorded. */
  readonly from?: string | undefined;
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

/** What led up to the moment that is shown. */
export interface SeriesData {
  readonly host: string;
  /** Whose figures stand beside those of the host. */
  readonly process?: Query['process'];
  /** Oldest first. */
  readonly points: readonly Point[];
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
  /** As it was last seen; without figures where none are known of the moment. */
  readonly process: ProcessRow;
  readonly seen?: Dated | undefined;
  /** Why it is not there: it has ended, or the interval did not record it. */
  readonly absence?: 'ended' | 'unrecorded' | undefined;
  /** Live ones since the view was opened, oldest first, bounded. */
  readonly samples: readonly Metrics[];
  readonly scroll: number;
}

export type View = HostsView | ProcessesView | DetailsView;

/** What was alerted last, or recovered, and when it was heard of by our own clock. */
export interface LatestEvent extends Pick<ViewerEvent, 'host' | 'state' | 'text'> {
  readonly receivedAtMs: number;
}

/** An event stays on the screen for so long. */
const EVENT_MS = 10_000;

export interface Model {
  readonly columns: number;
  readonly rows: number;
  /** A line the caller wants seen. */
  readonly notice?: string | undefined;
  readonly event?: LatestEvent | undefined;
  /** What a key came to, until the next one. */
  readonly said?: string | undefined;
  readonly nowMs: number;
  /** Added to `nowMs` it is the server's clock, epoch ms. */
  readonly clockOffsetMs: number;
  readonly connection: Connection;
  readonly moment: Moment;
  /** Of the intervals that were shown the longest: one that was cut short, by a gap before it, says nothing of the others. */
  readonly intervalMs?: number | undefined;
  readonly paused: boolean;
  readonly helping: boolean;
  /** A filter, or a time to go to, that is being typed. */
  readonly typing?: { readonly what: 'filter' | 'time'; readonly text: string } | undefined;
  /** What the server said to a question instead of an answer. */
  readonly refusal?: { readonly to: Subject; readonly text: string } | undefined;
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
  /** Of the past. */
  readonly series?: SeriesData | undefined;
  /** The newest one; nothing where there was none, or the server knows of none. */
  readonly rollout?: RolloutStatus | undefined;
  /** What the screen needs of each subject, kept equal to `questionOf`; nothing where it needs none. */
  readonly asked: { readonly [subject in Subject]?: Asked | undefined };
}

export type Message =
  | { type: 'key'; key: string }
  | { type: 'resize'; columns: number; rows: number }
  | { type: 'status'; status: ConnectionStatus }
  | { type: 'answer'; to: Subject; answer: Answer; nowMs: number }
  | { type: 'event'; event: ViewerEvent; nowMs: number }
  | { type: 'clock'; nowMs: number };

/** What `update` wants done; `ask` without a query means that nothing of the subject is looked at. */
export type Command = { type: 'ask'; about: Subject; query: Query | undefined } | { type: 'quit' };

export interface Opening {
  readonly columns: number;
  readonly rows: number;
  readonly nowMs: number;
  readonly clockOffsetMs: number;
  readonly notice?: string | undefined;
  /** Moment of the past to begin with, epoch ms. */
  readonly atMs?: number | undefined;
}

/** Before anything was asked or heard. */
export function initialModel({ atMs, ...terminal }: Opening): Model {
  return {
    ...terminal,
    connection: { state: 'connecting' },
    moment: atMs === undefined ? { state: 'live' } : { state: 'past', atMs, isPlaying: false },
    paused: false,
    helping: false,
    sort: 'cpu',
    metricSort: 'cpu',
    hostSort: 'cpu',
    views: [HOSTS_VIEW],
    started: false,
    history: new Map(),
    asked: {},
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

/** Whether the screens show the past, or are to; what is known of the present is gone then. */
export function isPast({ moment }: Model): boolean {
  return moment.state === 'past';
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

/** The event that is on the screen; that the server is gone takes its place. */
export function shownEvent({ event, nowMs, connection }: Model): LatestEvent | undefined {
  return event !== undefined && nowMs - event.receivedAtMs < EVENT_MS && connection.state !== 'gone'
    ? event
    : undefined;
}
