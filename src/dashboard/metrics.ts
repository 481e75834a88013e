import * as units from '@grafana/grafana-foundation-sdk/units';
import { METRICS, type Metric, type MetricUnit, type SortName } from '../protocol/metric.ts';
import { UNATTRIBUTED } from '../store/tables.ts';

/** Grafana's names of units; 100 percent = one core. */
export const UNITS: { [unit in MetricUnit]: string } = {
  percent: units.Percent,
  bytes: units.BytesIEC,
  bytesPerSec: units.BytesPerSecondSI,
};

/** What titles call a metric. */
export const WORDS: { [sort in SortName]: string } = {
  cpu: 'CPU',
  mem: 'memory',
  read: 'read',
  write: 'write',
  'net-in': 'net in',
  'net-out': 'net out',
};

/** The column of the host that holds what its processes' metric is a part of; its maximum is in `${column}_max`. */
export function hostColumn({ name, column }: Metric): string {
  return name === 'rssBytes' ? 'mem_used_bytes' : column;
}

/** Metrics of which a host has a remainder that no process accounts for, and the column that holds it. */
export const FLOWS = METRICS.flatMap((metric) => {
  const remainder = UNATTRIBUTED.find(({ field }) => field === metric.name);
  return remainder === undefined ? [] : [{ metric, unattributed: remainder.column }];
});
