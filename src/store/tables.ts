import { hostMaximaSchema } from '../protocol/interval.ts';
import { FLOW_NAMES, METRICS } from '../protocol/metric.ts';
import { hostUsageSchema } from '../protocol/row.ts';

/** `id` numbers itself; `hash` is 32 characters; `name` at most 255, `text` more; `time` is an instant; `figure` a double. */
export type ColumnKind = 'id' | 'hash' | 'name' | 'text' | 'time' | 'whole' | 'figure';

export interface Column {
  name: string;
  kind: ColumnKind;
  /** Absent is NULL. All others are NOT NULL. */
  optional?: true;
}

export interface Table {
  name: string;
  columns: readonly Column[];
  /** Primary key. */
  key: readonly string[];
}

/** One row of a table, by column name. */
export type Fields = Record<string, string | number | null>;

type HostFigure = Exclude<keyof typeof hostUsageSchema.shape, 'unattributed'>;
type HostMaximum = keyof typeof hostMaximaSchema.shape;

const HOST_FIGURE_NAMES = Object.keys(hostUsageSchema.shape).filter((name) => name !== 'unattributed') as HostFigure[];
const WHOLE_FIGURES: readonly HostFigure[] = ['cores', 'processes'];

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

const host: Column = { name: 'rshost', kind: 'name' };
/** End of the interval. */
const time: Column = { name: 'a_time', kind: 'time' };

function figures(names: readonly { column: string }[], optional?: true): Column[] {
  return names.map(({ column }) => ({ name: column, kind: 'figure', ...(optional && { optional }) }));
}

/** The predecessor's three columns and four states: 1 to bring online, 2 running, 0 to take offline, -1 offline. */
export const HOST_CONFIG: Table = {
  name: 'tb_monitor_host_config',
  columns: [{ name: 'id', kind: 'id' }, host, { name: 'istate', kind: 'whole' }],
  key: ['id'],
};

export const VERSION: Table = {
  name: 'tb_monitor_version',
  columns: [{ name: 'id', kind: 'id' }, { name: 'version', kind: 'name' }, time],
  key: ['id'],
};

/** One interval of one host. An interval is in the other time tables only if it is here. */
export const HOST_INFO: Table = {
  name: 'tb_monitor_host_info',
  columns: [
    host,
    time,
    { name: 'start_time', kind: 'time' },
    { name: 'samples', kind: 'whole' },
    // Processes recorded in this interval: says what reading it will cost without reading it.
    { name: 'recorded', kind: 'whole' },
    ...HOST_FIGURES.map(
      ({ field, column }): Column => ({ name: column, kind: WHOLE_FIGURES.includes(field) ? 'whole' : 'figure' }),
    ),
    ...figures(HOST_MAXIMA),
    ...figures(UNATTRIBUTED, true),
  ],
  key: ['rshost', 'a_time'],
};

export const DISK_INFO: Table = {
  name: 'tb_monitor_disk_info',
  columns: [
    host,
    time,
    { name: 'mount', kind: 'text' },
    { name: 'device', kind: 'name' },
    ...figures([{ column: 'total_bytes' }, { column: 'used_bytes' }]),
  ],
  key: ['rshost', 'a_time', 'mount'],
};

/** One row per block device that has counters, however many of its file systems are mounted. */
export const DISK_UTIL_QU_INFO: Table = {
  name: 'tb_monitor_disk_util_qu_info',
  columns: [
    host,
    time,
    { name: 'device', kind: 'name' },
    ...['read_bytes_per_sec', 'write_bytes_per_sec', 'util_percent', 'util_percent_max', 'queue', 'queue_max'].map(
      (name): Column => ({ name, kind: 'figure', optional: true }),
    ),
  ],
  key: ['rshost', 'a_time', 'device'],
};

const NET_FIGURES = ['in_bytes_per_sec', 'in_bytes_per_sec_max', 'out_bytes_per_sec', 'out_bytes_per_sec_max'].map(
  (column) => ({ column }),
);

/** One row per interface that counts for the host. */
export const NET_INFO: Table = {
  name: 'tb_monitor_net_info',
  columns: [
    host,
    time,
    { name: 'interface', kind: 'name' },
    { name: 'speed_bits_per_sec', kind: 'figure', optional: true },
    ...figures(NET_FIGURES),
  ],
  key: ['rshost', 'a_time', 'interface'],
};

/**
 * One row per instance and local port that it serves, or remote port that it uses, and address at the other end. The port
 * that was given to one side just for the moment is 0.
 */
export const PORT_NET_INFO: Table = {
  name: 'tb_monitor_port_net_info',
  columns: [
    host,
    time,
    { name: 'instance', kind: 'name' },
    { name: 'local_port', kind: 'whole' },
    { name: 'remote_address', kind: 'name' },
    { name: 'remote_port', kind: 'whole' },
    ...figures(NET_FIGURES),
  ],
  key: ['rshost', 'a_time', 'instance', 'local_port', 'remote_address', 'remote_port'],
};

/** What a process is called, kept once for all intervals that record it. */
export const PROCESS_INFO: Table = {
  name: 'tb_monitor_process_info',
  columns: [
    { name: 'md5_str', kind: 'hash' },
    { name: 'cmdline', kind: 'text' },
    { name: 'instance', kind: 'name' },
    { name: 'user', kind: 'name' },
    { name: 'comm', kind: 'name' },
    { name: 'unit', kind: 'name', optional: true },
    { name: 'container', kind: 'name', optional: true },
    // All listening ports, `3306,33060`; the lowest is also `rsport` beside the figures.
    { name: 'ports', kind: 'text' },
    // The last interval that used it, or up to FORGET_SLACK_MS earlier.
    time,
  ],
  key: ['md5_str'],
};

/**
 * `a_time` of a command line is moved on only when it is this much behind, so that a process recorded in every interval
 * does not cost a second row write in each. It is forgotten that much later than the intervals it was in.
 */
export const FORGET_SLACK_MS = 86_400_000;

export const PROCESS_IO_INFO: Table = {
  name: 'tb_monitor_process_io_info',
  columns: [
    host,
    time,
    { name: 'pid', kind: 'whole' },
    { name: 'started', kind: 'time' },
    { name: 'rsport', kind: 'whole', optional: true },
    { name: 'md5_str', kind: 'hash' },
    { name: 'state', kind: 'name' },
    { name: 'threads', kind: 'whole' },
    ...figures(METRICS, true),
    ...figures(
      METRICS.map(({ column }) => ({ column: `${column}_max` })),
      true,
    ),
  ],
  key: ['rshost', 'a_time', 'pid', 'started'],
};

export const TABLES: readonly Table[] = [
  HOST_CONFIG,
  VERSION,
  HOST_INFO,
  DISK_INFO,
  DISK_UTIL_QU_INFO,
  NET_INFO,
  PORT_NET_INFO,
  PROCESS_INFO,
  PROCESS_IO_INFO,
];

/** Tables that hold parts of an interval beside its row in `HOST_INFO`. */
export const INTERVAL_PARTS: readonly Table[] = [
  PROCESS_IO_INFO,
  DISK_INFO,
  DISK_UTIL_QU_INFO,
  NET_INFO,
  PORT_NET_INFO,
];

/** `cpuPercent` → `cpu_percent`. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
