import type { Metric } from '../protocol/metric.ts';
import { HOST_INFO, PROCESS_INFO, PROCESS_IO_INFO } from '../store/tables.ts';
import { indented } from './indented.ts';
import { hostColumn } from './metrics.ts';
import { inRange, point } from './range.ts';

/**
 * A name of a host that is short enough for the keys of temporary tables: grouping by and joining on 255 characters of four
 * bytes each takes many times longer, and MariaDB has no key that long for a join at all.
 */
export const HOST_KEY = 'LEFT(UNHEX(MD5(rshost)), 8)';

/** Always holds when the variable's choice is “All”: then it says the name of the column. */
export const CHOSEN_INSTANCE = 'instance IN ($instance)';

/**
 * Series of the instances' averages. What was recorded in some intervals counts 0 in the host's others: a sum is divided by
 * the intervals that the host has in the same point, not by the rows found.
 */
export function averageSql(metric: Metric): string {
  return `SELECT p.time, CONCAT(h.rshost, ' ', p.instance) AS metric, p.total / h.intervals AS value
FROM (${indented(instances(sums(metric), { total: 'SUM(r.total)' }))}) p
JOIN (${indented(hosts())}) h ON h.time = p.time AND h.host = p.host
ORDER BY p.time`;
}

/**
 * Series of the instances' largest samples. Of several processes it is the sum of each one's largest; they may have been at
 * different moments, so it is no more than the host's largest. It is no less than the average either.
 */
export function maximumSql(metric: Metric): string {
  const perProcess = sums(metric, { processes: true });
  return `SELECT p.time, CONCAT(h.rshost, ' ', p.instance) AS metric,
  GREATEST(p.total / h.intervals, LEAST(p.largest, h.largest)) AS value
FROM (${indented(instances(perProcess, { total: 'SUM(r.total)', largest: 'SUM(r.largest)' }))}) p
JOIN (${indented(hosts({ largest: `MAX(${hostColumn(metric)}_max)` }))}) h ON h.time = p.time AND h.host = p.host
ORDER BY p.time`;
}

/** Series, one per host, of what is left of it when the chosen instances and what is unattributed are taken away. */
export function othersSql(metric: Metric, unattributed: string): string {
  const known = `AVG(${hostColumn(metric)}) - COALESCE(SUM(${unattributed}), 0) / COUNT(*)`;
  return `SELECT h.time, CONCAT(h.rshost, ' others') AS metric,
  GREATEST(0, h.known - COALESCE(p.total / h.intervals, 0)) AS value
FROM (${indented(hosts({ known }))}) h
LEFT JOIN (${indented(chosen(metric))}) p ON p.time = h.time AND p.host = h.host
ORDER BY h.time`;
}

/** Sums of each program, or of each process, in each point. */
function sums({ column }: Metric, { processes = false } = {}): string {
  const [largest, key] = processes ? [`, MAX(${column}_max) AS largest`, ', pid, started'] : ['', ''];
  return `SELECT ${point()} AS time, ${HOST_KEY} AS host, md5_str, SUM(${column}) AS total${largest}
FROM ${PROCESS_IO_INFO.name}
WHERE ${inRange()}
GROUP BY time, host, md5_str${key}`;
}

/** Sums of the chosen instances: names are looked up last, for the fewest rows. */
function instances(recorded: string, figures: { [name: string]: string }): string {
  return `SELECT r.time, r.host, n.instance, ${listed(figures)}
FROM (${indented(recorded)}) r
JOIN ${PROCESS_INFO.name} n ON n.md5_str = r.md5_str
WHERE ${CHOSEN_INSTANCE}
GROUP BY r.time, r.host, n.instance`;
}

/** Sums of all chosen instances together. */
function chosen(metric: Metric): string {
  return `SELECT r.time, r.host, SUM(r.total) AS total
FROM (${indented(sums(metric))}) r
JOIN ${PROCESS_INFO.name} n ON n.md5_str = r.md5_str
WHERE ${CHOSEN_INSTANCE}
GROUP BY r.time, r.host`;
}

/** The host's side of each point: how many intervals it has. */
function hosts(figures: { [name: string]: string } = {}): string {
  return `SELECT ${point()} AS time, ${HOST_KEY} AS host, rshost, ${listed({ intervals: 'COUNT(*)', ...figures })}
FROM ${HOST_INFO.name}
WHERE ${inRange()}
GROUP BY time, rshost`;
}

function listed(figures: { [name: string]: string }): string {
  return Object.entries(figures)
    .map(([name, expression]) => `${expression} AS ${name}`)
    .join(', ');
}
