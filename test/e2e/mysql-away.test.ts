import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { emptyDatabase } from '../store/mysql-database.ts';
import { assertFailed } from '../support/command.ts';
import { MariaDb } from '../support/mariadb.ts';
import { HOST, type Mesh, openMesh, until } from './mesh.ts';

const mariadb = new MariaDb();
before(async () => void (await mariadb.create()));
after(() => mariadb.remove());

async function opened(t: TestContext): Promise<Mesh> {
  const { address } = await emptyDatabase(mariadb);
  const mesh = await openMesh(t, {
    PROCMESH_GLOBAL_INTERVAL_TIME: '1',
    PROCMESH_GLOBAL_SAMPLE_TIME: '0.5',
    PROCMESH_MONITOR_MYSQL_HOST: address.host,
    PROCMESH_MONITOR_MYSQL_PORT: String(address.port),
    PROCMESH_MONITOR_MYSQL_PASS: address.password,
  });
  await mesh.server();
  await mesh.agent();
  return mesh;
}

/** Waits until so many intervals are in the table, and returns those after which one is missing. */
async function gaps(count: number): Promise<number> {
  const admin = await mariadb.admin('dbzz_monitor');
  try {
    for (;;) {
      const [rows] = await admin.query(
        'SELECT UNIX_TIMESTAMP(a_time) AS endS FROM tb_monitor_host_info WHERE rshost = ? ORDER BY a_time',
        [HOST],
      );
      const ends = (rows as { endS: number }[]).map(({ endS }) => endS);
      if (ends.length >= count)
        return ends.filter((endS, index) => index > 0 && endS !== (ends[index - 1] ?? 0) + 1).length;
    }
  } finally {
    await admin.end();
  }
}

describe('while MySQL takes nothing', { timeout: 120_000 }, () => {
  for (const { title, begin, end, past } of [
    {
      title: 'as it is down',
      begin: () => mariadb.stop('SIGTERM'),
      end: () => mariadb.start(),
      past: (mesh: Mesh) =>
        mesh
          .run('ps', '--at', '-5s')
          .then((ran) => assertFailed(ran, 1, /MySQL at .* (cannot be reached|takes no connections)/)),
    },
    {
      title: 'as it is read-only',
      begin: async () => void mariadb.script('SET GLOBAL read_only = 1'),
      end: async () => void mariadb.script('SET GLOBAL read_only = 0'),
      past: async () => undefined,
    },
  ])
    it(`${title}, live views go on, agents keep what they measure, and all of it arrives later`, async (t) => {
      const mesh = await opened(t);
      assert.equal(await gaps(2), 0);
      await begin();
      await until(() => mesh.outbox().length >= 4);
      const { rows } = JSON.parse((await mesh.run('ps', '--json', '--limit', '3')).stdout);
      assert.ok(rows.length > 0);
      assert.equal(JSON.parse((await mesh.run('hosts', '--json')).stdout).rows[0].status, 'online');
      await past(mesh);
      await end();
      await until(() => mesh.outbox().length <= 1);
      assert.equal(await gaps(8), 0);
    });
});
