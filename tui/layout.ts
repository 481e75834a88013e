import { hostsAbove } from './hosts-view.ts';
import { type Model, openView, shownEvent } from './model.ts';
import { linesAround } from './processes-view.ts';

const LEAST_COLUMNS = 60;
const LEAST_ROWS = 14;
const HEADER = 1;
const FOOTER = 1;

/** The size a terminal needs where this one is too small, `60×14`. */
export function sizeNeeded({ columns, rows }: Model): string | undefined {
  return columns < LEAST_COLUMNS || rows < LEAST_ROWS ? `${LEAST_COLUMNS}×${LEAST_ROWS}` : undefined;
}

/** Lines between header and footer; the banner of a lost connection, or of an event, takes one. */
export function bodyHeight(model: Model): number {
  return model.rows - HEADER - FOOTER - (model.connection.state === 'gone' || shownEvent(model) !== undefined ? 1 : 0);
}

/** Rows of the open view's table, at least one. */
export function tableHeight(model: Model): number {
  const view = openView(model);
  const around = view.name === 'hosts' ? hostsAbove(model) : view.name === 'processes' ? linesAround(model, view) : 0;
  return Math.max(bodyHeight(model) - around, 1);
}
