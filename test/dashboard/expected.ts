import { METRICS } from '../../src/protocol/metric.ts';
import type { Fields } from '../../src/store/records.ts';
import { DISK_INFO, DISK_UTIL_QU_INFO, HOST_INFO, NET_INFO, PORT_NET_INFO } from '../../src/store/tables.ts';
import { type Figure, largestOfInstance, max, mean, type Reference, type Series, sum } from './reference.ts';

type Expectation = (reference: Reference) => Series;

const WORDS = ['CPU', 'memory', 'read', 'write', 'net in', 'net out'];

/** What each query of each panel of time series draws, by the key of `allQueries`. */
export const EXPECTED_SERIES: ReadonlyMap<string, Expectation> = new Map<string, Expectation>([
  ...averageAndMax('CPU used', 'cpu_percent'),
  host('CPU idle A', (rows) =>
    mean(rows, (row) => n(row.cores) * 100 - n(row.cpu_percent) - n(row.iowait_percent) - n(row.steal_percent)),
  ),
  host('CPU iowait A', (rows) => mean(rows, 'iowait_percent')),
  host('CPU steal A', (rows) => mean(rows, 'steal_percent')),
  host('CPU load A', (rows) => mean(rows, 'load1')),
  host('CPU cores A', (rows) => max(rows, 'cores')),
  ...averageAndMax('memory used', 'mem_used_bytes'),
  host('memory free A', (rows) => mean(rows, (row) => n(row.mem_total_bytes) - n(row.mem_used_bytes))),
  host('memory total A', (rows) => max(rows, 'mem_total_bytes')),
  host('memory used, share A', (rows) => mean(rows, MEMORY_SHARE)),
  device('disk utilisation A', (rows) => mean(rows, 'util_percent')),
  device('disk utilisation B', (rows) => max(rows, 'util_percent_max'), ' max'),
  device('disk queue A', (rows) => mean(rows, 'queue')),
  device('disk queue B', (rows) => max(rows, 'queue_max'), ' max'),
  device('disk read A', (rows) => mean(rows, 'read_bytes_per_sec')),
  device('disk write A', (rows) => mean(rows, 'write_bytes_per_sec')),
  mount('disk used A', (rows) => mean(rows, 'used_bytes')),
  mount('disk free A', (rows) => mean(rows, (row) => n(row.total_bytes) - n(row.used_bytes))),
  mount('disk total A', (rows) => max(rows, 'total_bytes')),
  mount('disk used, share A', (rows) => mean(rows, (row) => (100 * n(row.used_bytes)) / n(row.total_bytes))),
  ...['read', 'write'].flatMap((direction) => [
    ...averageAndMax(`${direction} of the host`, `${direction}_bytes_per_sec`),
    host(`${direction} of the host C`, (rows) => mean(rows, `device_${direction}_bytes_per_sec`), ' device'),
  ]),
  ...averageAndMax('net receive', 'net_in_bytes_per_sec'),
  ...averageAndMax('net send', 'net_out_bytes_per_sec'),
  host('net total A', (rows) => mean(rows, NET_TOTAL)),
  card('net speed A', (rows) => max(rows, 'speed_bits_per_sec')),
  ...[
    ['receive', 'in'],
    ['send', 'out'],
  ].flatMap(([what, direction]) => [
    card(`net ${what} by interface A`, (rows) => mean(rows, `${direction}_bytes_per_sec`)),
    card(`net ${what} by interface B`, (rows) => max(rows, `${direction}_bytes_per_sec_max`), ' max'),
    endpoints(`net ${what} by port and remote address A`, `${direction}_bytes_per_sec`),
  ]),
  ...METRICS.flatMap(({ column }, index) => [
    instances(`process ${WORDS[index]} A`, (rows, hostRows) => sum(rows, column) / hostRows.length),
    instances(`process ${WORDS[index]}, largest sample A`, (rows, hostRows) =>
      largestOfInstance(rows, hostRows, column, hostMaxColumn(column)),
    ),
  ]),
  ...METRICS.flatMap(({ column }, index) => (column === 'rss_bytes' ? [] : attribution(WORDS[index] ?? '', column))),
  host('unattributed: CPU A', (rows) => unknownIsNone(rows, 'unattributed_cpu_percent'), ' CPU'),
  ...['read', 'write', 'net in', 'net out'].map((words, index) =>
    host(
      `unattributed: read, write, net in, net out ${'ABCD'.charAt(index)}`,
      (rows) => unknownIsNone(rows, `unattributed_${words.replace(' ', '_')}_bytes_per_sec`),
      ` ${words}`,
    ),
  ),
  top('CPU', (row) => n(row.cpu_percent) / n(row.cores)),
  top('memory', MEMORY_SHARE),
  top('disk', (row) => n(row.disk_util_percent)),
  top('net', NET_TOTAL),
]);

function MEMORY_SHARE(row: Fields): number {
  return (100 * n(row.mem_used_bytes)) / n(row.mem_total_bytes);
}

