import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { emptyDatabase } from '../../store/mysql-database.ts';
import { freePort } from '../../support/command.ts';
import { MariaDb } from '../../support/mariadb.ts';
import { readMetric } from '../../support/metric.ts';
import { LoopProbe } from '../fleet/loop-probe.ts';
import { SyntheticFleet } from '../history/fleet.ts';
import type { HerdReport } from './herd.ts';
import { type Latency, PingProbe } from './ping-probe.ts';
import { ServerCheckout } from './server-checkout.ts';
import { Viewpoint } from './viewpoint.ts';

const HERD = fileURLToPath(new URL('herd.ts', import.meta.url));
/** Longer than an interval, so that the end of one is in it. */
const BEFORE_MS = 32_000;
const MEMORY_EVERY_MS = 250;

/** What was seen of the server for some time. */
interface Course {
  ping: Latency;
  /** The longest that its event loop was held up, ms. */
  worstLoopMs: number;
  mostRssMb: number;
}

export interface HerdUpgrade {
  before: Course;
  during: Course;
  /** Agents that had been pushed the release when the first one of the wave before was not confirmed yet, by wave. */
  waves: { hosts: number; pushed: number }[];
  mostReceiving: number;
  mbPerAgent: number;
  /** From the restart of the server. */
  tookS: number;
  /** Rows of what is noted of hosts that were written. */
  writesPerHost: number;
  state: string;
}

/** Simulated agents of one server that is started again with another release. @param sizes of the hosts after each wave. */
export async function upgradeHerd(
  t: TestContext,
  sizes: readonly number[],
  progress: (text: string) => void,
): Promise<HerdUpgrade> {
  const count = sizes.at(-1) ?? 0;
  const mariadb = new MariaDb(['--userstat=1']);
  t.after(() => mariadb.remove());
  await mariadb.create();
  const { address } = await emptyDatabase(mariadb);
  const port = await freePort();
  const checkout = new ServerCheckout(t, port, {
    PROCMESH_MONITOR_MYSQL_HOST: address.host,
    PROCMESH_MONITOR_MYSQL_PORT: String(address.port),
    PROCMESH_MONITOR_MYSQL_PASS: address.password,
  });
  await checkout.restart('1.0');
  const view = new Viewpoint(checkout.url, checkout.dataDir);
  t.after(() => view.close());
  await view.until(({ state }) => state === 'done');
  const { hash = '' } = view.rollout ?? {};
  list(mariadb, count);
  progress(`${count} agents`);
  const herd = spawn(process.execPath, [HERD, String(count), checkout.url, checkout.dataDir, hash], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  t.after(() => herd.kill('SIGKILL'));
  await view.until(({ counts }) => counts.done === count);
  progress('what it is like before');
  const before = await course(checkout, delay(BEFORE_MS));
  const writesBefore = rowsWritten(mariadb);

  progress('the server is started again with another release');
  checkout.change('src/agent/agent.ts', 'const FIRST_SAMPLE_MS = 400;', 'const FIRST_SAMPLE_MS = 401;');
  const startedAtMs = Date.now();
  await checkout.restart('2.0');
  // All of them coming back at the same time is the matter of another bench.
  while ((await readMetric(port, 'procmesh_agents')) < count) await delay(100);
  const done = view.until(({ version, state }) => version === '2.0' && (state === 'done' || state === 'halted'));
  const during = await course(checkout, done);
  progress(view.story(startedAtMs));
  const report = await reportOf(herd);
  const { pushedAtMs, confirmedAtMs, mostReceiving, bytesPerAgent } = report;
  return {
    ...{ before, during, mostReceiving },
    waves: sizes.map((hosts, wave) => {
      const endedAtMs = confirmedAtMs[hosts - 1] ?? Number.POSITIVE_INFINITY;
      const isLast = wave === sizes.length - 1;
      return { hosts, pushed: pushedAtMs.filter((atMs) => isLast || atMs < endedAtMs).length };
    }),
    mbPerAgent: bytesPerAgent / 1e6,
    tookS: ((await done) - startedAtMs) / 1_000,
    writesPerHost: (rowsWritten(mariadb) - writesBefore) / count,
    state: `${view.rollout?.state}${view.rollout?.reason === undefined ? '' : `: ${view.rollout.reason}`}`,
  };
}

/** Hosts that run an agent which a server has deployed. */
function list(mariadb: MariaDb, count: number): void {
  const hosts = new SyntheticFleet(count, 0).intervals(0, 1).map(({ host }) => `('${host}'`);
  mariadb.script(`USE dbzz_monitor;
    INSERT INTO tb_monitor_host_config (rshost, istate) VALUES ${hosts.map((host) => `${host}, 2)`)}, ('${PingProbe.host}', 2);
    INSERT INTO tb_monitor_host_detail (rshost, is_deployed) VALUES ${hosts.map((host) => `${host}, 1)`)};`);
}

function rowsWritten(mariadb: MariaDb): number {
  const said = mariadb.script(`SELECT ROWS_CHANGED FROM information_schema.TABLE_STATISTICS
    WHERE TABLE_NAME = 'tb_monitor_host_detail'`);
  return Number(said.trim().split('\n').at(-1));
}

async function course(checkout: ServerCheckout, end: Promise<unknown>): Promise<Course> {
  const loop = new LoopProbe(checkout.port);
  const probe = await PingProbe.open(checkout);
  let mostRssMb = 0;
  const look = (): void => {
    mostRssMb = Math.max(mostRssMb, rssMb(checkout.pid));
  };
  const memory = setInterval(look, MEMORY_EVERY_MS);
  await end;
  look();
  clearInterval(memory);
  return { ping: probe.end(), worstLoopMs: await loop.end(), mostRssMb };
}

function rssMb(pid: number): number {
  const [, kilobytes = ''] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1_024;
}

async function reportOf(herd: ChildProcess): Promise<HerdReport> {
  const said = once(herd, 'message');
  herd.send('report');
  const [report] = await said;
  return report as HerdReport;
}
