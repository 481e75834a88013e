import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { blame } from '../../../src/server/blame.ts';
import { MysqlReader } from '../../../src/store/mysql-read.ts';
import { Session, type SqlValue } from '../../../src/store/mysql-sessions.ts';
import { exportedDashboard } from '../../dashboard/exported.ts';
import { expand } from '../../dashboard/question.ts';
import type { MariaDb } from '../../support/mariadb.ts';
import { cpuMs } from '../tools.ts';
import { asPredecessor } from './predecessor.ts';

const WINDOW_S = 6 * 3_600;
const POINT_S = 60;
/** The CPU clock of a process ticks every 10 ms: a question is asked again and again until it has ticked so often. */
const LEAST_CPU_MS = 400;
const MOST_REPEATS = 2_000;

/** CPU time of the database server per question, ms. */
export interface QueryCost {
  name: string;
  /** Row of the dashboard. */
  row: string;
  ownMs: number;
  predecessorMs: number;
}

/** What every panel of the dashboard asks of one host and six hours, and what `blame` does, put to both layouts. */
export async function queryCosts(
  mariadb: MariaDb,
  question: { host: string; endS: number },
  tell: (text: string) => void,
): Promise<QueryCost[]> {
  const session = await createConnection({
    ...{ host: '127.0.0.1', port: mariadb.port, user: 'root', database: 'dbzz_monitor' },
    decimalNumbers: true,
  });
  await session.query("SET time_zone = '+00:00'");
  const costs: QueryCost[] = [];
  try {
    let row = '';
    for (const { type, title, targets = [] } of exportedDashboard().panels) {
      if (type === 'row') row = title;
      if (targets.length === 0) continue;
      const statements = targets.map(({ rawSql }) => expanded(rawSql, question));
      const all = (rewrite: (sql: string) => string) => async (): Promise<number> => {
        let rows = 0;
        for (const sql of statements) rows += (await session.query<RowDataPacket[]>(rewrite(sql)))[0].length;
        return rows;
      };
      costs.push({ name: title, row, ...(await compared(mariadb, all(String), all(asPredecessor))) });
      tell(title);
    }
    const own = new Session(session, 60_000);
    const old = new PredecessorSession(session, 60_000);
    const ask = (of: Session) => async (): Promise<number> => {
      const reader = new MysqlReader();
      const times = { host: question.host, atMs: question.endS * 1_000, windowMs: WINDOW_S * 1_000 };
      const [{ hosts, rows }, peaks] = [await reader.processes(of, times), await reader.peaks(of, times)];
      if (hosts[0] === undefined || peaks === undefined) throw new Error('nothing to blame');
      return blame(hosts[0], rows, peaks, 5).resources.length + rows.length;
    };
    costs.push({ name: 'blame', row: 'blame', ...(await compared(mariadb, ask(own), ask(old))) });
  } finally {
    await session.end();
  }
  return costs;
}

function expanded(sql: string, { host, endS }: { host: string; endS: number }): string {
  const all = exportedDashboard().templating.list.find(({ name }) => name === 'instance')?.allValue;
  return expand(sql, { hosts: [host], from: endS - WINDOW_S, to: endS, stepSeconds: POINT_S }, all ?? '').sql;
}

/** Both must find equally much: what finds nothing costs nothing. */
async function compared(
  mariadb: MariaDb,
  own: () => Promise<number>,
  predecessor: () => Promise<number>,
): Promise<Pick<QueryCost, 'ownMs' | 'predecessorMs'>> {
  const [found, foundToo] = [await own(), await predecessor()];
  if (found !== foundToo) throw new Error(`${found} rows, and ${foundToo} in the predecessor's layout`);
  return { ownMs: await costMs(mariadb.pid, own), predecessorMs: await costMs(mariadb.pid, predecessor) };
}

async function costMs(pid: number, ask: () => Promise<unknown>): Promise<number> {
  const before = cpuMs(pid);
  let repeats = 0;
  while (repeats < MOST_REPEATS && cpuMs(pid) - before < LEAST_CPU_MS) {
    await ask();
    repeats += 1;
  }
  return (cpuMs(pid) - before) / repeats;
}

/** Puts the store's statements to the predecessor's layout. */
class PredecessorSession extends Session {
  override rows(sql: string, values: readonly SqlValue[] = []): Promise<RowDataPacket[]> {
    return super.rows(asPredecessor(sql), values);
  }

  override stream(sql: string, values: readonly SqlValue[]): AsyncIterable<SqlValue[]> {
    return super.stream(asPredecessor(sql), values);
  }
}
