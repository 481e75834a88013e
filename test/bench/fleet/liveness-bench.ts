import { mkdirSync, readdirSync, watch } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { RowDataPacket } from 'mysql2/promise';
import { type BenchMesh, type BenchServer, HostsView } from './bench-mesh.ts';

const AGENTS = 5;

export interface Detection {
  /** Of several agents, from the signal until a viewer sees it, seconds. */
  worstS: number;
  bestS: number;
}

/** Agents that a signal stops, one after the other at any moment of a heartbeat, until each is seen to be offline. */
export async function detection(mesh: BenchMesh, signal: 'SIGKILL' | 'SIGSTOP'): Promise<Detection> {
  const [server] = mesh.servers as [BenchServer];
  const view = new HostsView(server);
  const names = Array.from({ length: AGENTS }, (_, index) => `${signal.toLowerCase()}-${index}`);
  const took: number[] = [];
  await Promise.all(
    names.map(async (name) => {
      const { command } = await mesh.agent(name);
      const is = (status: string) =>
        view.seen((rows) => rows.some((row) => row.host === name && row.status === status));
      await is('online');
      await delay(3_000 * Math.random());
      const startedAt = performance.now();
      command.process.kill(signal);
      took.push(((await is('offline')) - startedAt) / 1_000);
      await command.kill('SIGKILL');
    }),
  );
  view.close();
  return { worstS: Math.max(...took), bestS: Math.min(...took) };
}

export interface FailOver {
  /** From the end of its server until a viewer of the next one sees it beat, seconds. */
  tookS: number;
  measured: number;
  /** Measured and not in the store. */
  lost: number;
  /** Milliseconds between the end of an interval and the beginning of the next, of all together. */
  gapsMs: number;
}

/** An agent with intervals of a second whose server is killed, and that goes on at the next one. */
export async function failOver(mesh: BenchMesh): Promise<FailOver> {
  const [first, second] = mesh.servers as [BenchServer, BenchServer];
  const view = new HostsView(second);
  const host = 'fail-over';
  const { command, outbox } = await mesh.agent(host);
  mkdirSync(outbox, { recursive: true });
  const measured = new Set<number>();
  const watcher = watch(outbox, (_, file) => {
    const endMs = Number.parseInt(file ?? '', 10);
    if (!Number.isNaN(endMs)) measured.add(endMs);
  });
  const untilMeasured = async (count: number): Promise<void> => {
    while (measured.size < count) await delay(50);
  };
  await untilMeasured(4);
  const startedAt = performance.now();
  await first.command?.kill('SIGKILL');
  const seenAt = await view.seen((rows) => rows.some((row) => row.host === host && row.cpuPercent !== undefined));
  await untilMeasured(measured.size + 3);
  await command.kill('SIGTERM');
  watcher.close();
  view.close();
  await first.start();
  const admin = await mesh.mariadb.admin('dbzz_monitor');
  const [rows] = await admin.query<(RowDataPacket & { endMs: number; lengthMs: number })[]>(
    `SELECT UNIX_TIMESTAMP(a_time) * 1000 AS endMs, length_ms AS lengthMs FROM tb_monitor_host_info
    WHERE rshost = ? ORDER BY a_time`,
    [host],
  );
  await admin.end();
  const stored = new Set(rows.map(({ endMs }) => endMs));
  for (const file of readdirSync(outbox)) stored.add(Number.parseInt(file, 10));
  return {
    tookS: (seenAt - startedAt) / 1_000,
    measured: measured.size,
    lost: [...measured].filter((endMs) => !stored.has(endMs)).length,
    gapsMs: rows.slice(1).reduce((sum, row, index) => sum + row.endMs - row.lengthMs - (rows[index]?.endMs ?? 0), 0),
  };
}
