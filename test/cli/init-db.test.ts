import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it, type TestContext } from 'node:test';
import { SCHEMA_VERSION, TABLES } from '../../src/store/tables.ts';
import { assertFailed, type Finished, launch, procmesh } from '../support/command.ts';
import { readBody } from '../support/https.ts';
import { MariaDb } from '../support/mariadb.ts';
import { scratchFolder } from '../support/scratch.ts';

const INIT_SQL = readFileSync('init/init.sql', 'utf8');
const NAMES = [...TABLES.map(({ name }) => name), 'tb_monitor_schema'];

const mariadb = new MariaDb();
before(async () => void (await mariadb.create()));
after(() => mariadb.remove());
beforeEach(() => {
  mariadb.script(`DROP DATABASE IF EXISTS dbzz_monitor; DROP DATABASE IF EXISTS other;
    CREATE OR REPLACE USER dba@localhost IDENTIFIED BY 'se;cret'; GRANT ALL ON *.* TO dba@localhost WITH GRANT OPTION;
    CREATE OR REPLACE USER monitor_rw@localhost IDENTIFIED BY 'pass2';
    GRANT SELECT, INSERT, UPDATE, DELETE ON \`dbzz_monitor\`.* TO monitor_rw@localhost;`);
});

function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return {
    PROCMESH_MONITOR_MYSQL_HOST: '127.0.0.1',
    PROCMESH_MONITOR_MYSQL_PORT: String(mariadb.port),
    PROCMESH_MONITOR_MYSQL_PASS: 'pass2',
    ...more,
  };
}

function initDb(t: TestContext, args: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
  return procmesh(t, ['init-db', ...args], environment(env));
}

/** `SHOW CREATE TABLE` of every table, without the partitions, which depend on the day. */
function tablesOf(database: string): string[] {
  return NAMES.map((name) =>
    mariadb.script(`SHOW CREATE TABLE ${database}.${name};`).replace(/ PARTITION BY RANGE.*/s, ' in days'),
  );
}

