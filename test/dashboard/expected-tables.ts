import { METRICS } from '../../src/protocol/metric.ts';
import type { Fields } from '../../src/store/records.ts';
import { ALERT_INFO, HOST_INFO, PORT_NET_INFO } from '../../src/store/tables.ts';
import { hostMaxColumn, unknownIsNone } from './expected.ts';
import { largestOfInstance, max, mean, type Reference, sum } from './reference.ts';

type Rows = Record<string, number | string | null>[];
type Expectation = (reference: Reference) => Rows;

const WORDS = ['CPU', 'memory', 'read', 'write', 'net in', 'net out'];
const LAST_MINUTES_S = 300;

/** What the other queries answer, row by row in their order. */
export const EXPECTED_TABLES: ReadonlyMap<string, Expectation> = new Map<string, Expectation>([
  ['panel hosts A', hosts],
  ['panel net by port and remote address A', endpoints],
  ...METRICS.map(({ column }, index): [string, Expectation] => [
    `panel who used most: ${WORDS[index]} A`,
    (reference) => culprits(reference, column),
  ]),
  ['annotation alerts', (reference): Rows => alerts(reference, 1)],
  ['annotation recoveries', (reference): Rows => alerts(reference, 0)],
]);

function hosts(reference: Reference): Rows {
  const from = reference.question.to - LAST_MINUTES_S;
  const rows = reference.rows(HOST_INFO).filter(({ a_time }) => Number(a_time) >= from);
  return [...Map.groupBy(rows, ({ rshost }) => String(rshost))]
    .map(([host, its]) => ({
      host,
      cpu: mean(its, (row) => Number(row.cpu_percent) / Number(row.cores)),
      memory: mean(its, (row) => (100 * Number(row.mem_used_bytes)) / Number(row.mem_total_bytes)),
      disk: mean(its, 'disk_util_percent'),
      disk_read: mean(its, 'read_bytes_per_sec'),
      disk_write: mean(its, 'write_bytes_per_sec'),
      net_in: mean(its, 'net_in_bytes_per_sec'),
      net_out: mean(its, 'net_out_bytes_per_sec'),
      load1: mean(its, 'load1'),
      cores: max(its, 'cores'),
      processes: Math.round(mean(its, 'processes') ?? 0),
      time: max(its, 'a_time'),
    }))
    .sort((a, b) => Number(b.cpu) - Number(a.cpu));
}

function culprits(reference: Reference, column: string): Rows {
  const whole = { whole: true };
  const hostColumn = column === 'rss_bytes' ? 'mem_used_bytes' : column;
  const named = [...Map.groupBy(reference.processes(), ({ rshost, instance }) => `${rshost} ${instance}`).values()].map(
    (rows) => {
      const hostRows = reference.hostRows(rows[0] ?? {}, whole);
      const average = sum(rows, column) / hostRows.length;
      const [largest = []] = [...Map.groupBy(rows, ({ pid }) => pid).values()].sort(
        (a, b) => sum(b, column) - sum(a, column),
      );
      return {
        host: rows[0]?.rshost ?? null,
        instance: rows[0]?.instance ?? null,
        average,
        share: Math.min(100, (100 * average) / Number(mean(hostRows, hostColumn))),
        largest: largestOfInstance(rows, hostRows, column, hostMaxColumn(column)),
        processes: new Set(rows.map(({ pid }) => pid)).size,
        users: rows[0]?.user ?? null,
        command: largest[0]?.cmdline ?? null,
      };
    },
  );
  const unattributed = [...Map.groupBy(reference.rows(HOST_INFO), ({ rshost }) => rshost ?? null)].flatMap(
    ([host, rows]) => {
      const average = column === 'rss_bytes' ? null : unknownIsNone(rows, `unattributed_${column}`);
      if (average === null) return [];
      const share = (100 * average) / Number(mean(rows, column));
      return [
        {
          ...{ host, instance: 'unattributed', average, share },
          ...{ largest: null, processes: null, users: null, command: null },
        },
      ];
    },
  );
  return [...named, ...unattributed].sort((a, b) => b.average - a.average).slice(0, 20);
}

function endpoints(reference: Reference): Rows {
  const rows = reference.rows(PORT_NET_INFO).filter(({ instance }) => reference.chosen(String(instance)));
  const key = (row: Fields): string =>
    [row.rshost, row.instance, row.local_port, row.remote_address, row.remote_port].join(' ');
  return [...Map.groupBy(rows, key).values()]
    .map((its) => {
      const { rshost = null, instance = null, local_port, remote_address = null, remote_port } = its[0] ?? {};
      const intervals = reference.hostRows(its[0] ?? {}, { whole: true }).length;
      return {
        ...{ host: rshost, instance, local_port: local_port || null, remote_address, remote_port: remote_port || null },
        receive: sum(its, 'in_bytes_per_sec') / intervals,
        receive_max: max(its, 'in_bytes_per_sec_max'),
        send: sum(its, 'out_bytes_per_sec') / intervals,
        send_max: max(its, 'out_bytes_per_sec_max'),
      };
    })
    .sort((a, b) => b.receive + b.send - a.receive - a.send)
    .slice(0, 50);
}

function alerts(reference: Reference, state: number): Rows {
  return reference
    .rows(ALERT_INFO)
    .filter(({ istate }) => istate === state)
    .map(({ rshost, a_time, kind, remarks }) => ({
      time: a_time ?? null,
      text: `${rshost}: ${remarks}`,
      tags: kind ?? null,
    }));
}
