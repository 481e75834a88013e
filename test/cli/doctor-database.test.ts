import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { MysqlAddress } from '../../src/store/mysql-sessions.ts';
import { emptyDatabase, MORE_RIGHTS, RIGHTS } from '../store/mysql-database.ts';
import { procmesh } from '../support/command.ts';
import { MariaDb } from '../support/mariadb.ts';
import { scratchFolder } from '../support/scratch.ts';

const mariadb = new MariaDb();
before(async () => void (await mariadb.create()));
after(() => mariadb.remove());

/** What a doctor finds of the database, `state found, mend` by check. */
async function examined(
  t: TestContext,
  { port }: MysqlAddress,
  options: { config?: string; password?: string; more?: NodeJS.ProcessEnv } = {},
): Promise<Map<string, string>> {
  const { config, password, more } = options;
  const env = {
    PROCMESH_GLOBAL_DATA_DIR: scratchFolder(t),
    PROCMESH_SERVER_LISTEN: '127.0.0.1:1',
    PROCMESH_MONITOR_MYSQL_HOST: '127.0.0.1',
    PROCMESH_MONITOR_MYSQL_PORT: String(port),
    ...(password !== undefined && { PROCMESH_MONITOR_MYSQL_PASS: password }),
    ...more,
  };
  const { stdout } = await procmesh(
    t,
    ['doctor', '--json', ...(config === undefined ? [] : ['--config', config])],
    env,
  );
  const { checks } = JSON.parse(stdout) as { checks: { check: string; state: string; found: string; mend?: string }[] };
  return new Map(
    checks.map(({ check, state, found, mend }) => [check, [state, found, ...(mend ? [mend] : [])].join(', ')]),
  );
}

describe('procmesh doctor, of the database', { timeout: 60_000 }, () => {
  it('finds it well where the account may do everything', async (t) => {
    const { address } = await emptyDatabase(mariadb, MORE_RIGHTS);
    const found = await examined(t, address, { password: 'pass2' });
    assert.match(
      found.get('history') ?? '',
      /^ok, MySQL at 127\.0\.0\.1:\d+, 10\..*MariaDB.*, drops old days at once$/,
    );
    assert.match(found.get('clock') ?? '', /^ok, that of MySQL is 0\.\d s (behind|ahead)$/);
    assert.equal(found.has('password'), false);
  });

  it('says which rights would make retention cheaper', async (t) => {
    const { address } = await emptyDatabase(mariadb, RIGHTS);
    const found = await examined(t, address, { password: 'pass2' });
    assert.match(
      found.get('history') ?? '',
      /^limited, .* row by row, grant alter, create, drop on dbzz_monitor\.\* to/,
    );
  });

  it('fails where a right is missing, the password is wrong or nothing is there', async (t) => {
    const { address } = await emptyDatabase(mariadb, 'select, insert, update');
    const history = async (password: string, more: NodeJS.ProcessEnv = {}) =>
      (await examined(t, address, { password, more })).get('history') ?? '';
    assert.match(await history('pass2'), /^failed, MySQL at .* does not let this user do that/);
    assert.match(await history('wrong'), /^failed, MySQL at .* refuses the user or its password/);
    const elsewhere = { PROCMESH_MONITOR_MYSQL_PORT: '1' };
    assert.match(await history('pass2', elsewhere), /^failed, MySQL at .* cannot be reached \(ECONNREFUSED\)/);
  });

  it('warns of a clock that is far off', async (t) => {
    const { address } = await emptyDatabase(mariadb, MORE_RIGHTS);
    mariadb.script(`SET GLOBAL init_connect = 'SET timestamp = UNIX_TIMESTAMP() - 60'`);
    t.after(() => mariadb.script("SET GLOBAL init_connect = ''"));
    const found = await examined(t, address, { password: 'pass2' });
    assert.match(found.get('clock') ?? '', /^failed, that of MySQL is (59|60)\.\d s behind, run chrony/);
  });

  it('warns of a password that others can read', async (t) => {
    const { address } = await emptyDatabase(mariadb, MORE_RIGHTS);
    const config = join(scratchFolder(t), 'config.ini');
    writeFileSync(config, '[Monitor]\nmysql_pass = pass2\n');
    chmodSync(config, 0o644);
    const open = await examined(t, address, { config });
    assert.match(open.get('history') ?? '', /^ok/);
    assert.equal(
      open.get('password'),
      `limited, ${config} holds the password of MySQL and can be read by others, chmod 600 ${config}`,
    );
    chmodSync(config, 0o600);
    assert.equal((await examined(t, address, { config })).has('password'), false);
  });

  it('names the embedded store where no MySQL is configured', async (t) => {
    const found = await examined(t, { port: 0 } as MysqlAddress, {
      more: { PROCMESH_MONITOR_MYSQL_HOST: '', PROCMESH_MONITOR_MYSQL_PORT: '1' },
    });
    assert.match(found.get('history') ?? '', /^ok, SQLite in /);
  });
});
