import { hostMaximaSchema } from '../protocol/interval.ts';
import { FLOW_NAMES, METRICS } from '../protocol/metric.ts';
import { hostUsageSchema } from '../protocol/row.ts';
import { HOST_DETAIL, LEASE, SERVER } from './fleet-tables.ts';
import { type Column, RSHOST, type Table } from './table.ts';

/** Version of the tables below, the same in every store. Raised with each migration; new columns need none. */
export const SCHEMA_VERSION = 4;

type HostFigure = Exclude<keyof typeof hostUsageSchema.shape, 'unattributed'>;
type HostMaximum = keyof typeof hostMaximaSchema.shape;

const HOST_FIGURE_NAMES = Object.keys(hostUsageSchema.shape).filter((name) => name !== 'unattributed') as HostFigure[];
export const WHOLE_FIGURES: readonly HostFigure[] = ['cores', 'processes'];

/** A field of the wire and the column that holds it. */
export const HOST_FIGURES = HOST_FIGURE_NAMES.map((field) => ({ field, column: snakeCase(field) }));
export const HOST_MAXIMA = (Object.keys(hostMaximaSchema.shape) as HostMaximum[]).map((field) => ({
  field,
  column: `${snakeCase(field)}_max`,
}));
export const UNATTRIBUTED = METRICS.flatMap(({ name, column }) => {
  const field = FLOW_NAMES.find((flow) => flow === name);
  return field === undefined ? [] : [{ field, column: `unattributed_${column}` }];
});

const time: Column = { name: 'a_time', kind: 'time', comment: 'end of the interval' };

const HOST_COMMENTS: { [column: string]: string } = {
  cpu_percent: 'CPU time used, 100 = one core',
  iowait_percent: 'idle while waiting for a disk, 100 = one core',
  steal_percent: 'taken by the hypervisor, 100 = one core',
  load1: 'load average over one minute',
  mem_used_bytes: 'total less available',
  read_bytes_per_sec: 'asked of the disks by processes and kernel',
  write_bytes_per_sec: 'asked of the disks, when the page was dirtied',
  device_read_bytes_per_sec: 'what the disks really read',
  device_write_bytes_per_sec: 'what the disks really wrote',
  disk_util_percent: 'of the busiest disk, 0 to 100',
  disk_queue: 'requests in flight at the busiest disk',
  net_in_bytes_per_sec: 'of the interfaces that count, without loopback',
  net_out_bytes_per_sec: 'of the interfaces that count, without loopback',
};

/** Averages, and the maxima of the samples beside them. */
function averages(names: readonly string[], comments: { [column: string]: string } = {}, optional?: true): Column[] {
  return names.map((name) => ({
    ...{ name, kind: 'figure', comment: comments[name] ?? (name.endsWith('_max') ? 'largest sample' : 'average') },
    ...(optional && { optional }),
  }));
}

/** The predecessor's three columns and four states. */
export const HOST_CONFIG: Table = {
  name: 'tb_monitor_host_config',
  comment: 'hosts to monitor; a host with its own SSH port or user is written user@host:port',
  columns: [
    { name: 'id', kind: 'id', comment: 'row' },
    RSHOST,
    { name: 'istate', kind: 'whole', comment: '1 to bring online, 2 running, 0 to take offline, -1 offline' },
  ],
  key: ['id'],
  unique: 'rshost',
};

export const VERSION: Table = {
  name: 'tb_monitor_version',
  comment: 'acts of releasing, the newest last',
  columns: [
    { name: 'id', kind: 'id', comment: 'row' },
    { name: 'version', kind: 'name', comment: '[global] version' },
    { ...time, comment: 'when it was released' },
    { name: 'hash', kind: 'name', optional: true, comment: 'SHA-256 of what was released' },
    { name: 'state', kind: 'name', optional: true, comment: 'running, paused, halted or done' },
    { name: 'wave', kind: 'whole', optional: true, comment: 'waves that were begun' },
    { name: 'reason', kind: 'text', optional: true, comment: 'why it is halted, or was released' },
  ],
  key: ['id'],
};

