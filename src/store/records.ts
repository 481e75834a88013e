import type { HostMaxima } from '../protocol/interval.ts';
import { type Flows, type MaxName, METRICS, type MetricMaxima, type Metrics } from '../protocol/metric.ts';
import type { HostTotal, HostUsage, ProcessRow } from '../protocol/row.ts';
import type { Point } from '../protocol/series.ts';
import type { HostHistory } from './store.ts';
import { HOST_FIGURES, HOST_MAXIMA, UNATTRIBUTED } from './tables.ts';

/** One row that was read, by column name. */
export type Fields = Record<string, string | number | null>;

/** What the intervals of one host in a stretch of time amount to, before any figure of them is read. */
export interface Extent {
  fromMs: number;
  toMs: number;
  coveredMs: number;
  intervals: number;
  /** Rows in `PROCESS_IO_INFO`. */
  recorded: number;
}

/** @param fields the columns of `HOST_INFO`, averaged and maximised over the extent. */
export function hostHistory(host: string, extent: Extent, fields: Fields): HostHistory {
  const { fromMs, toMs, coveredMs, intervals } = extent;
  const total: HostTotal = { host, at: new Date(toMs).toISOString(), ...hostUsage(fields) };
  return { total, max: hostMaxima(fields), fromMs, toMs, coveredMs, intervals };
}

/** @param fields a row of `HOST_INFO`; its `a_time` is in ms here. */
export function hostPoint(fields: Fields): Point {
  const endMs = Number(fields.a_time);
  const from = new Date(endMs - Number(fields.length_ms)).toISOString();
  return { from, at: new Date(endMs).toISOString(), usage: hostUsage(fields), max: hostMaxima(fields) };
}

function hostUsage(fields: Fields): HostUsage {
  const unattributed: Flows = {};
  for (const { field, column } of UNATTRIBUTED) {
    const value = fields[column];
    if (typeof value === 'number') unattributed[field] = value;
  }
  const usage = Object.fromEntries(HOST_FIGURES.map(({ field, column }) => [field, fields[column]]));
  return { ...usage, unattributed } as HostUsage;
}

function hostMaxima(fields: Fields): HostMaxima {
  return Object.fromEntries(HOST_MAXIMA.map(({ field, column }) => [field, fields[column]])) as HostMaxima;
}

/** A row of `PROCESS_IO_INFO` without what its key says of host and time. */
export interface ProcessRecord {
  pid: number;
  started: number;
  md5_str: string;
  state: string;
  threads: number;
  /** In the order of `METRICS`; null is not known. */
  averages: (number | null)[];
  maxima: (number | null)[];
}

/** @param values of the columns `PROCESS_FIGURES`. */
export function figuresOf(values: readonly unknown[]): Pick<ProcessRecord, 'averages' | 'maxima'> {
  const figures = values as (number | null)[];
  return { averages: figures.slice(0, METRICS.length), maxima: figures.slice(METRICS.length) };
}

/** @param names the row of `PROCESS_INFO` that the record's `md5_str` stands for; without it the names are empty. */
export function processRow(host: string, record: ProcessRecord, names: Fields | undefined): ProcessRow {
  const text = (column: string): string => String(names?.[column] ?? '');
  const row: ProcessRow = {
    host,
    pid: record.pid,
    instance: text('instance'),
    comm: text('comm'),
    user: text('user'),
    cmdline: text('cmdline'),
    ports: text('ports') === '' ? [] : text('ports').split(',').map(Number),
    state: record.state,
    threads: record.threads,
    startedAt: new Date(record.started).toISOString(),
  };
  if (names?.unit != null) row.unit = text('unit');
  if (names?.container != null) row.container = text('container');
  return Object.assign(row, processFigures(record));
}

/** What is not known is left out. */
export function processFigures({
  averages,
  maxima,
}: Pick<ProcessRecord, 'averages' | 'maxima'>): Metrics & MetricMaxima {
  const figures: Metrics & MetricMaxima = {};
  for (const [index, { name }] of METRICS.entries()) {
    const max: MaxName = `${name}Max`;
    const average = averages[index] ?? undefined;
    const maximum = maxima[index] ?? undefined;
    if (average !== undefined) figures[name] = average;
    if (maximum !== undefined) figures[max] = maximum;
  }
  return figures;
}
