import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { RowDataPacket } from 'mysql2/promise';
import { emptyDatabase } from '../store/mysql-database.ts';
import type { Command } from '../support/command.ts';
import { MariaDb } from '../support/mariadb.ts';
import { setCable } from '../support/net-namespaces.ts';
import { isRoot, missing } from '../support/requirements.ts';
import { CutMesh, HOST } from './cut-mesh.ts';
import { until } from './mesh.ts';

interface Stored extends RowDataPacket {
  startMs: number;
  endMs: number;
  recorded: number;
  found: number;
}

/** Two servers that share a MariaDB, and an agent that knows both; it lists its host. */
async function openMesh(t: TestContext) {
  const mesh = new CutMesh(t, 2);
  const mariadb = new MariaDb([], mesh.servers.inside);
  t.after(() => mariadb.remove());
  await mariadb.create();
  const { address } = await emptyDatabase(mariadb);
  mariadb.script(`INSERT INTO dbzz_monitor.tb_monitor_host_config SELECT 0, '${HOST}', 2`);
  const database = {
    PROCMESH_MONITOR_MYSQL_HOST: address.host,
    PROCMESH_MONITOR_MYSQL_PORT: String(address.port),
    PROCMESH_MONITOR_MYSQL_PASS: address.password,
  };
  const start = async (index: number): Promise<Command> => (await mesh.server(index, database)).command;
  return { mesh, mariadb, start };
}

/** Every interval that was measured is there once, whole, and each begins where the one before it has ended. */
async function assertNothingLost(mesh: CutMesh, mariadb: MariaDb): Promise<void> {
  const waiting = mesh.waiting();
  assert.ok(waiting.length <= 2, `${waiting.length} wait`);
  const admin = await mariadb.admin('dbzz_monitor');
  const [rows] = await admin.query<Stored[]>(
    `SELECT UNIX_TIMESTAMP(a_time) * 1000 AS endMs, UNIX_TIMESTAMP(a_time) * 1000 - length_ms AS startMs, recorded,
      (SELECT COUNT(*) FROM tb_monitor_process_io_info p WHERE p.rshost = h.rshost AND p.a_time = h.a_time) AS found
    FROM tb_monitor_host_info h WHERE rshost = ? ORDER BY a_time`,
    [HOST],
  );
  await admin.end();
  const isDone = ({ endMs }: { endMs: number }): boolean => !waiting.includes(endMs);
  assert.deepEqual(
    rows.filter(isDone).map(({ endMs }) => endMs),
    [...mesh.measured].filter((endMs) => isDone({ endMs })).sort((a, b) => a - b),
  );
  for (const [index, { startMs, recorded, found }] of rows.entries()) {
    assert.equal(found, recorded);
    if (index > 0) assert.equal(startMs, rows[index - 1]?.endMs);
  }
}

/** Resolves when the agent has been connected to that server so often. */
async function connectedTo(agent: Command, url: string | undefined, times: number): Promise<void> {
  const isIt = (line: string): boolean => line.includes('"connected"') && JSON.parse(line).server === url;
  await until(() => agent.stderr.text.split('\n').slice(0, -1).filter(isIt).length >= times);
}

const obstacle = isRoot() ? missing(['iproute2', 'mariadb-server']) : 'network namespaces are for root';

describe('an agent of two servers', { concurrency: true, timeout: 240_000, skip: obstacle }, () => {
  it('goes to the other one when its server is killed or stopped, and loses and doubles no interval', async (t) => {
    const { mesh, mariadb, start } = await openMesh(t);
    const first = await start(0);
    const second = await start(1);
    const agent = await mesh.agent();
    await connectedTo(agent, mesh.urls[0], 1);
    await mesh.intervals(2, 'stored');
    await first.kill('SIGKILL');
    await connectedTo(agent, mesh.urls[1], 1);
    await mesh.intervals(2, 'stored');
    await start(0);
    await mesh.intervals(2, 'stored');
    second.process.kill('SIGSTOP');
    await connectedTo(agent, mesh.urls[0], 2);
    await mesh.intervals(2, 'stored');
    second.process.kill('SIGCONT');
    await second.stderr.line((line) => line.includes('agent disconnected'));
    await mesh.intervals(2, 'stored');
    assert.equal((await agent.kill('SIGTERM')).code, 0);
    await assertNothingLost(mesh, mariadb);
  });

  it('goes to the other one when the way to its server is cut, and stays there', async (t) => {
    const { mesh, mariadb, start } = await openMesh(t);
    const first = await start(0);
    await start(1);
    const agent = await mesh.agent();
    await mesh.intervals(2, 'stored');
    setCable(mesh.hosts, 'down', 0);
    await connectedTo(agent, mesh.urls[1], 1);
    await first.stderr.line((line) => line.includes('agent disconnected'));
    await mesh.intervals(2, 'stored');
    setCable(mesh.hosts, 'up', 0);
    const { server } = await mesh.watch(1).row(({ status }) => status === 'online');
    assert.notEqual(server, undefined);
    await mesh.intervals(3, 'stored');
    assert.equal(agent.stderr.text.split('not connected').length - 1, 1);
    assert.equal((await agent.kill('SIGTERM')).code, 0);
    await assertNothingLost(mesh, mariadb);
  });
});