export const ALERT_INFO: Table = {
  name: 'tb_monitor_alert_info',
  comment: 'what was alerted and what recovered',
  columns: [
    RSHOST,
    { ...time, comment: 'when' },
    { name: 'kind', kind: 'name', comment: 'what about' },
    { name: 'istate', kind: 'whole', comment: '1 alerted, 0 recovered' },
    { name: 'remarks', kind: 'text', comment: 'in plain words' },
    { name: 'sent', kind: 'epochMs', optional: true, comment: 'when it was sent, ms since 1970' },
  ],
  key: ['rshost', 'a_time', 'kind'],
  // What is still to be sent is asked for every few seconds.
  index: 'a_time',
};

/** So that nobody has to look through all intervals to find out which hosts there are. */
export const HOST_LAST: Table = {
  name: 'tb_monitor_host_last',
  comment: 'hosts that have history',
  columns: [RSHOST, { ...time, comment: 'end of the last interval' }],
  key: ['rshost'],
};

/** An interval is in the other time tables only if it is here. */
export const HOST_INFO: Table = {
  name: 'tb_monitor_host_info',
  comment: 'what each host did, one row per interval',
  columns: [
    RSHOST,
    time,
    { name: 'length_ms', kind: 'whole', comment: 'length of the interval' },
    { name: 'samples', kind: 'whole', comment: 'samples that the averages are made of' },
    // Says what reading the interval will cost without reading it.
    { name: 'recorded', kind: 'whole', comment: 'rows in tb_monitor_process_io_info' },
    ...HOST_FIGURES.map(
      ({ field, column }): Column => ({
        ...{ name: column, kind: WHOLE_FIGURES.includes(field) ? 'whole' : 'figure' },
        comment: HOST_COMMENTS[column] ?? 'at the end of the interval',
      }),
    ),
    ...averages(HOST_MAXIMA.map(({ column }) => column)),
    ...UNATTRIBUTED.map(
      ({ column }): Column => ({
        ...{ name: column, kind: 'figure', optional: true },
        comment: 'what no process accounts for',
      }),
    ),
  ],
  key: ['rshost', 'a_time'],
};

export const DISK_INFO: Table = {
  name: 'tb_monitor_disk_info',
  comment: 'file systems, one row per mount point and interval',
  columns: [
    RSHOST,
    time,
    { name: 'mount', kind: 'path', comment: 'mount point' },
    { name: 'device', kind: 'name', comment: 'as in tb_monitor_disk_util_qu_info' },
    ...averages(['total_bytes', 'used_bytes'], { total_bytes: 'size', used_bytes: 'taken' }),
  ],
  key: ['rshost', 'a_time', 'mount'],
};

/** However many of a device's file systems are mounted. */
export const DISK_UTIL_QU_INFO: Table = {
  name: 'tb_monitor_disk_util_qu_info',
  comment: 'load of disks, one row per device that has counters and interval',
  columns: [
    RSHOST,
    time,
    { name: 'device', kind: 'name', comment: 'block device' },
    ...averages(
      ['read_bytes_per_sec', 'write_bytes_per_sec', 'util_percent', 'util_percent_max', 'queue', 'queue_max'],
      { util_percent: 'time with a request in flight, 0 to 100', queue: 'requests in flight' },
      true,
    ),
  ],
  key: ['rshost', 'a_time', 'device'],
};

const NET_FIGURES = ['in_bytes_per_sec', 'in_bytes_per_sec_max', 'out_bytes_per_sec', 'out_bytes_per_sec_max'];

export const NET_INFO: Table = {
  name: 'tb_monitor_net_info',
  comment: 'network, one row per interface that counts for the host and interval',
  columns: [
    RSHOST,
    time,
    { name: 'interface', kind: 'name', comment: 'network interface' },
    { name: 'speed_bits_per_sec', kind: 'figure', optional: true, comment: 'of each direction' },
    ...averages(NET_FIGURES),
  ],
  key: ['rshost', 'a_time', 'interface'],
};

