import * as units from '@grafana/grafana-foundation-sdk/units';
import { METRICS, type Metric } from '../../protocol/metric.ts';
import { HOST_INFO, PROCESS_INFO, PROCESS_IO_INFO } from '../../store/tables.ts';
import { indented } from '../indented.ts';
import { FLOWS, hostColumn, UNITS, WORDS } from '../metrics.ts';
import { type Panel, type Row, tablePanel } from '../panel.ts';
import { CHOSEN_INSTANCE, HOST_KEY } from '../process-sql.ts';
import { inRange } from '../range.ts';

const LARGEST = 20;
/** Of a command line. */
const SHOWN_CHARACTERS = 200;

export function culpritsRow(): Row {
  const panels = METRICS.map(culpritsPanel);
  return { title: 'CULPRITS', lines: [panels.slice(0, 2), panels.slice(2, 4), panels.slice(4)] };
}

function culpritsPanel(metric: Metric): Panel {
  return tablePanel({
    title: `who used most: ${WORDS[metric.sort]}`,
    description: `The ${LARGEST} instances that used most over the whole range, of all chosen hosts: their average (what was recorded in half of the intervals shows half), its share of what their host used, and the largest sample. The command is that of the instance's largest process. “unattributed” is what no process accounts for.`,
    unit: UNITS[metric.unit],
    sql: culpritsSql(metric),
    columns: {
      share: [
        { id: 'unit', value: units.Percent },
        { id: 'min', value: 0 },
        { id: 'max', value: 100 },
        { id: 'custom.cellOptions', value: { type: 'gauge', mode: 'basic' } },
      ],
      processes: [{ id: 'unit', value: units.Short }],
    },
  });
}

/** As `procmesh blame` reckons, but over all chosen hosts. */
function culpritsSql(metric: Metric): string {
  const remainder = FLOWS.find((flow) => flow.metric === metric);
  const named = `SELECT h.rshost AS host, p.instance, p.total / h.intervals AS average,
  LEAST(100, 100 * p.total / h.intervals / h.average) AS share,
  GREATEST(p.total / h.intervals, LEAST(p.largest, h.largest)) AS largest, p.processes, p.users, p.command
FROM (${indented(instances(metric))}) p
JOIN (${indented(hosts(metric))}) h ON h.host = p.host`;
  const parts = [named, ...(remainder === undefined ? [] : [unattributed(metric, remainder.unattributed)])];
  return `${parts.map((part) => `(${indented(part)})`).join('\nUNION ALL\n')}
ORDER BY average DESC
LIMIT ${LARGEST}`;
}

/** Names are looked up last, for the fewest rows. */
function instances({ column }: Metric): string {
  const recorded = `SELECT ${HOST_KEY} AS host, md5_str, SUM(${column}) AS total, MAX(${column}_max) AS largest
FROM ${PROCESS_IO_INFO.name}
WHERE ${inRange()}
GROUP BY host, md5_str, pid, started`;
  return `SELECT r.host, n.instance, SUM(r.total) AS total, SUM(r.largest) AS largest, COUNT(*) AS processes,
  GROUP_CONCAT(DISTINCT n.user) AS users,
  SUBSTRING_INDEX(GROUP_CONCAT(LEFT(n.cmdline, ${SHOWN_CHARACTERS}) ORDER BY r.total DESC SEPARATOR '\t'), '\t', 1) AS command
FROM (${indented(recorded)}) r
JOIN ${PROCESS_INFO.name} n ON n.md5_str = r.md5_str
WHERE ${CHOSEN_INSTANCE}
GROUP BY r.host, n.instance
HAVING total > 0`;
}

function hosts(metric: Metric): string {
  const column = hostColumn(metric);
  return `SELECT ${HOST_KEY} AS host, rshost, COUNT(*) AS intervals, AVG(${column}) AS average, MAX(${column}_max) AS largest
FROM ${HOST_INFO.name}
WHERE ${inRange()}
GROUP BY rshost`;
}

function unattributed(metric: Metric, column: string): string {
  const average = `SUM(${column}) / COUNT(*)`;
  return `SELECT rshost AS host, 'unattributed' AS instance, ${average} AS average,
  LEAST(100, 100 * ${average} / AVG(${hostColumn(metric)})) AS share,
  NULL AS largest, NULL AS processes, NULL AS users, NULL AS command
FROM ${HOST_INFO.name}
WHERE ${inRange()}
GROUP BY rshost
HAVING average > 0`;
}
