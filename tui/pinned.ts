import { FLOW_NAMES, type FlowName, type Metrics } from '../src/protocol/metric.ts';
import type { ProcessesData } from './model.ts';
import { sum } from './usage.ts';

/** A row below the table that is no process. */
export interface Pinned {
  readonly label: string;
  readonly metrics: Metrics;
}

/**
 * What the rows do not show, so that the table adds up to the host, or to all its hosts: the processes that are filtered
 * out or beyond the rows that were asked for, and what no process accounts for.
 */
export function pinnedRows({ rows, totals }: ProcessesData): Pinned[] {
  if (totals.length === 0) return [];
  const unattributed: Metrics = {};
  const others: Metrics = {};
  for (const name of FLOW_NAMES) {
    const rest = sum(...totals.map((total) => total.unattributed[name]));
    if (rest !== undefined) unattributed[name] = rest;
    others[name] = Math.max(total(totals, name) - (rest ?? 0) - total(rows, name), 0);
  }
  const hidden =
    totals.reduce((count, { processes }) => count + processes, 0) -
    rows.reduce((count, row) => count + ('pid' in row ? 1 : row.processes), 0);
  return [
    ...(hidden > 0 ? [{ label: `${hidden} others`, metrics: others }] : []),
    { label: 'unattributed', metrics: unattributed },
  ];
}

function total(rows: readonly Metrics[], name: FlowName): number {
  return sum(...rows.map((row) => row[name])) ?? 0;
}
