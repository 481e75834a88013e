import type { Table } from '../store/table.ts';
import { inRange, point } from './range.ts';

/**
 * One series per host, or per host and `part`. Intervals that one point stands for are averaged plainly: they are of one
 * length unless `interval_time` was changed.
 */
export interface SeriesOf {
  table: Table;
  /** Column of the table's key below host and time. */
  part?: string;
  /** Aggregate over the intervals of one point. */
  value: string;
  /** Ends the series' name, where a panel has several of one host. */
  suffix?: string;
}

export function seriesSql({ table, part, value, suffix }: SeriesOf): string {
  const key = ['rshost', ...(part === undefined ? [] : [part])];
  return `SELECT ${point()} AS time, ${seriesName(key, suffix)} AS metric, ${value} AS value
FROM ${table.name}
WHERE ${inRange()}
GROUP BY time, ${key.join(', ')}
ORDER BY time`;
}

/** `host part suffix`. */
export function seriesName(columns: readonly string[], suffix?: string): string {
  const parts = [...columns, ...(suffix === undefined ? [] : [`'${suffix}'`])];
  return parts.length === 1 ? (parts[0] ?? '') : `CONCAT(${parts.join(", ' ', ")})`;
}