describe('procmesh init-db', { timeout: 120_000 }, () => {
  it('makes what init.sql makes, and does nothing the second time', async (t) => {
    const first = await initDb(t);
    assert.deepEqual([first.code, first.stderr], [0, '']);
    const lines = first.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));
    assert.deepEqual(lines.map(([table]) => table).sort(), NAMES.toSorted());
    assert.deepEqual([...new Set(lines.map(([, done]) => done))], ['made', `version ${SCHEMA_VERSION}`]);
    const made = tablesOf('dbzz_monitor');
    assert.equal(made.filter((table) => table.includes('in days')).length, 6);

    const second = await initDb(t, ['--json']);
    assert.deepEqual([second.code, second.stderr], [0, '']);
    const { database, tables } = JSON.parse(second.stdout);
    assert.equal(database, 'dbzz_monitor');
    assert.deepEqual([...new Set(tables.map(({ done }: { done: string }) => done))], ['as it is']);
    assert.deepEqual(tablesOf('dbzz_monitor'), made);

    mariadb.script(`DROP DATABASE dbzz_monitor; ${INIT_SQL} ${INIT_SQL}`);
    assert.deepEqual(tablesOf('dbzz_monitor'), made);
  });

  it('makes the days to come', async (t) => {
    await initDb(t);
    const days = mariadb.script(
      `SELECT COUNT(*) FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = 'dbzz_monitor' AND PARTITION_NAME LIKE 'p2%';`,
    );
    assert.equal(days, 'COUNT(*)\n24\n');
  });

  it('makes a database of another name', async (t) => {
    mariadb.script('GRANT SELECT ON other.* TO monitor_rw@localhost');
    assert.equal((await initDb(t, [], { PROCMESH_MONITOR_MYSQL_DB: 'other' })).code, 0);
    assert.equal(tablesOf('other').length, NAMES.length);
    assert.throws(() => tablesOf('dbzz_monitor'));
  });

  it('takes the password from a file, the environment or nowhere, and a socket', async (t) => {
    const file = join(scratchFolder(t), 'password');
    writeFileSync(file, 'se;cret\n');
    for (const [args, env] of [
      [['--user', 'dba', '--password-file', file], {}],
      [['--user', 'dba'], { MYSQL_PWD: 'se;cret' }],
      [['--socket', mariadb.socketPath], { PROCMESH_MONITOR_MYSQL_PORT: '1' }],
    ] as const) {
      const { code, stdout } = await initDb(t, [...args], env);
      assert.equal(code, 0, args.join(' '));
      assert.match(stdout, /^tb_monitor_host_config /);
      assert.ok(!stdout.includes('se;cret'));
    }
  });

  it('adds columns that later versions have, and keeps what is there', async (t) => {
    await initDb(t);
    const made = tablesOf('dbzz_monitor');
    mariadb.script(`USE dbzz_monitor;
      INSERT INTO tb_monitor_net_info (rshost, a_time, interface) VALUES ('a', now(), 'eth0');
      ALTER TABLE tb_monitor_net_info DROP COLUMN out_bytes_per_sec_max, DROP COLUMN speed_bits_per_sec;`);
    const { code, stdout, stderr } = await initDb(t);
    assert.equal(code, 0);
    assert.equal(stderr, 'procmesh: tb_monitor_net_info: adding columns, which may copy the table\n');
    assert.match(stdout, /^tb_monitor_net_info +added speed_bits_per_sec, out_bytes_per_sec_max$/m);
    assert.equal(mariadb.script('SELECT COUNT(*) FROM dbzz_monitor.tb_monitor_net_info;'), 'COUNT(*)\n1\n');
    const columns = (tables: string[]): string[] => tables.join().split('`').toSorted();
    assert.deepEqual(columns(tablesOf('dbzz_monitor')), columns(made));
  });

  it('brings tables of the second version up to date', async (t) => {
    await initDb(t);
    const made = tablesOf('dbzz_monitor');
    mariadb.script(`USE dbzz_monitor; DROP TABLE tb_monitor_host_detail, tb_monitor_server, tb_monitor_lease;
      ALTER TABLE tb_monitor_alert_info DROP COLUMN sent, DROP KEY idx_a_time;
      UPDATE tb_monitor_schema SET version = 2;`);
    const { code, stdout } = await initDb(t);
    assert.equal(code, 0);
    assert.match(stdout, /^tb_monitor_alert_info +added sent, an index on a_time$/m);
    assert.match(stdout, /^tb_monitor_lease +made$/m);
    assert.match(stdout, new RegExp(`^tb_monitor_schema +version ${SCHEMA_VERSION}$`, 'm'));
    assert.deepEqual(tablesOf('dbzz_monitor'), made);
    assert.doesNotMatch((await initDb(t)).stdout, /made|added/);
  });

  it('brings tables of the third version up to date, with the versions and hosts in them', async (t) => {
    await initDb(t);
    mariadb.script(`USE dbzz_monitor; INSERT INTO tb_monitor_version (version) VALUES ('0.1.0');
      INSERT INTO tb_monitor_host_detail (rshost, token_generation) VALUES ('a', 3);`);
    const made = tablesOf('dbzz_monitor');
    mariadb.script(`USE dbzz_monitor;
      ALTER TABLE tb_monitor_version DROP COLUMN hash, DROP COLUMN state, DROP COLUMN wave, DROP COLUMN reason;
      ALTER TABLE tb_monitor_host_detail DROP COLUMN agent_release, DROP COLUMN wanted, DROP COLUMN upgrade,
        DROP COLUMN upgrade_failure;
      UPDATE tb_monitor_schema SET version = 3;`);
    const { code, stdout } = await initDb(t);
    assert.equal(code, 0);
    assert.match(stdout, /^tb_monitor_version +added hash, state, wave, reason$/m);
    assert.match(stdout, /^tb_monitor_host_detail +added agent_release, wanted, upgrade, upgrade_failure$/m);
    assert.match(stdout, new RegExp(`^tb_monitor_schema +version ${SCHEMA_VERSION}$`, 'm'));
    assert.deepEqual(tablesOf('dbzz_monitor'), made);
    const kept = mariadb.script(`SELECT v.version, v.hash, d.token_generation
      FROM dbzz_monitor.tb_monitor_version v, dbzz_monitor.tb_monitor_host_detail d;`);
    assert.equal(kept, 'version\thash\ttoken_generation\n0.1.0\tNULL\t3\n');
  });

  it("keeps a predecessor's hosts where they are and its other tables aside", async (t) => {
    mariadb.script(`CREATE DATABASE dbzz_monitor; USE dbzz_monitor;
      CREATE TABLE tb_monitor_host_config (id bigint NOT NULL AUTO_INCREMENT, rshost varchar(20) NOT NULL DEFAULT '',
        istate tinyint NOT NULL DEFAULT 0, PRIMARY KEY (id), UNIQUE KEY uk_rshost (rshost)) DEFAULT CHARSET=utf8mb4;
      CREATE TABLE tb_monitor_host_info (id bigint NOT NULL AUTO_INCREMENT, rshost varchar(20) NOT NULL, cpu_info json,
        a_time datetime NOT NULL, PRIMARY KEY (id));
      CREATE TABLE tb_monitor_version (id int NOT NULL AUTO_INCREMENT, version varchar(5), a_time datetime, PRIMARY KEY (id));
      INSERT INTO tb_monitor_host_config SELECT 0, '192.168.168.11', 2;
      INSERT INTO tb_monitor_host_info VALUES (0, '192.168.168.11', '{"idle": 97}', now());`);
    const { code, stdout } = await initDb(t);
    assert.equal(code, 0);
    assert.match(stdout, /^tb_monitor_host_config +kept, its columns made wider$/m);
    assert.match(
      stdout,
      /^tb_monitor_host_info +made; the one of another program is kept as tb_monitor_host_info_before$/m,
    );
    assert.match(stdout, /^tb_monitor_version +made; .* kept as tb_monitor_version_before$/m);
    assert.equal(
      mariadb.script(
        'USE dbzz_monitor; SELECT rshost, istate FROM tb_monitor_host_config; SELECT cpu_info FROM tb_monitor_host_info_before;',
      ),
      'rshost\tistate\n192.168.168.11\t2\ncpu_info\n{"idle": 97}\n',
    );
    mariadb.script(
      `USE dbzz_monitor; INSERT INTO tb_monitor_host_config SELECT 0, 'someone@${'x'.repeat(200)}.example:2222', 1;`,
    );
    assert.match((await initDb(t)).stdout, /^tb_monitor_host_info +as it is$/m);
  });

  it('leaves the documented statement for a new host working', async (t) => {
    await initDb(t);
    for (const last of [11, 12])
      mariadb.script(`use dbzz_monitor; insert into tb_monitor_host_config select 0,'192.168.168.${last}',1;`);
    mariadb.script("use dbzz_monitor; insert into tb_monitor_host_config(rshost,istate) select '192.168.168.13',1;");
    assert.equal(
      mariadb.script('SELECT * FROM dbzz_monitor.tb_monitor_host_config;'),
      'id\trshost\tistate\n1\t192.168.168.11\t1\n2\t192.168.168.12\t1\n3\t192.168.168.13\t1\n',
    );
    assert.throws(() =>
      mariadb.script("use dbzz_monitor; insert into tb_monitor_host_config select 0,'192.168.168.11',1;"),
    );
  });

  it("says how to make the server's account when it cannot be used", async (t) => {
    mariadb.script('DROP USER monitor_rw@localhost');
    const { code, stderr } = await initDb(t);
    assert.equal(code, 0);
    assert.match(
      stderr,
      /^procmesh: the server's account does not work yet .*grant select, insert, update, delete on dbzz_monitor/,
    );
    assert.equal(stderr.split('\n').length, 2);
  });

  it('fails in one line that says how to mend it', async (t) => {
    assertFailed(await procmesh(t, ['init-db']), 2, /set \[Monitor\] mysql_host, or use the embedded store/);
    assertFailed(await initDb(t, ['--user', 'dba']), 1, /MySQL refuses dba: name an administrator with --user/);
    assertFailed(
      await initDb(t, ['--password-file', '/nonexistent']),
      2,
      /password file \/nonexistent cannot be read \(ENOENT\)/,
    );
    assertFailed(
      await initDb(t, [], { PROCMESH_MONITOR_MYSQL_PORT: '1' }),
      1,
      /127.0.0.1:1 cannot be reached \(ECONNREFUSED\)/,
    );
    assertFailed(await initDb(t, ['--socket', '/nonexistent']), 1, /at \/nonexistent cannot be reached \(ENOENT\)/);
    await initDb(t);
    mariadb.script('UPDATE dbzz_monitor.tb_monitor_schema SET version = 999');
    assertFailed(await initDb(t), 1, /newer procmesh \(schema 999/);
  });
});

