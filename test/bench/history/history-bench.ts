import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { RowDataPacket } from 'mysql2/promise';
import { emptyDatabase, MORE_RIGHTS, RIGHTS } from '../../store/mysql-database.ts';
import { MariaDb } from '../../support/mariadb.ts';
import { missing } from '../../support/requirements.ts';
import { Results } from '../results.ts';
import { median } from '../tools.ts';
import { DAYS, type Dataset, HOSTS, load } from './dataset.ts';
import { ingestSpeed } from './ingest-bench.ts';
import { queryCosts } from './query-bench.ts';
import { retentionCost } from './retention-bench.ts';

/** Of both layouts together, at the end, with some to spare. */
const BYTES_PER_PROCESS_ROW = 1_500;
const DAY_MS = 86_400_000;

const millions = Number(process.argv.find((argument) => /^\d+(\.\d+)?$/.test(argument)) ?? 20);
const results = new Results();

function progress(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

/** Why it cannot be run here. */
function obstacle(): string | undefined {
  const wanted = missing(['mariadb-server']);
  if (wanted !== undefined) return wanted;
  const { bavail, bsize } = statfsSync(tmpdir());
  const needed = millions * 1e6 * BYTES_PER_PROCESS_ROW;
  if (bavail * bsize > needed) return undefined;
  return `wants ${Math.ceil(needed / 1e9)} GB in ${tmpdir()}: make room, set TMPDIR, or give fewer millions of rows than ${millions}`;
}

async function bytesPerRow(mariadb: MariaDb, table: string, rows: number): Promise<number> {
  const admin = await mariadb.admin();
  const [[size] = []] = await admin.query<RowDataPacket[]>(
    `SELECT SUM(FILE_SIZE) AS bytes FROM information_schema.INNODB_SYS_TABLESPACES
    WHERE NAME = ? OR NAME LIKE CONCAT(?, '#P#%')`,
    [`dbzz_monitor/${table}`, `dbzz_monitor/${table}`],
  );
  await admin.end();
  return Number(size?.bytes) / rows;
}

async function measureQueries(mariadb: MariaDb, { endS }: Dataset): Promise<void> {
  // In the middle of the month, at 03:12.
  const question = { host: '10.20.1.17', endS: endS - (DAYS / 2) * 86_400 + 3 * 3_600 + 12 * 60 };
  const costs = await queryCosts(mariadb, question, (text) => progress(`panel ${text}`));
  for (const [row, own] of Map.groupBy(costs, (cost) => cost.row)) {
    const worst = own.reduce((a, b) => (a.ownMs / a.predecessorMs > b.ownMs / b.predecessorMs ? a : b));
    const what = row === 'blame' ? 'blame' : `panels of ${row}, ${own.length}, the worst: ${worst.name}`;
    results.compare(
      `${what}, one host, 6 hours, CPU of the database`,
      worst.ownMs,
      ["predecessor's layout", worst.predecessorMs],
      1 / 20,
      'ms',
    );
  }
  results.note('all panels, median of their ratios', median(costs.map((c) => c.ownMs / c.predecessorMs)).toFixed(4));
}

async function measureRetention(mariadb: MariaDb, { endS }: Dataset, day: number, way: string): Promise<void> {
  const rights = way === 'drops' ? MORE_RIGHTS : RIGHTS;
  mariadb.script(
    `CREATE OR REPLACE USER monitor_rw@'127.0.0.1' IDENTIFIED BY 'pass2'; GRANT ${rights} ON dbzz_monitor.* TO monitor_rw@'127.0.0.1'`,
  );
  const beforeMs = (endS - (DAYS - day) * 86_400) * 1_000;
  const cost = await retentionCost(accountOf(mariadb), { beforeMs, startMs: endS * 1_000 + day * DAY_MS });
  const what = `forgetting a day, ${(cost.rows / 1e6).toFixed(1)} million rows in ${cost.seconds.toFixed(0)} s, an account that ${way}`;
  results.bound(`${what}: longest transaction of ingest`, cost.longestMs, 'ms', 100);
  results.note(
    'beside it: longest and median transaction of ingest while nothing is forgotten',
    `${cost.longestQuietMs.toFixed(2)} ms, ${cost.usualMs.toFixed(2)} ms`,
  );
}

function accountOf({ port }: MariaDb) {
  return { host: '127.0.0.1', port, user: 'monitor_rw', password: 'pass2', database: 'dbzz_monitor' };
}

const obstacleFound = obstacle();
if (obstacleFound !== undefined) {
  progress(obstacleFound);
  process.exit(1);
}
const mariadb = new MariaDb([
  ...['--innodb-buffer-pool-size=6G', '--innodb-log-file-size=1G', '--plugin-load-add=ha_sequence'],
  ...['--tmp-table-size=256M', '--max-heap-table-size=256M'],
]);
process.once('SIGINT', () => void mariadb.remove().then(() => process.exit(130)));
try {
  progress('starting MariaDB');
  await mariadb.create();
  await emptyDatabase(mariadb, MORE_RIGHTS);
  progress(`writing ${millions} million process rows, ${HOSTS} hosts, ${DAYS} days, in two layouts`);
  const dataset = await load(mariadb, millions * 1e6, progress);
  const size = `${HOSTS} hosts, ${DAYS} days, ${(dataset.processRows / 1e6).toFixed(1)} million process rows`;
  results.compare(
    `${size}: bytes per process row, indexes included`,
    await bytesPerRow(mariadb, 'tb_monitor_process_io_info', dataset.processRows),
    ["predecessor's layout", await bytesPerRow(mariadb, 'old_process_io_info', dataset.processRows)],
    0.5,
    'bytes',
  );
  await measureQueries(mariadb, dataset);
  progress('ingest');
  const speed = await ingestSpeed(accountOf(mariadb), dataset.endS * 1_000);
  const loop = 'bare loop of 1,000-row INSERTs';
  results.compare(
    'durable ingest, 1,000 hosts of 20 processes, rows of all tables',
    speed.rowsPerSec,
    [loop, speed.bareRowsPerSec],
    -0.7,
    'rows/s',
  );
  results.note('the same, rows of processes alone', `${speed.processRowsPerSec.toFixed(0)} rows/s`);
  results.compare('the same, CPU of the server per row', speed.cpuUsPerRow, [loop, speed.bareCpuUsPerRow], 2, 'µs');
  progress('retention, by dropping days');
  await measureRetention(mariadb, dataset, 1, 'drops');
  progress('retention, by deleting');
  await measureRetention(mariadb, dataset, 2, 'deletes');
} finally {
  await mariadb.remove();
}
results.print(process.argv.includes('--markdown'));
