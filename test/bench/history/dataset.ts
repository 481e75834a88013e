import type { Connection, RowDataPacket } from 'mysql2/promise';
import { HOST_FIGURES, HOST_MAXIMA, UNATTRIBUTED } from '../../../src/store/tables.ts';
import type { MariaDb } from '../../support/mariadb.ts';
import { asPredecessor, hostKey, PREDECESSOR_TABLES, PROCESS_KEYS, VIEWS } from './predecessor.ts';

export const HOSTS = 1_000;
export const DAYS = 30;
/** Of the intervals of half a minute one in so many is kept: a disk has no room for two billion rows. */
const KEPT_ONE_IN = 15;
const INTERVAL_S = 30;
const STEP_S = KEPT_ONE_IN * INTERVAL_S;
const DAY_S = 86_400;
const POINTS_PER_DAY = DAY_S / STEP_S;

export interface Dataset {
  /** The newest interval's end is the last whole step before it, epoch s. */
  endS: number;
  points: number;
  processRows: number;
}

/** Figures that depend on nothing but the process and the time. */
const FIGURES: { [column in keyof typeof PROCESS_KEYS]: string } = {
  cpu_percent: "CRC32(CONCAT(p.id, 'c', @t)) % 80000 / 1000",
  rss_bytes: "CRC32(CONCAT(p.id, 'm', @t)) * 2",
  read_bytes_per_sec: "IF(p.id % 3 = 0, CRC32(CONCAT(p.id, 'r', @t)) % 10000000, 0)",
  write_bytes_per_sec: "IF(p.id % 3 = 0, CRC32(CONCAT(p.id, 'w', @t)) % 10000000, 0)",
  net_in_bytes_per_sec: "CRC32(CONCAT(p.id, 'i', @t)) % 100000",
  net_out_bytes_per_sec: "IF(p.id % 2 = 0, CRC32(CONCAT(p.id, 'o', @t)) % 1000000, 0)",
};
const COLUMNS = Object.keys(FIGURES);

/**
 * Fills both layouts with the same history, interval by interval as a server would: all hosts of one moment, then the
 * next moment.
 * @param rowsWanted process rows, at least.
 */
export async function load(mariadb: MariaDb, rowsWanted: number, tell: (text: string) => void): Promise<Dataset> {
  const admin = await mariadb.admin('dbzz_monitor');
  try {
    const points = DAYS * POINTS_PER_DAY;
    const perHost = Math.ceil(rowsWanted / (points * HOSTS));
    const endS = Math.floor(Date.now() / 1000 / DAY_S) * DAY_S;
    await admin.query("SET time_zone = '+00:00', unique_checks = 0");
    await makeDays(admin, endS);
    for (const statement of PREDECESSOR_TABLES) await admin.query(statement);
    for (const [table, select] of Object.entries(VIEWS))
      await admin.query(`CREATE VIEW ${asPredecessor(table)} AS ${select}`);
    await makeProcesses(admin, perHost);
    for (let point = 1; point <= points; point += 1) {
      await fill(admin, endS - (points - point) * STEP_S);
      if (point % POINTS_PER_DAY === 0) tell(`day ${point / POINTS_PER_DAY} of ${DAYS}`);
    }
    await admin.query(
      'ANALYZE TABLE tb_monitor_process_io_info, tb_monitor_host_info, old_process_io_info, old_host_info',
    );
    return { endS, points, processRows: points * HOSTS * perHost };
  } finally {
    await admin.end();
  }
}

/** A server that had run all the time would have made them each day. */
async function makeDays(admin: Connection, endS: number): Promise<void> {
  const [tables] = await admin.query<RowDataPacket[]>(
    `SELECT DISTINCT TABLE_NAME AS name FROM information_schema.PARTITIONS
    WHERE TABLE_SCHEMA = DATABASE() AND PARTITION_NAME = 'p_rest'`,
  );
  const days = Array.from({ length: DAYS + 3 }, (_, index) => {
    const startS = endS + (index - DAYS) * DAY_S;
    const name = new Date(startS * 1000).toISOString().slice(0, 10).replaceAll('-', '');
    return `PARTITION p${name} VALUES LESS THAN (${startS + DAY_S})`;
  });
  for (const { name } of tables)
    await admin.query(
      `ALTER TABLE ${name} REORGANIZE PARTITION p_rest INTO (${days.join(', ')}, PARTITION p_rest VALUES LESS THAN (MAXVALUE))`,
    );
}

