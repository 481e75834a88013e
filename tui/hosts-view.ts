import type { HostRow } from '../src/protocol/row.ts';
import { BOLD, DIM, type Line, line, rule, span } from './frame.ts';
import { summaryLine } from './gauges.ts';
import { hostColumns, isLive, stateOf } from './host-columns.ts';
import { type HostsData, type HostsView, isPast, type Model } from './model.ts';
import { averagesOf } from './moment-view.ts';
import { rolloutLine, shownRollout } from './rollout-view.ts';
import { captions, cellsOf, placed } from './table.ts';

/** Lines above the rows of the table; a rollout takes one. */
export function hostsAbove(model: Model): number {
  return shownRollout(model) === undefined ? 3 : 4;
}

/** The hosts that pass the view's filter, in the order that was chosen; equals by name, so that they do not dance. */
export function shownHosts(model: Model, view: HostsView): readonly HostRow[] {
  if (model.hosts === undefined) return [];
  const { rows } = model.hosts;
  const part = view.filter?.toLowerCase();
  const kept = part === undefined ? rows : rows.filter((row) => row.host.toLowerCase().includes(part));
  const column = hostColumns(model).find(({ name }) => name === model.hostSort);
  return kept.toSorted((a, b) => column?.compare(a, b) || (a.host < b.host ? -1 : 1));
}

export function hostsLines(model: Model, view: HostsView, data: HostsData, height: number): Line[] {
  const { columns, hostSort } = model;
  const past = isPast(model);
  const rollout = shownRollout(model);
  const shown = placed(hostColumns(model), hostSort, columns);
  const { scroll, index } = view.cursor;
  const rows = view.rows.slice(scroll, scroll + height - hostsAbove(model)).map((row, offset) => {
    const selected = scroll + offset === index;
    if (past || isLive(row)) return line(columns, cellsOf(shown, row, selected));
    const state = span(stateOf(row, data.at), selected ? { inverse: true } : DIM);
    return line(columns, [...cellsOf(shown.slice(0, 1), row, selected), span('  '), state]);
  });
  const filter = view.filter === undefined ? [] : [span('  filter ', DIM), span(view.filter, { fg: 'yellow' })];
  const count =
    view.rows.length === data.rows.length ? `${data.rows.length}` : `${view.rows.length} of ${data.rows.length}`;
  return [
    summaryLine(columns, past ? data.rows : data.rows.filter(isLive)),
    ...(rollout === undefined ? [] : [rolloutLine(columns, rollout)]),
    rule(columns, [span('hosts', BOLD), ...averagesOf(data), ...filter], [span(count)]),
    line(columns, captions(shown, hostSort)),
    ...rows,
  ];
}
