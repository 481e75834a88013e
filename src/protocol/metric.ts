import * as z from 'zod/mini';

/** How a metric's number is to be read: `percent` (100 = one core), `bytes`, or `bytesPerSec`. */
export type MetricUnit = 'percent' | 'bytes' | 'bytesPerSec';

/**
 * The metric catalogue: one row per figure a process has. Wire schemas, `--sort`, the store's columns, the terminal's
 * columns and thresholds all read this table, so a metric is declared here and nowhere else.
 *
 * `column` is the column of `tb_monitor_process_io_info` that holds the interval's average; its maximum is in
 * `${column}_max`. `rule` is the `[RULE]` key whose threshold makes an interval record the process.
 */
export const METRICS = [
  { name: 'cpuPercent', sort: 'cpu', unit: 'percent', column: 'cpu_percent', caption: 'CPU', rule: 'cpu' },
  { name: 'rssBytes', sort: 'mem', unit: 'bytes', column: 'rss_bytes', caption: 'MEM', rule: 'mem' },
  {
    name: 'readBytesPerSec',
    sort: 'read',
    unit: 'bytesPerSec',
    column: 'read_bytes_per_sec',
    caption: 'READ',
    rule: 'io',
  },
  {
    name: 'writeBytesPerSec',
    sort: 'write',
    unit: 'bytesPerSec',
    column: 'write_bytes_per_sec',
    caption: 'WRITE',
    rule: 'io',
  },
  {
    name: 'netInBytesPerSec',
    sort: 'net-in',
    unit: 'bytesPerSec',
    column: 'net_in_bytes_per_sec',
    caption: 'NET-IN',
    rule: 'net',
  },
  {
    name: 'netOutBytesPerSec',
    sort: 'net-out',
    unit: 'bytesPerSec',
    column: 'net_out_bytes_per_sec',
    caption: 'NET-OUT',
    rule: 'net',
  },
] as const satisfies readonly {
  name: string;
  sort: string;
  unit: MetricUnit;
  column: string;
  caption: string;
  rule: string;
}[];

export type Metric = (typeof METRICS)[number];
export type MetricName = Metric['name'];
export type SortName = Metric['sort'];
export type MaxName = `${MetricName}Max`;
/** Metrics of which a host has a remainder that no process accounts for: everything but memory. */
export type FlowName = Exclude<MetricName, 'rssBytes'>;

export const SORT_NAMES: readonly SortName[] = METRICS.map((metric) => metric.sort);
export const FLOW_NAMES: readonly FlowName[] = METRICS.map((metric) => metric.name).filter(
  (name) => name !== 'rssBytes',
);

/** The catalogue row a `--sort` name stands for. */
export function metricBySort(sort: SortName): Metric {
  const found = METRICS.find((metric) => metric.sort === sort);
  if (found === undefined) throw new RangeError(`no metric sorts as ${sort}`);
  return found;
}

/** Absent = not known; 0 = measured zero. */
export type Metrics = { [name in MetricName]?: number };
/** Maxima over an interval, beside each average; only rows from history carry them. */
export type MetricMaxima = { [name in MaxName]?: number };
export type Flows = { [name in FlowName]?: number };

const figure = z.optional(z.number().check(z.minimum(0)));

function figures<Name extends string>(names: readonly Name[]): z.ZodMiniObject<{ [name in Name]: typeof figure }> {
  const shape = Object.fromEntries(names.map((name) => [name, figure])) as { [name in Name]: typeof figure };
  return z.object(shape);
}

export const metricsSchema = figures(METRICS.map((metric) => metric.name));
export const metricMaximaSchema = figures(METRICS.map((metric): MaxName => `${metric.name}Max`));
export const flowsSchema = figures(FLOW_NAMES);
