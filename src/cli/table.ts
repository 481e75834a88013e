import Table from 'cli-table3';
import { cells, clean, fit } from '../../tui/text.ts';

export interface Column<R> {
  caption: string;
  align?: 'right';
  text: (row: R) => string;
  /** Cut to what the terminal has left; at most one column, the last. */
  fills?: boolean;
}

const BORDERLESS = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
  ].map((place) => [place, '']),
);

/** Rows as aligned text; on a terminal of `width` cells no line is longer. */
export function formatTable<R>(columns: readonly Column<R>[], rows: readonly R[], width: number | undefined): string {
  const fixed = columns.filter(({ fills }) => !fills);
  const widths = fixed.map(({ caption, text }) =>
    Math.max(caption.length, ...rows.map((row) => cells(clean(text(row))))),
  );
  const left = width === undefined ? undefined : width - widths.reduce((sum, column) => sum + column + 2, 0);
  const table = new Table({
    head: columns.map(({ caption }) => caption),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    chars: { ...BORDERLESS, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows) {
    table.push(
      columns.map(({ text, fills }) =>
        fills && left !== undefined ? fit(text(row), Math.max(10, left)).trimEnd() : clean(text(row)),
      ),
    );
  }
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Width to keep to: the terminal's, or none when the output goes to a file or a program. */
export function outputWidth(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}

/** Colours are for terminals that have some, and for people who want them. */
export function outputHasColours(): boolean {
  return process.stdout.isTTY && !process.env.NO_COLOR && process.stdout.hasColors();
}
