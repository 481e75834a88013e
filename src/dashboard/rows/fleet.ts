import * as units from '@grafana/grafana-foundation-sdk/units';
import { HOST_INFO } from '../../store/tables.ts';
import { indented } from '../indented.ts';
import { type Panel, type Row, seriesPanel, tablePanel } from '../panel.ts';
import { atEndOfRange, inRange, point, timeInRange } from '../range.ts';

const END_MINUTES = 5;
const LARGEST = 10;

/** `uid` of the dashboard, which the hosts' names lead to. */
export function fleetRow(uid: string): Row {
  return {
    title: 'FLEET',
    lines: [
      [overviewPanel(uid)],
      [
        topPanel('CPU', 'CPU used, 100 % = all cores', units.Percent, 'cpu_percent / cores'),
        topPanel('memory', 'memory used, 100 % = all of it', units.Percent, '100 * mem_used_bytes / mem_total_bytes'),
      ],
      [
        topPanel('disk', 'utilisation of the busiest disk, 100 % = all the time', units.Percent, 'disk_util_percent'),
        topPanel(
          'net',
          'bytes received and sent',
          units.BytesPerSecondSI,
          'net_in_bytes_per_sec + net_out_bytes_per_sec',
        ),
      ],
    ],
  };
}

function overviewPanel(uid: string): Panel {
  const percent = [
    { id: 'unit', value: units.Percent },
    { id: 'min', value: 0 },
    { id: 'max', value: 100 },
    { id: 'custom.cellOptions', value: { type: 'gauge', mode: 'basic' } },
  ];
  const url = `/d/${uid}?var-host=\${__value.raw:percentencode}&\${__url_time_range}`;
  const number = [{ id: 'unit', value: units.Short }];
  return tablePanel({
    title: 'hosts',
    description: `The chosen hosts at the end of the range: averages of its last ${END_MINUTES} minutes. CPU is of all cores, memory of all of it, disk is the busiest disk. A host that is silent is missing.`,
    unit: units.BytesPerSecondSI,
    sql: `SELECT rshost AS host, AVG(cpu_percent / cores) AS cpu, 100 * AVG(mem_used_bytes / mem_total_bytes) AS memory,
  AVG(disk_util_percent) AS disk, AVG(read_bytes_per_sec) AS disk_read, AVG(write_bytes_per_sec) AS disk_write,
  AVG(net_in_bytes_per_sec) AS net_in, AVG(net_out_bytes_per_sec) AS net_out, AVG(load1) AS load1,
  MAX(cores) AS cores, ROUND(AVG(processes)) AS processes, MAX(UNIX_TIMESTAMP(a_time)) AS time
FROM ${HOST_INFO.name}
WHERE ${atEndOfRange(END_MINUTES * 60)}
GROUP BY rshost
ORDER BY cpu DESC`,
    columns: {
      host: [{ id: 'links', value: [{ title: 'only this host', url }] }],
      ...{ cpu: percent, memory: percent, disk: percent, load1: number, cores: number, processes: number },
      time: [{ id: 'displayName', value: 'last interval' }],
    },
  });
}

function topPanel(what: string, figure: string, unit: string, expression: string): Panel {
  return seriesPanel({
    title: `top ${LARGEST} hosts: ${what}`,
    description: `The ${LARGEST} of the chosen hosts with the highest average over the range: ${figure}.`,
    unit,
    queries: [topSql(expression)],
  });
}

/** The order of the join is given: the optimizer would read all hosts a second time. */
function topSql(expression: string): string {
  const top = `SELECT rshost
FROM ${HOST_INFO.name}
WHERE ${inRange()}
GROUP BY rshost
ORDER BY AVG(${expression}) DESC
LIMIT ${LARGEST}`;
  return `SELECT ${point('h')} AS time, h.rshost AS metric, AVG(${expression}) AS value
FROM (${indented(top)}) t
STRAIGHT_JOIN ${HOST_INFO.name} h ON h.rshost = t.rshost
WHERE ${timeInRange('h')}
GROUP BY time, h.rshost
ORDER BY time`;
}
