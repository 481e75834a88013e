import { SORT_NAMES, type SortName } from '../src/protocol/metric.ts';
import type { Grouping } from '../src/protocol/query.ts';
import { type Cursor, moved, TOP } from './cursor.ts';
import { detailsLines } from './details-view.ts';
import { hostColumns } from './host-columns.ts';
import { bodyHeight, tableHeight } from './layout.ts';
import {
  HOSTS_VIEW,
  type HostsView,
  isPast,
  type Model,
  openView,
  type ProcessesView,
  processesView,
  shownData,
  type View,
  withView,
} from './model.ts';
import { rowKey } from './process-columns.ts';
import { columnsOf, sortOf } from './processes-view.ts';
import { groupFilter } from './query.ts';
import { returned, stepped, toggledPlay } from './rewind.ts';
import { filtered, onTyping } from './typing.ts';

/** Intervals that `{` and `}` go. */
const STRIDE = 10;

/** Groupings in the order that `t` goes through. */
const GROUPINGS: readonly (Grouping | undefined)[] = [undefined, 'instance', 'user', 'comm'];

const SORT_KEYS: { [key: string]: SortName } = { c: 'cpu', m: 'mem', r: 'read', w: 'write', i: 'net-in', o: 'net-out' };

/**
 * What a key does to the model.
 * @param key A printable character, or a name: `up`, `enter`, `C-c`.
 * @returns `quit` when the user wants out.
 */
export function onKey(model: Model, key: string): Model | 'quit' {
  if (key === 'C-c') return 'quit';
  if (model.typing !== undefined) return onTyping(model, model.typing, key);
  if (key === 'q') return 'quit';
  if (model.helping) return ['h', '?', 'escape', 'enter'].includes(key) ? { ...model, helping: false } : model;
  const sort = SORT_KEYS[key];
  if (sort !== undefined) return sortedBy(model, sort);
  switch (key) {
    case 'h':
    case '?':
      return { ...model, helping: true };
    case 'p':
    case ' ':
      return isPast(model) ? toggledPlay(model) : { ...model, paused: !model.paused };
    case '[':
      return stepped(model, -1);
    case ']':
      return stepped(model, 1);
    case '{':
      return stepped(model, -STRIDE);
    case '}':
      return stepped(model, STRIDE);
    case '@':
      return { ...model, typing: { what: 'time', text: '' } };
    case 'L':
      return returned(model);
    case '1':
      return { ...model, views: [HOSTS_VIEW] };
    case '2':
      return { ...model, views: [HOSTS_VIEW, processesView({})] };
    case 'escape':
    case 'backspace':
      return back(model);
    case 'left':
    case '<':
      return sortedByNeighbour(model, -1);
    case 'right':
    case '>':
      return sortedByNeighbour(model, 1);
  }
  const view = openView(model);
  if (view.name === 'process') return withView(model, { ...view, scroll: scrolled(model, key) });
  return onTableKey(model, view, key);
}

function onTableKey(model: Model, view: HostsView | ProcessesView, key: string): Model {
  switch (key) {
    case 'enter':
      return opened(model, view);
    case '/':
      return { ...model, typing: { what: 'filter', text: view.filter ?? '' } };
    case 'x':
      return filtered(model, undefined);
    case 't': {
      if (view.name === 'hosts') return model;
      const groupBy = GROUPINGS[(GROUPINGS.indexOf(view.groupBy) + 1) % GROUPINGS.length];
      return withView(model, processesView({ ...view, groupBy }));
    }
  }
  return withView(model, { ...view, cursor: movedBy(model, view, key) });
}

function movedBy(model: Model, view: HostsView | ProcessesView, key: string): Cursor {
  const keys = view.name === 'hosts' ? view.rows.map(({ host }) => host) : (view.data?.rows.map(rowKey) ?? []);
  const height = tableHeight(model);
  if (key === 'home' || key === 'g') return TOP;
  const by = stepOf(key, height, keys.length);
  return by === 0 || keys.length === 0 ? view.cursor : moved(view.cursor, by, keys, height);
}

function scrolled(model: Model, key: string): number {
  const view = openView(model);
  if (view.name !== 'process') return 0;
  const height = bodyHeight(model);
  const lines = detailsLines(model, view).length;
  if (key === 'home' || key === 'g') return 0;
  return Math.max(Math.min(view.scroll + stepOf(key, height, lines), lines - height), 0);
}

function stepOf(key: string, page: number, all: number): number {
  switch (key) {
    case 'up':
    case 'k':
      return -1;
    case 'down':
    case 'j':
      return 1;
    case 'pageup':
      return -page;
    case 'pagedown':
      return page;
    case 'end':
    case 'G':
      return all;
    default:
      return 0;
  }
}

function opened(model: Model, view: HostsView | ProcessesView): Model {
  if (view.name === 'hosts') {
    const host = view.rows[view.cursor.index]?.host;
    return host === undefined ? model : pushed(model, processesView({ host }));
  }
  const row = view.data?.rows[view.cursor.index];
  const seen = shownData(model);
  if (row === undefined || seen === undefined) return model;
  if ('pid' in row) return pushed(model, { name: 'process', process: row, seen, samples: [row], scroll: 0 });
  const host = view.host ?? row.host;
  return pushed(model, processesView({ host, filter: groupFilter(view, row), group: row.group }));
}

function pushed(model: Model, view: View): Model {
  return { ...model, views: [...model.views, view] };
}

function back(model: Model): Model {
  const [first, ...rest] = model.views;
  return { ...model, views: [first, ...rest.slice(0, -1)] };
}

function sortedBy(model: Model, sort: string): Model {
  const view = openView(model);
  if (view.name === 'process') return model;
  if (view.name === 'hosts') return withView({ ...model, hostSort: sort }, { ...view, cursor: TOP });
  const metricSort = SORT_NAMES.find((name) => name === sort) ?? model.metricSort;
  return withView({ ...model, sort, metricSort }, { ...view, cursor: TOP });
}

function sortedByNeighbour(model: Model, by: -1 | 1): Model {
  const view = openView(model);
  if (view.name === 'process') return model;
  const names = view.name === 'hosts' ? hostColumns(model) : columnsOf(model, view);
  const sort = view.name === 'hosts' ? model.hostSort : sortOf(model, view);
  const index = names.findIndex(({ name }) => name === sort);
  const next = names[(index + by + names.length) % names.length];
  return next === undefined ? model : sortedBy(model, next.name);
}