function NET_TOTAL(row: Fields): number {
  return n(row.net_in_bytes_per_sec) + n(row.net_out_bytes_per_sec);
}

type Value = (rows: Fields[]) => number | null;

function host(name: string, value: Value, suffix?: string): [string, Expectation] {
  return [`panel ${name}`, (reference) => reference.perHost(value, suffix)];
}

function averageAndMax(name: string, column: string): [string, Expectation][] {
  return [
    host(`${name} A`, (rows) => mean(rows, column)),
    host(`${name} B`, (rows) => max(rows, `${column}_max`), ' max'),
  ];
}

function mount(name: string, value: Value): [string, Expectation] {
  return [
    `panel ${name}`,
    (reference) => reference.series(reference.rows(DISK_INFO), (row) => `${row.rshost} ${row.mount}`, value),
  ];
}

function device(name: string, value: Value, suffix = ''): [string, Expectation] {
  return [
    `panel ${name}`,
    (reference) => {
      const key = ({ rshost, a_time, device }: Fields): string => `${rshost} ${a_time} ${device}`;
      const counters = new Map(reference.rows(DISK_UTIL_QU_INFO).map((row) => [key(row), row]));
      const rows = reference.rows(DISK_INFO).flatMap((row) => {
        const its = counters.get(key(row));
        return its === undefined ? [] : [{ ...its, mount: row.mount ?? null }];
      });
      return reference.series(rows, (row) => `${row.rshost} ${row.mount}${suffix}`, value);
    },
  ];
}

function card(name: string, value: Value, suffix = ''): [string, Expectation] {
  return [
    `panel ${name}`,
    (reference) =>
      reference.series(reference.rows(NET_INFO), (row) => `${row.rshost} ${row.interface}${suffix}`, value),
  ];
}

function instances(name: string, value: (rows: Fields[], hostRows: Fields[]) => number): [string, Expectation] {
  return [
    `panel ${name}`,
    (reference) =>
      reference.series(
        reference.processes(),
        (row) => `${row.rshost} ${row.instance}`,
        (rows) => value(rows, reference.hostRows(rows[0] ?? {})),
      ),
  ];
}

function endpoints(name: string, column: string): [string, Expectation] {
  const nameOf = (row: Fields): string =>
    [
      row.rshost,
      row.instance,
      row.local_port && `:${row.local_port}`,
      row.remote_address,
      row.remote_port && `:${row.remote_port}`,
    ]
      .filter(Boolean)
      .join(' ');
  return [
    `panel ${name}`,
    (reference) => {
      const rows = reference.rows(PORT_NET_INFO).filter(({ instance }) => reference.chosen(String(instance)));
      const largest = [...Map.groupBy(rows, nameOf)]
        .sort(([, a], [, b]) => sum(b, column) - sum(a, column))
        .slice(0, 20);
      return reference.series(
        largest.flatMap(([, its]) => its),
        nameOf,
        (its) => sum(its, column) / reference.hostRows(its[0] ?? {}).length,
      );
    },
  ];
}

function attribution(words: string, column: string): [string, Expectation][] {
  const panel = `${words}: what it is made of`;
  return [
    instances(`${panel} A`, (rows, hostRows) => sum(rows, column) / hostRows.length),
    host(`${panel} B`, (rows) => unknownIsNone(rows, `unattributed_${column}`), ' unattributed'),
    [
      `panel ${panel} C`,
      (reference) => {
        const processes = reference.processes();
        const namedIn = (row: Fields): number =>
          sum(
            processes.filter(({ rshost, a_time }) => rshost === row.rshost && a_time === row.a_time),
            column,
          );
        return reference.perHost(
          (rows) => mean(rows, (row) => n(row[column]) - n(row[`unattributed_${column}`]) - namedIn(row)),
          ' others',
        );
      },
    ],
    host(`${panel} D`, (rows) => mean(rows, column), ' host'),
  ];
}

function top(what: string, figure: Figure): [string, Expectation] {
  return [
    `panel top 10 hosts: ${what} A`,
    (reference) => {
      const hosts = [...Map.groupBy(reference.rows(HOST_INFO), ({ rshost }) => rshost)];
      const largest = hosts.sort(([, a], [, b]) => n(mean(b, figure)) - n(mean(a, figure))).slice(0, 10);
      return reference.series(
        largest.flatMap(([, rows]) => rows),
        ({ rshost }) => String(rshost),
        (rows) => mean(rows, figure),
      );
    },
  ];
}

export function hostMaxColumn(column: string): string {
  return column === 'rss_bytes' ? 'mem_used_bytes_max' : `${column}_max`;
}

/** Null only if no interval knows it. */
export function unknownIsNone(rows: Fields[], column: string): number | null {
  return rows.every((row) => row[column] === null) ? null : sum(rows, column) / rows.length;
}

function n(value: string | number | null | undefined): number {
  return Number(value ?? 0);
}