/** The processes of all hosts, which live all the time, and their names in both layouts. */
async function makeProcesses(admin: Connection, perHost: number): Promise<void> {
  await admin.query('CREATE TABLE hosts (rshost varchar(255) NOT NULL PRIMARY KEY) COLLATE utf8mb4_bin');
  await admin.query(
    `INSERT INTO hosts SELECT CONCAT('10.20.', seq DIV 250, '.', seq % 250) FROM seq_0_to_${HOSTS - 1} ORDER BY 1`,
  );
  await admin.query(
    `CREATE TABLE procs (id int AUTO_INCREMENT PRIMARY KEY, rshost varchar(255) NOT NULL, pid int NOT NULL, started bigint NOT NULL,
      rsport int, threads int NOT NULL, cmdline text NOT NULL, instance varchar(255) NOT NULL, md5_str binary(16) NOT NULL)
    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
  );
  await admin.query(
    `INSERT INTO procs SELECT NULL, rshost, 1000 + CRC32(CONCAT(rshost, seq)) % 4000000, 1780000000000 + CRC32(CONCAT(seq, rshost)),
      3306 + seq, 1 + seq % 60, @cmdline := CONCAT('/usr/sbin/mysqld --defaults-file=/etc/', rshost, '/my', 3306 + seq, '.cnf'),
      CONCAT('mysqld:', 3306 + seq), UNHEX(MD5(@cmdline))
    FROM hosts JOIN seq_0_to_${perHost - 1} ORDER BY 2, 3`,
  );
  await admin.query(
    `INSERT INTO tb_monitor_process_info
    SELECT md5_str, cmdline, instance, 'mysql', 'mysqld', NULL, NULL, rsport, NOW() FROM procs`,
  );
  await admin.query('INSERT INTO old_process_info SELECT NULL, LOWER(HEX(md5_str)), cmdline FROM procs');
  await admin.query('INSERT INTO tb_monitor_host_last SELECT rshost, NOW() FROM hosts');
  await admin.query(
    `CREATE TEMPORARY TABLE moment (id int PRIMARY KEY, ${COLUMNS.map((column) => `${column} double`).join(', ')}) ENGINE=MEMORY`,
  );
  await admin.query(
    'CREATE TEMPORARY TABLE noise (rshost varchar(255) NOT NULL PRIMARY KEY, n double) COLLATE utf8mb4_bin ENGINE=MEMORY',
  );
}

async function fill(admin: Connection, timeS: number): Promise<void> {
  await admin.query('SET @t = ?', [timeS]);
  await admin.query('DELETE FROM moment');
  await admin.query(`INSERT INTO moment SELECT p.id, ${Object.values(FIGURES).join(', ')} FROM procs p`);
  await admin.query('DELETE FROM noise');
  await admin.query('INSERT INTO noise SELECT rshost, CRC32(CONCAT(rshost, @t)) FROM hosts');
  for (const statement of STATEMENTS) await admin.query(statement);
}

const HOST_COLUMNS = [...HOST_FIGURES, ...HOST_MAXIMA, ...UNATTRIBUTED].map(({ column }) => column);

/** Of the host whose noise of the moment is `n`. */
function hostFigure(column: string): string {
  if (column.endsWith('_max')) return column.includes('percent') ? '1600' : '1e9';
  if (column.startsWith('unattributed')) return '5';
  if (column === 'cores') return '16';
  if (column === 'mem_total_bytes') return '128e9';
  return column.includes('percent') || column.includes('bytes')
    ? `n % ${1_000 * (1 + HOST_COLUMNS.indexOf(column))}`
    : '4';
}

/** What one JSON column of the predecessor holds of it. */
function hostJson(json: string): string {
  const pairs = HOST_COLUMNS.flatMap((column) => {
    const [own, key] = hostKey(column).split('.');
    return own === json ? [`'${key}', ${hostFigure(column)}`] : [];
  });
  const more: { [json: string]: string[] } = { cpu_info: ["'recorded', 7"], net: ["'speed', 1e10"] };
  return `JSON_OBJECT(${[...pairs, ...(more[json] ?? [])].join(', ')})`;
}

const AT = 'FROM_UNIXTIME(@t)';
const DEVICES = "(SELECT '/' AS mount, '/dev/vda1' AS device UNION SELECT '/data', '/dev/vdb') d";
const IN_ORDER = 'procs p JOIN moment m USING (id) ORDER BY p.rshost, p.pid';

/** Of the moment `@t` what both layouts hold. */
const STATEMENTS = [
  `INSERT INTO tb_monitor_process_io_info
    SELECT p.rshost, ${AT}, p.pid, p.started, p.rsport, p.md5_str, 'S', p.threads, ${COLUMNS.join(', ')},
      ${COLUMNS.map((column) => `2 * ${column}`).join(', ')} FROM ${IN_ORDER}`,
  `INSERT INTO old_process_io_info (rshost, rsport, process_info, a_time, md5_str)
    SELECT p.rshost, p.rsport, JSON_OBJECT('pid', p.pid, 'started', p.started, 'state', 'S', 'threads', p.threads,
      ${Object.entries(PROCESS_KEYS)
        .map(([column, key]) => `'${key}', ${column}, '${key}_max', 2 * ${column}`)
        .join(', ')}), ${AT}, LOWER(HEX(p.md5_str)) FROM ${IN_ORDER}`,
  `INSERT INTO tb_monitor_host_info SELECT rshost, ${AT}, 30000, 15, 7, ${HOST_COLUMNS.map(hostFigure).join(', ')} FROM noise`,
  `INSERT INTO old_host_info SELECT NULL, rshost, ${['cpu_info', 'mem_info', 'io_info', 'net'].map(hostJson).join(', ')}, ${AT} FROM noise`,
  `INSERT INTO tb_monitor_disk_info SELECT rshost, ${AT}, mount, device, 1e12, n * 100 FROM noise JOIN ${DEVICES} ORDER BY rshost, mount`,
  `INSERT INTO old_disk_info SELECT NULL, rshost, mount, JSON_OBJECT('device', device, 'total', 1e12, 'used', n * 100), ${AT}
    FROM noise JOIN ${DEVICES}`,
  `INSERT INTO tb_monitor_disk_util_qu_info SELECT rshost, ${AT}, device, n % 100000000, n % 90000000, n % 100, 100, 2, 30
    FROM noise JOIN ${DEVICES} ORDER BY rshost, device`,
  `INSERT INTO old_disk_util_qu_info SELECT NULL, rshost, device,
    JSON_OBJECT('read', n % 100000000, 'write', n % 90000000, 'util', n % 100, 'util_max', 100, 'queue', 2, 'queue_max', 30), ${AT}
    FROM noise JOIN ${DEVICES}`,
  `INSERT INTO tb_monitor_net_info SELECT rshost, ${AT}, 'eth0', 1e10, n % 60000000, 1e9, n % 50000000, 1e9 FROM noise`,
  `INSERT INTO tb_monitor_port_net_info SELECT rshost, ${AT}, 'mysqld:3306', 3306, '10.20.9.9', 0, n % 60000000, 1e9, n % 50000000, 1e9 FROM noise`,
  `INSERT INTO old_port_net_info SELECT NULL, rshost, '10.20.9.9',
    JSON_OBJECT('in', n % 60000000, 'in_max', 1e9, 'out', n % 50000000, 'out_max', 1e9), ${AT} FROM noise`,
];
