import { METRICS, metricBySort } from '../src/protocol/metric.ts';
import type { Row } from '../src/protocol/row.ts';
import { formatMetric } from './format.ts';
import { BOLD, DIM, type Line, line, rule, type Span, span } from './frame.ts';
import { gaugeLines, gaugesHeight, hostNote, summaryLine } from './gauges.ts';
import { isPast, type Model, type ProcessesData, type ProcessesView } from './model.ts';
import { averagesOf } from './moment-view.ts';
import { type Pinned, pinnedRows } from './pinned.ts';
import { groupColumns, processColumns, rowKey } from './process-columns.ts';
import { pointsOf } from './series.ts';
import { type Column, captions, cellsOf, figureCell, type Placed, placed } from './table.ts';
import { fit } from './text.ts';
import { type Shares, sharesOf } from './usage.ts';

/** Columns of a view's table. Its rows are all groups or all processes, whichever was asked for. */
export function columnsOf(model: Model, view: ProcessesView): readonly Column<Row>[] {
  const fleet = view.host === undefined;
  const maximumOf = isPast(model) ? model.metricSort : undefined;
  return (
    view.groupBy === undefined ? processColumns(fleet, maximumOf) : groupColumns(view.groupBy, fleet, maximumOf)
  ) as readonly Column<Row>[];
}

/** The column a view is ordered by: what was chosen, or the metric chosen last where this table has no such column. */
export function sortOf(model: Model, view: ProcessesView): string {
  return columnsOf(model, view).some(({ name }) => name === model.sort) ? model.sort : model.metricSort;
}

/** Rows in the order that was chosen; equals by identity, so that they do not dance. */
export function orderedRows(model: Model, view: ProcessesView, rows: readonly Row[]): readonly Row[] {
  const sort = sortOf(model, view);
  const column = columnsOf(model, view).find(({ name }) => name === sort);
  return rows.toSorted((a, b) => column?.compare(a, b) || (rowKey(a) < rowKey(b) ? -1 : 1));
}

/** Lines of the view that are not rows of its table. */
export function linesAround(model: Model, view: ProcessesView): number {
  const top = view.host === undefined ? 1 : gaugesHeight(model, view.host);
  return top + 2 + (view.data === undefined ? 0 : pinnedRows(view.data).length);
}

export function processesLines(model: Model, view: ProcessesView, data: ProcessesData, height: number): Line[] {
  const { columns } = model;
  const sort = sortOf(model, view);
  const shown = placed(columnsOf(model, view), sort, columns);
  const { scroll, index } = view.cursor;
  const room = height - linesAround(model, view);
  const rows = data.rows
    .slice(scroll, scroll + room)
    .map((row, offset) => line(columns, cellsOf(shown, row, scroll + offset === index)));
  while (rows.length < room) rows.push(line(columns, []));
  return [
    ...topLines(model, view, data),
    rule(columns, titleOf(model, view, data), countOf(data)),
    line(columns, captions(shown, sort)),
    ...rows,
    ...pinnedRows(data).map((pinned) => line(columns, pinnedCells(shown, pinned))),
  ];
}

/** The gauges of the view's host, or one line for the fleet. */
function topLines(model: Model, view: ProcessesView, data: ProcessesData): Line[] {
  const { columns } = model;
  if (view.host === undefined) return [summaryLine(columns, data.totals)];
  const host = isPast(model) ? undefined : model.hosts?.rows.find((row) => row.host === view.host);
  const total = data.totals.find((row) => row.host === view.host);
  const note = hostNote(model, view.host);
  return [
    ...gaugeLines(columns, total ?? host ?? {}, pastOf(model, view.host, data), host),
    ...(note === undefined ? [] : [line(columns, [span(` ${note}`, { fg: 'yellow' })])]),
  ];
}

/** What led up to what is shown: samples, or intervals. */
function pastOf(model: Model, host: string, data: ProcessesData): readonly Shares[] {
  if (!isPast(model)) return model.history.get(host) ?? [];
  return pointsOf(model, { host }, data.at).map((point) => sharesOf(point?.usage ?? {}));
}

function titleOf(model: Model, view: ProcessesView, data: ProcessesData): Span[] {
  const title = [span(view.groupBy === undefined ? 'processes' : `by ${view.groupBy}`, BOLD), ...averagesOf(data)];
  const sort = sortOf(model, view);
  if (sort !== model.metricSort) title.push(span(`  largest by ${metricBySort(model.metricSort).caption}`, DIM));
  if (view.filter !== undefined) title.push(span('  filter ', DIM), span(view.filter, { fg: 'yellow' }));
  return title;
}

/** How many of how many, and which hosts are missing. */
function countOf({ rows, totals, incomplete }: ProcessesData): Span[] {
  const [missing] = incomplete;
  const all = totals.reduce((count, total) => count + total.processes, 0);
  const counted = span(`${rows.length}${all > 0 ? ` of ${all}` : ''}`);
  if (missing === undefined) return [counted];
  const more = incomplete.length > 1 ? ` and ${incomplete.length - 1} more` : '';
  return [span(`without ${missing.host}${more}: ${missing.reason}`, { fg: 'yellow' }), span('  '), counted];
}

function pinnedCells(shown: readonly Placed<Row>[], { label, metrics }: Pinned): Span[] {
  const spans = [span(' ')];
  const labelled = shown.findIndex(({ column }) => column.name === 'instance' || column.name === 'group');
  for (const [index, { column, width }] of shown.entries()) {
    const metric = METRICS.find(({ name }) => name === column.metric);
    spans.push(span(' '));
    if (metric !== undefined) spans.push(...figureCell(formatMetric(metric.unit, metrics[metric.name]), width, DIM));
    else spans.push(span(fit(index === labelled ? label : '', width), DIM));
  }
  return spans;
}
