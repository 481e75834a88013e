import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { emptyDatabase } from '../store/mysql-database.ts';
import { MariaDb } from '../support/mariadb.ts';
import { HOST, type Mesh, openMesh, until } from './mesh.ts';

const mariadb = new MariaDb();
before(async () => void (await mariadb.create()));
after(() => mariadb.remove());

/** So many servers on one database, with the same secrets; none of them runs yet. */
async function opened(t: TestContext, count: number): Promise<Mesh[]> {
  const { address } = await emptyDatabase(mariadb);
  const settings = {
    PROCMESH_MONITOR_MYSQL_HOST: address.host,
    PROCMESH_MONITOR_MYSQL_PORT: String(address.port),
    PROCMESH_MONITOR_MYSQL_PASS: address.password,
  };
  return Promise.all(Array.from({ length: count }, () => openMesh(t, settings)));
}

function share(from: Mesh, to: Mesh): void {
  for (const file of ['agents.secret', 'viewer.token', 'operator.token', 'server.crt', 'server.key'])
    cpSync(join(from.dataDir, file), join(to.dataDir, file));
}

function sql(text: string): string {
  return mariadb.script(`USE dbzz_monitor; ${text}`);
}

async function row(mesh: Mesh, host: string): Promise<Record<string, unknown> | undefined> {
  const { rows } = JSON.parse((await mesh.run('hosts', '--json')).stdout);
  return rows.find((candidate: { host: string }) => candidate.host === host);
}

describe('a fleet on MySQL', { timeout: 180_000 }, () => {
  it('follows what is written into its table', async (t) => {
    const [mesh] = (await opened(t, 1)) as [Mesh];
    sql(`INSERT INTO tb_monitor_host_config SELECT 0, '${HOST}', 2`);
    const server = await mesh.server();
    const agent = await mesh.agent();
    await server.stderr.line((line) => line.includes('agent connected'));
    sql("INSERT INTO tb_monitor_host_config SELECT 0, 'no-such-host.invalid', 1");
    await until(async () => (await row(mesh, 'no-such-host.invalid'))?.status === 'failed');
    sql("DELETE FROM tb_monitor_host_config WHERE rshost = 'no-such-host.invalid'");
    await until(async () => (await row(mesh, 'no-such-host.invalid')) === undefined);
    sql(`UPDATE tb_monitor_host_config SET istate = 0 WHERE rshost = '${HOST}'`);
    assert.equal((await agent.finished).code, 0);
    await until(() => sql(`SELECT istate FROM tb_monitor_host_config WHERE rshost = '${HOST}'`).includes('-1'));
  });

  it('goes on with another server when the one that does the duties is killed', async (t) => {
    const [one, two] = (await opened(t, 2)) as [Mesh, Mesh];
    const first = await one.server();
    share(one, two);
    const second = await two.server();
    const agent = await one.agent();
    await first.stderr.line((line) => line.includes('agent connected'));
    await until(async () => (await row(two, HOST))?.status === 'online');
    const seen = await row(two, HOST);
    assert.match(String(seen?.message), /^connected to .*:\d+$/);
    await first.kill('SIGKILL');
    sql("INSERT INTO tb_monitor_host_config SELECT 0, 'no-such-host.invalid', 1");
    const killedAt = performance.now();
    await until(async () => (await row(two, 'no-such-host.invalid'))?.status === 'failed');
    t.diagnostic(`the duties moved within ${Math.round(performance.now() - killedAt)} ms`);
    await until(async () => (await row(two, HOST))?.status === 'offline');
    agent.process.kill('SIGTERM');
    await agent.finished;
    assert.equal((await second.kill('SIGTERM')).code, 0);
  });
});
