import type { Fields } from '../../src/store/records.ts';
import type { Column, Table } from '../../src/store/table.ts';
import {
  ALERT_INFO,
  DISK_INFO,
  DISK_UTIL_QU_INFO,
  HOST_INFO,
  HOST_LAST,
  NET_INFO,
  PORT_NET_INFO,
  PROCESS_INFO,
  PROCESS_IO_INFO,
} from '../../src/store/tables.ts';
import { seededRandom } from '../support/random.ts';

/** Seconds; all intervals are this long. */
export const INTERVAL = 30;

/** Rows by table; times are epoch seconds. Names are unique, so that a row of any table can be found again. */
export type Data = ReadonlyMap<Table, Fields[]>;

const PROGRAMS = [
  { instance: 'mysqld:3307', pid: 10, cmdline: 'mysqld --port=3307', always: true },
  { instance: 'postgres:5432', pid: 20, cmdline: 'postgres: checkpointer', always: true },
  { instance: 'postgres:5432', pid: 21, cmdline: "postgres: it's a backend", always: false },
  // Two processes of one name.
  { instance: 'postgres:5432', pid: 22, cmdline: "postgres: it's a backend", always: false },
  { instance: 'backup.service', pid: 30, cmdline: 'tar -c /data', always: false },
];

const MOUNTS = [
  { mount: '/', device: 'vda' },
  { mount: '/var', device: 'vda' },
  { mount: '/data', device: 'vdb' },
  { mount: '/nas', device: 'nas:/export' },
];

const ENDPOINTS = [
  { instance: 'mysqld:3307', local_port: 3307, remote_address: '10.0.0.7', remote_port: 0, always: true },
  { instance: 'mysqld:3307', local_port: 0, remote_address: '10.0.0.9', remote_port: 5432, always: false },
  { instance: 'backup.service', local_port: 0, remote_address: '2001:db8::7', remote_port: 22, always: false },
];

/** Columns that processes and their host both have. */
const SHARED = [
  'cpu_percent',
  'read_bytes_per_sec',
  'write_bytes_per_sec',
  'net_in_bytes_per_sec',
  'net_out_bytes_per_sec',
];

/**
 * Intervals of hosts that end at these times, with figures that all differ. Some processes and endpoints are recorded in
 * some intervals only. Everything that a host's unattributed figure can be is: the second host does not know it.
 */
export function madeUp(hosts: readonly string[], ends: readonly number[]): Data {
  const random = seededRandom(1);
  const data = new Map<Table, Fields[]>(
    [HOST_LAST, HOST_INFO, PROCESS_IO_INFO, DISK_INFO, DISK_UTIL_QU_INFO, NET_INFO, PORT_NET_INFO].map((table) => [
      table,
      [],
    ]),
  );
  const add = (table: Table, fields: Fields): Fields => {
    const row = { ...figures(table, random), ...fields };
    data.get(table)?.push(row);
    return row;
  };
  for (const [index, rshost] of hosts.entries()) {
    add(HOST_LAST, { rshost, a_time: Math.max(...ends) });
    for (const a_time of ends) {
      const key = { rshost, a_time };
      const processes = PROGRAMS.filter(({ always }) => always || random() < 0.5).map(({ pid, cmdline }) =>
        add(PROCESS_IO_INFO, { ...key, pid, started: 1, md5_str: nameOf(cmdline), state: 'S', rsport: null }),
      );
      const host = add(HOST_INFO, { ...key, length_ms: INTERVAL * 1000, cores: 64, recorded: processes.length });
      host.mem_total_bytes = 1e12;
      for (const column of SHARED) {
        const unattributed = index === 1 ? 0 : Number(host[`unattributed_${column}`]);
        const named = processes.reduce((sum, process) => sum + Number(process[column]), 0);
        host[column] = named + unattributed + random() * 5;
        host[`${column}_max`] = Number(host[column]) * (1 + random());
        if (index === 1) host[`unattributed_${column}`] = null;
      }
      for (const mount of MOUNTS) add(DISK_INFO, { ...key, ...mount, total_bytes: 1e9 });
      for (const device of ['vda', 'vdb']) add(DISK_UTIL_QU_INFO, { ...key, device });
      add(NET_INFO, { ...key, interface: 'eth0', speed_bits_per_sec: 1e9 });
      add(NET_INFO, { ...key, interface: 'wg0', speed_bits_per_sec: null });
      for (const { always, ...endpoint } of ENDPOINTS) {
        if (always || random() < 0.5) add(PORT_NET_INFO, { ...key, ...endpoint });
      }
    }
  }
  const [first = '', second = ''] = hosts;
  const [at = 0] = ends;
  return data
    .set(
      PROCESS_INFO,
      PROGRAMS.filter(firstOfItsName).map(({ instance, cmdline }) => processInfo(instance, cmdline)),
    )
    .set(ALERT_INFO, [
      { rshost: first, a_time: at, kind: 'silent', istate: 1, remarks: 'no heartbeat for 10 s' },
      { rshost: second, a_time: at + INTERVAL, kind: 'silent', istate: 0, remarks: 'is back' },
    ]);
}

function firstOfItsName({ cmdline }: { cmdline: string }, index: number): boolean {
  return PROGRAMS.findIndex((program) => program.cmdline === cmdline) === index;
}

function processInfo(instance: string, cmdline: string): Fields {
  const names = { cmdline, instance, user: instance.slice(0, 5), comm: instance, unit: null, container: null };
  return { md5_str: nameOf(cmdline), ...names, ports: '', a_time: INTERVAL };
}

/** Stands for the MD5 of a name, in hexadecimal digits. */
function nameOf(cmdline: string): string {
  return Buffer.from(cmdline).toString('hex').padEnd(32, '0').slice(-32);
}

/** Every maximum is larger than its average. */
function figures({ columns }: Table, random: () => number): Fields {
  const figureOf = ({ name }: Column): number => (name.includes('_max') ? 200 + random() * 100 : random() * 100);
  return Object.fromEntries(
    columns
      .filter(({ kind }) => kind === 'figure' || kind === 'whole')
      .map((column) => [column.name, wholeOr(column, figureOf(column))]),
  );
}

function wholeOr({ kind }: Column, value: number): number {
  return kind === 'whole' ? Math.round(value) : value;
}
