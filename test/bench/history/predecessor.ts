import { HOST_FIGURES, HOST_MAXIMA, UNATTRIBUTED } from '../../../src/store/tables.ts';

/**
 * The predecessor's layout: a row has a number of its own as primary key, indexes on host and on time apart from each
 * other, and its figures in JSON columns. It holds the same figures here as ours.
 */
const KEYS = 'PRIMARY KEY (id), KEY idx_rshost (rshost), KEY idx_a_time (a_time)';
const HOST = "id bigint NOT NULL AUTO_INCREMENT, rshost varchar(20) NOT NULL DEFAULT ''";
const OPTIONS = 'ENGINE=InnoDB DEFAULT CHARSET=utf8mb4';

export const PREDECESSOR_TABLES = [
  `CREATE TABLE old_host_info (${HOST}, cpu_info json, mem_info json, io_info json, net json, a_time datetime NOT NULL, ${KEYS}) ${OPTIONS}`,
  `CREATE TABLE old_disk_info (${HOST}, part varchar(50) NOT NULL DEFAULT '', disk_info json, a_time datetime NOT NULL, ${KEYS}) ${OPTIONS}`,
  `CREATE TABLE old_disk_util_qu_info (${HOST}, dev varchar(50) NOT NULL DEFAULT '', qu_info json, a_time datetime NOT NULL, ${KEYS}) ${OPTIONS}`,
  `CREATE TABLE old_port_net_info (${HOST}, remote varchar(50) NOT NULL DEFAULT '', net_info json, a_time datetime NOT NULL, ${KEYS}) ${OPTIONS}`,
  `CREATE TABLE old_process_info (id bigint NOT NULL AUTO_INCREMENT, md5_str char(32) NOT NULL DEFAULT '', remarks text,
    PRIMARY KEY (id), UNIQUE KEY uk_md5 (md5_str)) ${OPTIONS}`,
  `CREATE TABLE old_process_io_info (${HOST}, rsport int NOT NULL DEFAULT 0, process_info json, a_time datetime NOT NULL,
    md5_str char(32) NOT NULL DEFAULT '', remarks text, PRIMARY KEY (id), KEY idx_host_port (rshost, rsport),
    KEY idx_port (rsport), KEY idx_a_time (a_time)) ${OPTIONS}`,
];

/** Figures of a process, with the names they have in our columns and in the JSON. */
export const PROCESS_KEYS = {
  cpu_percent: 'cpu',
  rss_bytes: 'mem',
  read_bytes_per_sec: 'io_r',
  write_bytes_per_sec: 'io_w',
  net_in_bytes_per_sec: 'net_in',
  net_out_bytes_per_sec: 'net_out',
} as const;

/** Where a figure of a host stands: `column.key`; without a key it has a constant value. */
const HOST_KEYS: { [column: string]: string } = {
  cores: 'cpu_info.cores',
  cpu_percent: 'cpu_info.used',
  iowait_percent: 'cpu_info.iowait',
  steal_percent: 'cpu_info.steal',
  load1: 'cpu_info.load',
  processes: 'cpu_info.processes',
  mem_total_bytes: 'mem_info.total',
  mem_used_bytes: 'mem_info.used',
  read_bytes_per_sec: 'io_info.read',
  write_bytes_per_sec: 'io_info.write',
  device_read_bytes_per_sec: 'io_info.device_read',
  device_write_bytes_per_sec: 'io_info.device_write',
  disk_util_percent: 'io_info.util',
  disk_queue: 'io_info.queue',
  net_in_bytes_per_sec: 'net.in',
  net_out_bytes_per_sec: 'net.out',
};

/** The predecessor's key of a column of `HOST_INFO`, as in `HOST_KEYS`. */
export function hostKey(column: string): string {
  const maximum = /^(.*)_max$/.exec(column);
  const unattributed = /^unattributed_(.*)$/.exec(column);
  const [, name = column] = maximum ?? unattributed ?? [];
  const key = HOST_KEYS[name];
  if (key === undefined) throw new RangeError(`the predecessor has no ${column}`);
  return `${key}${maximum ? '_max' : ''}${unattributed ? '_unattributed' : ''}`;
}

function value(column: string, key: string): string {
  return `CAST(JSON_VALUE(${column}, '$.${key}') AS double)`;
}

function hostColumn(column: string): string {
  const [json = '', key = ''] = hostKey(column).split('.');
  return `${value(json, key)} AS ${column}`;
}

const RATES = ['in', 'in_max', 'out', 'out_max'];

function rates(column: string): string {
  return RATES.map((key) => `${value(column, key)} AS ${key.replace(/^(in|out)/, '$1_bytes_per_sec')}`).join(', ');
}

/** Our tables as the predecessor's layout can show them, so that it is asked the same questions. */
export const VIEWS: { [table: string]: string } = {
  tb_monitor_host_info: `SELECT rshost, a_time, 30000 AS length_ms, 15 AS samples, ${value('cpu_info', 'recorded')} AS recorded,
    ${[...HOST_FIGURES, ...HOST_MAXIMA, ...UNATTRIBUTED].map(({ column }) => hostColumn(column)).join(', ')} FROM old_host_info`,
  tb_monitor_disk_info: `SELECT rshost, a_time, part AS mount, JSON_VALUE(disk_info, '$.device') AS device,
    ${value('disk_info', 'total')} AS total_bytes, ${value('disk_info', 'used')} AS used_bytes FROM old_disk_info`,
  tb_monitor_disk_util_qu_info: `SELECT rshost, a_time, dev AS device, ${value('qu_info', 'read')} AS read_bytes_per_sec,
    ${value('qu_info', 'write')} AS write_bytes_per_sec, ${value('qu_info', 'util')} AS util_percent,
    ${value('qu_info', 'util_max')} AS util_percent_max, ${value('qu_info', 'queue')} AS queue, ${value('qu_info', 'queue_max')} AS queue_max
    FROM old_disk_util_qu_info`,
  tb_monitor_net_info: `SELECT rshost, a_time, 'eth0' AS interface, ${value('net', 'speed')} AS speed_bits_per_sec, ${rates('net')}
    FROM old_host_info`,
  tb_monitor_port_net_info: `SELECT rshost, a_time, 'mysqld:3306' AS instance, 3306 AS local_port, remote AS remote_address, 0 AS remote_port,
    ${rates('net_info')} FROM old_port_net_info`,
  tb_monitor_process_info: `SELECT md5_str, remarks AS cmdline, CONCAT('mysqld:', SUBSTRING_INDEX(SUBSTRING_INDEX(remarks, '/my', -1), '.cnf', 1)) AS instance,
    'mysql' AS user, 'mysqld' AS comm, NULL AS unit, NULL AS container, '' AS ports FROM old_process_info`,
  tb_monitor_process_io_info: `SELECT rshost, a_time, ${value('process_info', 'pid')} AS pid, ${value('process_info', 'started')} AS started, rsport,
    md5_str, JSON_VALUE(process_info, '$.state') AS state, ${value('process_info', 'threads')} AS threads,
    ${Object.entries(PROCESS_KEYS)
      .flatMap(([column, key]) => [
        `${value('process_info', key)} AS ${column}`,
        `${value('process_info', `${key}_max`)} AS ${column}_max`,
      ])
      .join(', ')} FROM old_process_io_info`,
};

/** The same statement, put to the predecessor's layout. */
export function asPredecessor(sql: string): string {
  return sql.replaceAll(/\btb_monitor_(\w+)\b/g, 'seen_$1');
}
