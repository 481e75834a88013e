import { setTimeout as delay } from 'node:timers/promises';
import { MysqlStore } from '../../../src/store/mysql.ts';
import type { MysqlAddress } from '../../../src/store/mysql-sessions.ts';
import { median } from '../tools.ts';
import { SyntheticFleet } from './fleet.ts';

const HOSTS_PER_TRANSACTION = 50;
const PROCESSES = 20;
const INTERVAL_MS = 30_000;
const QUIET_TRANSACTIONS = 400;
/** As `src/server/retention.ts` goes on. */
const STEP_ROWS = 2_000;
const PAUSE_MS = 50;

export interface RetentionCost {
  /** Rows that went. */
  rows: number;
  seconds: number;
  /** Of one transaction of ingest, ms. */
  usualMs: number;
  longestQuietMs: number;
  longestMs: number;
}

/**
 * Transactions of ingest, one after another, first alone and then while everything that ended before `beforeMs` is
 * forgotten.
 */
export async function retentionCost(
  address: MysqlAddress,
  times: { beforeMs: number; startMs: number },
): Promise<RetentionCost> {
  const writing = new MysqlStore(address);
  const pruning = new MysqlStore(address);
  const fleet = new SyntheticFleet(HOSTS_PER_TRANSACTION, PROCESSES);
  let { startMs } = times;
  const transactionMs = async (): Promise<number> => {
    const batch = fleet.intervals(startMs, INTERVAL_MS);
    startMs += INTERVAL_MS;
    const startedAt = performance.now();
    await writing.write(batch);
    return performance.now() - startedAt;
  };
  try {
    for (let count = 0; count < 50; count += 1) await transactionMs();
    const quiet: number[] = [];
    for (let count = 0; count < QUIET_TRANSACTIONS; count += 1) quiet.push(await transactionMs());
    let isOver = false;
    const meanwhile: number[] = [];
    const ingest = (async () => {
      while (!isOver) meanwhile.push(await transactionMs());
    })();
    const startedAt = performance.now();
    let rows = 0;
    for (let deleted = -1; deleted !== 0; rows += deleted) {
      deleted = await pruning.prune(times.beforeMs, STEP_ROWS);
      await delay(PAUSE_MS);
    }
    const seconds = (performance.now() - startedAt) / 1000;
    isOver = true;
    await ingest;
    const longest = (all: readonly number[]): number => all.reduce((most, ms) => Math.max(most, ms), 0);
    return {
      rows,
      seconds,
      usualMs: median(quiet),
      longestQuietMs: longest(quiet),
      longestMs: longest(meanwhile),
    };
  } finally {
    await writing.close();
    await pruning.close();
  }
}
