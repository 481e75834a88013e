import { createHash } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import { Ingest } from '../../../src/server/ingest.ts';
import { ServerMetrics } from '../../../src/server/metrics.ts';
import { MysqlStore } from '../../../src/store/mysql.ts';
import type { MysqlAddress } from '../../../src/store/mysql-sessions.ts';
import { utc } from '../../../src/store/mysql-time.ts';
import { intervalRows, type Writing } from '../../../src/store/rows.ts';
import type { HostInterval } from '../../../src/store/store.ts';
import { PROCESS_IO_INFO } from '../../../src/store/tables.ts';
import { median } from '../tools.ts';
import { SyntheticFleet } from './fleet.ts';

const HOSTS = 1_000;
const PROCESSES = 20;
const INTERVAL_MS = 30_000;
const WARM_UP = 4;
const ROUNDS = 9;
const ROWS_PER_INSERT = 1_000;
const WRITING: Writing = { time: utc, md5: (text) => createHash('md5').update(text).digest() };

export interface IngestSpeed {
  rowsPerSec: number;
  /** Of the rows in `tb_monitor_process_io_info` alone. */
  processRowsPerSec: number;
  bareRowsPerSec: number;
  cpuUsPerRow: number;
  bareCpuUsPerRow: number;
}

interface Cost {
  rows: number;
  seconds: number;
  cpuUs: number;
}

/**
 * The server's way from intervals of all hosts to acknowledgements, in turns with a loop that sends rows which are there
 * already to the table of processes, a thousand in a statement. Both wait for the disk.
 */
export async function ingestSpeed(address: MysqlAddress, startMs: number): Promise<IngestSpeed> {
  const store = new MysqlStore(address);
  const trouble = Promise.withResolvers<never>();
  const ingest = new Ingest({
    store,
    metrics: new ServerMetrics(),
    onTrouble: (error) => trouble.reject(error),
  });
  const connection = await createConnection({ ...address, timezone: 'Z' });
  await connection.query("SET time_zone = '+00:00'");
  const fleet = new SyntheticFleet(HOSTS, PROCESSES);
  const own: Cost[] = [];
  const bare: Cost[] = [];
  try {
    for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
      const endMs = startMs + 2 * round * INTERVAL_MS;
      const delivered = fleet.intervals(endMs, INTERVAL_MS);
      const ownCost = await cost(countRows(delivered), () =>
        Promise.race([acknowledged(ingest, delivered), trouble.promise]),
      );
      const rows = fleet
        .intervals(endMs + INTERVAL_MS, INTERVAL_MS)
        .flatMap((item) => intervalRows(item, WRITING).parts.get(PROCESS_IO_INFO) ?? []);
      const bareCost = await cost(rows.length, async () => {
        const names = PROCESS_IO_INFO.columns.map(({ name }) => name).join(', ');
        for (let from = 0; from < rows.length; from += ROWS_PER_INSERT)
          await connection.query(`INSERT INTO ${PROCESS_IO_INFO.name} (${names}) VALUES ?`, [
            rows.slice(from, from + ROWS_PER_INSERT),
          ]);
      });
      if (round < WARM_UP) continue;
      own.push(ownCost);
      bare.push(bareCost);
    }
  } finally {
    ingest.close();
    await connection.end();
    await store.close();
  }
  const rate = ({ rows, seconds }: Cost): number => rows / seconds;
  return {
    rowsPerSec: median(own.map(rate)),
    processRowsPerSec: median(own.map(({ seconds }) => (HOSTS * PROCESSES) / seconds)),
    bareRowsPerSec: median(bare.map(rate)),
    cpuUsPerRow: median(own.map(({ rows, cpuUs }) => cpuUs / rows)),
    bareCpuUsPerRow: median(bare.map(({ rows, cpuUs }) => cpuUs / rows)),
  };
}

/** Rows of all tables that keep them. */
function countRows(delivered: readonly HostInterval[]): number {
  return delivered.reduce((sum, item) => {
    const parts = [...intervalRows(item, WRITING).parts.values()];
    return parts.reduce((rows, part) => rows + part.length, sum + 1);
  }, 0);
}

function acknowledged(ingest: Ingest, delivered: readonly HostInterval[]): Promise<void> {
  return new Promise((resolve) => {
    let left = delivered.length;
    for (const { host, interval } of delivered)
      ingest.add(host, interval, () => {
        left -= 1;
        if (left === 0) resolve();
      });
  });
}

async function cost(rows: number, work: () => Promise<void>): Promise<Cost> {
  const before = process.cpuUsage();
  const startedAt = performance.now();
  await work();
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(before);
  return { rows, seconds, cpuUs: user + system };
}