/** The port that was given to one side just for the moment is 0. */
export const PORT_NET_INFO: Table = {
  name: 'tb_monitor_port_net_info',
  comment: 'network of instances, one row per port that is served or used, address at the other end, and interval',
  columns: [
    RSHOST,
    time,
    { name: 'instance', kind: 'name', comment: 'as in tb_monitor_process_info' },
    { name: 'local_port', kind: 'whole', comment: 'that it serves, else 0' },
    { name: 'remote_address', kind: 'name', comment: 'at the other end' },
    { name: 'remote_port', kind: 'whole', comment: 'that it uses, else 0' },
    ...averages(NET_FIGURES),
  ],
  key: ['rshost', 'a_time', 'instance', 'local_port', 'remote_address', 'remote_port'],
};

/** What a process is called, kept once for all intervals that record it. */
export const PROCESS_INFO: Table = {
  name: 'tb_monitor_process_info',
  comment: 'command lines and names of processes, each once',
  columns: [
    { name: 'md5_str', kind: 'hash', comment: 'MD5 of the columns up to ports; hex(md5_str) shows it' },
    { name: 'cmdline', kind: 'text', comment: 'command line, secrets masked' },
    { name: 'instance', kind: 'name', comment: 'such as mysqld:3307' },
    { name: 'user', kind: 'name', comment: 'user' },
    { name: 'comm', kind: 'name', comment: 'name of the program' },
    { name: 'unit', kind: 'name', optional: true, comment: 'systemd unit' },
    { name: 'container', kind: 'name', optional: true, comment: 'container' },
    { name: 'ports', kind: 'text', comment: 'all ports it listens on, such as 3306,33060' },
    { ...time, comment: 'last interval that used it, or up to a day before' },
  ],
  key: ['md5_str'],
  index: 'a_time',
};

/**
 * `a_time` of a command line is moved on only when it is this much behind, so that a process recorded in every interval
 * does not cost a second row write in each. It is forgotten that much later than the intervals it was in.
 */
export const FORGET_SLACK_MS = 86_400_000;

/** Averages, then maxima, in the order of `METRICS`. */
export const PROCESS_FIGURES: readonly string[] = [
  ...METRICS.map(({ column }) => column),
  ...METRICS.map(({ column }) => `${column}_max`),
];

export const PROCESS_IO_INFO: Table = {
  name: 'tb_monitor_process_io_info',
  comment: 'what processes used, one row per process over a threshold or among the largest, and interval',
  columns: [
    RSHOST,
    time,
    { name: 'pid', kind: 'whole', comment: 'process' },
    { name: 'started', kind: 'epochMs', comment: 'when the process started, ms since 1970' },
    { name: 'rsport', kind: 'whole', optional: true, comment: 'lowest port it listens on' },
    { name: 'md5_str', kind: 'hash', comment: 'its names in tb_monitor_process_info; 16 bytes instead of 32 digits' },
    { name: 'state', kind: 'name', comment: 'as in ps(1)' },
    { name: 'threads', kind: 'whole', comment: 'threads' },
    ...averages(PROCESS_FIGURES, {}, true),
  ],
  key: ['rshost', 'a_time', 'pid', 'started'],
};

/** Tables that hold parts of an interval beside its row in `HOST_INFO`. */
export const INTERVAL_PARTS: readonly Table[] = [
  PROCESS_IO_INFO,
  DISK_INFO,
  DISK_UTIL_QU_INFO,
  NET_INFO,
  PORT_NET_INFO,
];

export const TABLES: readonly Table[] = [
  HOST_CONFIG,
  HOST_DETAIL,
  SERVER,
  LEASE,
  VERSION,
  ALERT_INFO,
  HOST_LAST,
  HOST_INFO,
  ...INTERVAL_PARTS,
  PROCESS_INFO,
];

/** `cpuPercent` → `cpu_percent`. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
