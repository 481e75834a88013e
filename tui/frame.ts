import { cells, clean, fit } from './text.ts';

/** Sixteen-colour names only, so that the terminal's own theme decides what they look like. */
export interface Style {
  fg?: 'red' | 'green' | 'yellow' | 'cyan';
  bold?: true;
  dim?: true;
  inverse?: true;
}

/** Cells of one look. `text` is clean: a frame can be written to a terminal as it stands. */
export interface Span {
  readonly text: string;
  readonly style: Style;
}

/** Spans that take exactly as many cells as the terminal has columns. */
export type Line = readonly Span[];
/** One line for each row of the terminal. */
export type Frame = readonly Line[];

export const PLAIN: Style = {};
export const BOLD: Style = { bold: true };
export const DIM: Style = { dim: true };

export function span(text: string, style: Style = PLAIN): Span {
  return { text, style };
}

/** Spans cleaned, and cut or padded to exactly `columns` cells; `right` ends at the right edge and is cut last. */
export function line(columns: number, left: readonly Span[], right: readonly Span[] = []): Line {
  const end = cut(right, columns);
  const start = cut(left, columns - width(end));
  const gap = columns - width(start) - width(end);
  return gap > 0 ? [...start, span(' '.repeat(gap)), ...end] : [...start, ...end];
}

/** A horizontal rule with a title set into it: `── title ─────────── right ──`. */
export function rule(columns: number, title: readonly Span[], right: readonly Span[] = []): Line {
  const end = right.length > 0 ? [span(' '), ...right, span(' '), span('──', DIM)] : [];
  const start = cut([span('── ', DIM), ...title, span(' ')], columns - width(end));
  return line(columns, [...start, span('─'.repeat(Math.max(columns - width(start) - width(end), 0)), DIM), ...end]);
}

/** Cells that spans take. */
export function width(spans: readonly Span[]): number {
  return spans.reduce((sum, { text }) => sum + cells(clean(text)), 0);
}

/** The same line with every colour taken out and dimmed: what is shown is not true any more. */
export function faded(faint: Line): Line {
  return faint.map(({ text, style }) => ({ text, style: style.inverse ? { inverse: true, dim: true } : DIM }));
}

function cut(spans: readonly Span[], columns: number): Span[] {
  const kept: Span[] = [];
  let left = columns;
  for (const { text, style } of spans) {
    if (left <= 0) break;
    const shown = clean(text);
    const wanted = cells(shown);
    if (shown !== '') kept.push({ text: wanted > left ? fit(shown, left) : shown, style });
    left -= wanted;
  }
  return kept;
}
