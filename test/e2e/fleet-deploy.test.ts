import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { emptyDatabase } from '../store/mysql-database.ts';
import { freePort } from '../support/command.ts';
import { MariaDb } from '../support/mariadb.ts';
import { scratchFolder } from '../support/scratch.ts';
import type { TestHost } from '../support/test-host/test-host.ts';
import { TestNetwork } from '../support/test-hosts.ts';
import { Mesh, until } from './mesh.ts';

const mariadb = new MariaDb();
before(async () => void (await mariadb.create()));
after(() => mariadb.remove());

/** A server that reaches test hosts by SSH, and whose user has no settings of ssh. */
async function opened(t: TestContext) {
  const network = await TestNetwork.open(t);
  const { address } = await emptyDatabase(mariadb);
  const home = scratchFolder(t);
  mkdirSync(join(home, '.ssh'));
  const port = await freePort();
  const mesh = new Mesh(t, scratchFolder(t), port, {
    HOME: home,
    SSH_AUTH_SOCK: '',
    PROCMESH_SERVER_LISTEN: `0.0.0.0:${port}`,
    PROCMESH_CLIENT_SSH_KEY: network.keyFile,
    PROCMESH_MONITOR_MYSQL_HOST: address.host,
    PROCMESH_MONITOR_MYSQL_PORT: String(address.port),
    PROCMESH_MONITOR_MYSQL_PASS: address.password,
  });
  return { network, mesh, sql: (text: string) => mariadb.script(`USE dbzz_monitor; ${text}`) };
}

async function statuses(mesh: Mesh): Promise<Map<string, string>> {
  const { rows } = JSON.parse((await mesh.run('hosts', '--json')).stdout);
  return new Map(rows.map(({ host, status }: { host: string; status: string }) => [host, status]));
}

describe('a fleet that is deployed', { timeout: 240_000 }, () => {
  it('streams from hosts that were inserted by SQL, and leaves nothing on one that is taken offline', async (t) => {
    const { network, mesh, sql } = await opened(t);
    const hosts = [await network.host(), await network.host(), await network.host()];
    const [host] = hosts as [TestHost];
    const before = host.files();
    await mesh.server();
    const insertedAt = performance.now();
    for (const { rshost } of hosts) sql(`INSERT INTO tb_monitor_host_config SELECT 0, '${rshost}', 1`);
    const areOnline = async () => {
      const found = await statuses(mesh);
      return hosts.every(({ address }) => found.get(address) === 'online');
    };
    await until(areOnline);
    t.diagnostic(`streaming after ${Math.round(performance.now() - insertedAt)} ms`);
    const { rows } = JSON.parse((await mesh.run('ps', '--json', '--host', host.address)).stdout);
    assert.ok(rows.some(({ comm }: { comm: string }) => comm === 'sshd'));
    const rotated = await mesh.run('hosts', 'rotate', ...hosts.map(({ address }) => address));
    assert.equal(rotated.code, 0, rotated.stderr);
    await until(areOnline);
    sql(`UPDATE tb_monitor_host_config SET istate = 0 WHERE rshost = '${host.rshost}'`);
    await until(() => sql(`SELECT istate FROM tb_monitor_host_config WHERE rshost = '${host.rshost}'`).includes('-1'));
    assert.deepEqual(await host.processes(), []);
    assert.deepEqual(host.files(), before);
    const found = await statuses(mesh);
    assert.deepEqual(
      hosts.map(({ address }) => found.get(address)),
      ['retired', 'online', 'online'],
    );
    const added = await mesh.run('hosts', 'add', host.address, '--json');
    assert.equal(added.code, 0, added.stderr);
    t.diagnostic(added.stderr);
    const removed = await mesh.run('hosts', 'remove', ...hosts.map(({ address }) => address), '--json');
    assert.equal(removed.code, 0, removed.stderr);
    for (const each of hosts) assert.deepEqual(await each.processes(), []);
  });
});