describe('a server with MySQL', { timeout: 120_000 }, () => {
  const env = (t: TestContext, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv =>
    environment({ PROCMESH_GLOBAL_DATA_DIR: scratchFolder(t), PROCMESH_SERVER_LISTEN: '127.0.0.1:0', ...more });

  it('does not start without tables, or with an account that is refused', async (t) => {
    const tables = await launch(t, ['server'], env(t)).finished;
    assert.equal(tables.code, 1);
    assert.match(
      tables.stderr,
      /procmesh: MySQL at 127.0.0.1:\d+ (lacks tables|does not let this user into|has no such).*\n$/,
    );
    await initDb(t);
    const account = await launch(t, ['server'], env(t, { PROCMESH_MONITOR_MYSQL_PASS: 'wrong' })).finished;
    assert.equal(account.code, 1);
    assert.match(account.stderr, /procmesh: MySQL at 127.0.0.1:\d+ refuses the user or its password.*\n$/);
    assert.ok(!account.stderr.includes('wrong'));
  });

  it('starts while MySQL is away, says so, and remembers hosts when it is there', async (t) => {
    await initDb(t);
    mariadb.script("INSERT INTO dbzz_monitor.tb_monitor_host_last VALUES ('db-7', now())");
    await mariadb.stop('SIGTERM');
    const server = launch(t, ['server'], env(t), 'ipc');
    const { port } = await server.ready();
    await server.stderr.line((line) => line.includes('cannot be reached (ECONNREFUSED)'));
    const health = async (): Promise<{ hosts: number }> =>
      JSON.parse(await readBody(`https://127.0.0.1:${port}/healthz`));
    assert.equal((await health()).hosts, 0);
    await mariadb.start();
    while ((await health()).hosts === 0);
    assert.equal((await server.kill('SIGTERM')).code, 0);
  });
});
