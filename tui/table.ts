import type { MetricName } from '../src/protocol/metric.ts';
import { BOLD, DIM, PLAIN, type Span, type Style, span } from './frame.ts';
import { cells, fit } from './text.ts';

/** One column of a table: a row of data, not code of its own. */
export interface Column<Row> {
  /** What sorting by it is called. */
  readonly name: string;
  readonly caption: string;
  /** Fewest cells it makes sense in; what the terminal has to spare goes to columns that `grow`, up to `most`. */
  readonly width: number;
  readonly grow?: number;
  readonly most?: number;
  readonly align: 'left' | 'right';
  /** On a narrow terminal the columns with the largest number are left out. */
  readonly priority: number;
  /** Narrowest terminal it is shown on, unless it is sorted by: what is left of a narrower one is better given to others. */
  readonly from?: number;
  /** The figure it shows, where it shows one of the catalogue. */
  readonly metric?: MetricName;
  /** In exactly `width` cells. */
  cell(row: Row, width: number): readonly Span[];
  /** In the order of the table: figures largest first, names alphabetically. */
  compare(a: Row, b: Row): number;
}

export interface Placed<Row> {
  readonly column: Column<Row>;
  readonly width: number;
}

/** Cells left of the first column, for the mark of the selected row. */
const GUTTER = 1;
const GAP = 1;

/**
 * The columns that fit side by side, most important first, in the catalogue's order. The one that is sorted by is always
 * among them: an order by something that cannot be seen would look like none.
 */
export function placed<Row>(catalogue: readonly Column<Row>[], sort: string, columns: number): Placed<Row>[] {
  let spare = columns - GUTTER;
  const chosen = new Set<Column<Row>>();
  const byPriority = catalogue.toSorted((a, b) => rank(a, sort) - rank(b, sort));
  for (const column of byPriority) {
    if ((column.from ?? 0) > columns && column.name !== sort) continue;
    if (column.width + GAP > spare) break;
    spare -= column.width + GAP;
    chosen.add(column);
  }
  const shown = catalogue.filter((column) => chosen.has(column));
  return grown(shown, spare);
}

export function captions<Row>(shown: readonly Placed<Row>[], sort: string): Span[] {
  const spans = [span(' '.repeat(GUTTER))];
  for (const { column, width } of shown) {
    const sorted = column.name === sort;
    const style: Style = sorted ? BOLD : DIM;
    if (column.align === 'right')
      spans.push(span(fit(sorted ? `▼${column.caption}` : column.caption, width + GAP, 'right'), style));
    else spans.push(span(' '.repeat(GAP)), span(fit(sorted ? `${column.caption}▼` : column.caption, width), style));
  }
  return spans;
}

/** A selected row is inverse and marked at its left edge; bars keep their own look, inverted they would read backwards. */
export function cellsOf<Row>(shown: readonly Placed<Row>[], row: Row, selected: boolean): Span[] {
  const spans = [span(selected ? '›' : ' ', selected ? BOLD : PLAIN)];
  for (const { column, width } of shown) {
    const cell = [span(' '.repeat(GAP)), ...column.cell(row, width)];
    spans.push(...(selected ? cell.map((part) => (isBar(part) ? part : span(part.text, { inverse: true }))) : cell));
  }
  return spans;
}

/** One text in its cells. */
export function textCell(text: string, width: number, style: Style = PLAIN): readonly Span[] {
  return [span(fit(text, width), style)];
}

/** One figure in its cells, at the right; zero and unknown stay in the background. */
export function figureCell(text: string, width: number, style: Style = PLAIN): readonly Span[] {
  return [span(fit(text, width, 'right'), text === '0' || text === '-' ? DIM : style)];
}

/** Largest first, what is not known last. */
export function byFigure<Row>(figure: (row: Row) => number | undefined): (a: Row, b: Row) => number {
  return (a, b) => (figure(b) ?? -1) - (figure(a) ?? -1);
}

export function byText<Row>(text: (row: Row) => string): (a: Row, b: Row) => number {
  return (a, b) => {
    const left = text(a);
    const right = text(b);
    return left < right ? -1 : left > right ? 1 : 0;
  };
}

function rank<Row>(column: Column<Row>, sort: string): number {
  return column.name === sort ? 0 : column.priority;
}

function grown<Row>(shown: readonly Column<Row>[], spare: number): Placed<Row>[] {
  const weights = shown.reduce((sum, { grow = 0 }) => sum + grow, 0);
  const widths = shown.map(({ width, grow = 0, most = Number.POSITIVE_INFINITY }) =>
    Math.min(width + Math.floor((spare * grow) / Math.max(weights, 1)), most),
  );
  const rest = spare - widths.reduce((sum, width, index) => sum + width - (shown[index]?.width ?? 0), 0);
  const last = shown.findLastIndex(({ grow = 0, most }) => grow > 0 && most === undefined);
  return shown.map((column, index) => ({ column, width: (widths[index] ?? 0) + (index === last ? rest : 0) }));
}

function isBar({ text }: Span): boolean {
  return cells(text) > 0 && /^[█▉▊▋▌▍▎▏·]+$/u.test(text);
}
