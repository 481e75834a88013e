import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'ini';
import { type Config, defaultDataDir, type LoadedConfig, loadConfig } from '../src/config.ts';
import { Problem } from '../src/problem.ts';
import { asNobody } from './support/nobody.ts';
import { scratchFolder } from './support/scratch.ts';

const SHIPPED = fileURLToPath(new URL('../conf/config.ini', import.meta.url));

/** What applies when nothing is said. */
const DEFAULTS: Omit<Config, 'dataDir'> = {
  version: '',
  intervalMs: 30_000,
  sampleMs: 2_000,
  heartbeatMs: 3_000,
  retentionMs: 30 * 86_400_000,
  logFile: '',
  logBytes: 20 * 1024 ** 2,
  mounts: [],
  rules: {
    cpuPercent: 200,
    memBytes: 10 * 1024 ** 3,
    ioBytesPerSec: 10 * 1024 ** 2,
    netBytesPerSec: 10 * 1024 ** 2,
    queue: 5,
    utilPercent: 50,
    top: 5,
  },
  cpuBudgetPercent: 1,
  listen: { host: '127.0.0.1', port: 9300 },
  mysql: undefined,
};

/** Every key and its number of lowest and highest value, whole numbers marked; the others take texts. */
const NUMBERS: [section: string, key: string, min: number, max: number, whole?: 'whole'][] = [
  ['global', 'interval_time', 1, 3_600, 'whole'],
  ['global', 'sample_time', 0.2, 60],
  ['global', 'heartbeat_time', 0.2, 60],
  ['global', 'retention_day', 1, 3_650],
  ['global', 'log_size', 1, 10_240],
  ['RULE', 'cpu', 0, 1e6],
  ['RULE', 'mem', 0, 1e6],
  ['RULE', 'io', 0, 1e12],
  ['RULE', 'net', 0, 1e12],
  ['RULE', 'avgqu', 0, 1e6],
  ['RULE', 'util', 0, 100],
  ['RULE', 'top', 0, 1_000],
  ['CLIENT', 'cpu_budget', 0.01, 1e6],
  ['Monitor', 'mysql_port', 1, 65_535, 'whole'],
];

function written(t: TestContext, text: string): string {
  const file = join(scratchFolder(t), 'config.ini');
  writeFileSync(file, text);
  return file;
}

function load(t: TestContext, text: string, env: NodeJS.ProcessEnv = {}): LoadedConfig {
  return loadConfig(written(t, text), env);
}

function assertRefused(file: string, env: NodeJS.ProcessEnv, message: string | RegExp): void {
  assert.throws(
    () => loadConfig(file, env),
    (error: Problem) => {
      assert.ok(error instanceof Problem);
      assert.deepEqual([error.code, error.exitCode], ['ERR_CONFIG', 2]);
      if (typeof message === 'string') assert.equal(error.message, message);
      else assert.match(error.message, message);
      assert.ok(!error.message.includes('\n'));
      return true;
    },
  );
}

describe('conf/config.ini', () => {
  it('says what applies anyway, and nothing that is not known', (t) => {
    const shipped = loadConfig(SHIPPED, {});
    assert.deepEqual(shipped, load(t, ''));
    const { dataDir, ...config } = shipped.config;
    assert.deepEqual(config, DEFAULTS);
    assert.equal(dataDir, defaultDataDir());
    assert.deepEqual(shipped.warnings, []);
  });

  it('has every setting there is', () => {
    const { global, RULE, SERVER, CLIENT, Monitor, ...more } = parse(readFileSync(SHIPPED, 'utf8'));
    const texts = ['global.version', 'global.log_file', 'global.mount_part', 'global.data_dir', 'SERVER.listen'];
    for (const key of ['mysql_host', 'mysql_user', 'mysql_pass', 'mysql_db']) texts.push(`Monitor.${key}`);
    assert.deepEqual(
      Object.entries({ global, RULE, SERVER, CLIENT, Monitor })
        .flatMap(([section, keys]) => Object.keys(keys).map((key) => `${section}.${key}`))
        .toSorted(),
      [...NUMBERS.map(([section, key]) => `${section}.${key}`), ...texts].toSorted(),
    );
    assert.deepEqual(more, {});
  });
});

describe('loadConfig', () => {
  it('reads each setting in its unit', (t) => {
    const text = `
[global]
version = 1.2.3
interval_time = 60
sample_time = 0.5
heartbeat_time = 1.5
retention_day = 7
log_file = /var/log/procmesh.log
log_size = 1
mount_part = /, /var ,,/srv/data
data_dir = /srv/procmesh
[RULE]
cpu = 50
mem = 0.5
io = 1
net = 2
avgqu = 0.5
util = 90
top = 0
[SERVER]
listen = 9301
[CLIENT]
cpu_budget = 0.5
[Monitor]
mysql_host = db-1
mysql_port = 3307
mysql_user = me
mysql_pass = pa=ss;word
mysql_db = my-db`;
    assert.deepEqual(load(t, text), {
      config: {
        version: '1.2.3',
        intervalMs: 60_000,
        sampleMs: 500,
        heartbeatMs: 1_500,
        retentionMs: 7 * 86_400_000,
        logFile: '/var/log/procmesh.log',
        logBytes: 1024 ** 2,
        mounts: ['/', '/var', '/srv/data'],
        dataDir: '/srv/procmesh',
        rules: {
          cpuPercent: 50,
          memBytes: 1024 ** 3 / 2,
          ioBytesPerSec: 1024,
          netBytesPerSec: 2048,
          queue: 0.5,
          utilPercent: 90,
          top: 0,
        },
        cpuBudgetPercent: 0.5,
        listen: { host: '127.0.0.1', port: 9301 },
        mysql: { host: 'db-1', port: 3307, user: 'me', password: 'pa=ss', database: 'my-db' },
      },
      warnings: [],
    });
  });

  it('makes whole milliseconds of fractions of a second', (t) => {
    const { config } = load(t, '[global]\nsample_time = 2.0004\nheartbeat_time = 1.1006');
    assert.deepEqual([config.sampleMs, config.heartbeatMs], [2_000, 1_101]);
  });

  it('takes each number from its lowest to its highest and none beside', (t) => {
    for (const [section, key, min, max, whole] of NUMBERS) {
      const wanted = whole === undefined ? 'a number' : 'a whole number';
      for (const value of [min, max]) load(t, `[${section}]\n${key} = ${value}`);
      for (const value of [min - 0.01, max + 0.01, 'many', '', 'NaN', 'Infinity', '1,5', '5s', true, 'null x']) {
        const file = written(t, `[${section}]\n${key} = ${value}`);
        assertRefused(
          file,
          {},
          `[${section}] ${key} = ${JSON.stringify(String(value))} in ${file} is not allowed: it takes ${wanted} from ${min} to ${max}`,
        );
      }
    }
  });

  it('takes no fraction where seconds must be whole, and no name of a database that could be more than a name', (t) => {
    assertRefused(written(t, '[global]\ninterval_time = 1.5'), {}, /takes a whole number from 1 to 3600/);
    assertRefused(written(t, ''), { PROCMESH_MONITOR_MYSQL_DB: 'a`; drop' }, /it takes letters, digits, _ and -$/);
  });

  it('listens on loopback, by name, number or port alone', (t) => {
    const listens: [string, Config['listen']][] = [
      ['127.0.0.1:9300', { host: '127.0.0.1', port: 9300 }],
      ['127.1.2.3:1', { host: '127.1.2.3', port: 1 }],
      ['localhost:65535', { host: 'localhost', port: 65_535 }],
      ['[::1]:9300', { host: '::1', port: 9300 }],
      ['9300', { host: '127.0.0.1', port: 9300 }],
      [':9300', { host: '127.0.0.1', port: 9300 }],
      ['0', { host: '127.0.0.1', port: 0 }],
    ];
    for (const [listen, expected] of listens)
      assert.deepEqual(load(t, '', { PROCMESH_SERVER_LISTEN: listen }).config.listen, expected, listen);
  });

  it('does not listen elsewhere, nor on what is no port', (t) => {
    const file = written(t, '');
    const wrong = [
      ...['0.0.0.0:9300', '[::]:9300', '10.0.0.1:9300', 'db-1:9300', '127.0.0.1.example.org:9300', '1127.0.0.1:9300'],
      ...['', '127.0.0.1', '127.0.0.1:', '127.0.0.1:65536', '-1', '9300 ', '9300x', 'localhost', '[::1]'],
    ];
    for (const listen of wrong)
      assertRefused(
        file,
        { PROCMESH_SERVER_LISTEN: listen },
        `[SERVER] listen = ${JSON.stringify(listen)} in the environment (PROCMESH_SERVER_LISTEN) is not allowed: it takes HOST:PORT on the loopback interface, as the connection is not encrypted yet`,
      );
  });

  it('is overridden by the environment, whatever the file says', (t) => {
    const env = { PROCMESH_RULE_CPU: '75', PROCMESH_GLOBAL_MOUNT_PART: '/a,/b', PROCMESH_GLOBAL_VERSION: '' };
    const { config, warnings } = load(t, '[RULE]\ncpu = wrong\nmem = 3\n[global]\nversion = 9\nmount_part = /c', env);
    assert.deepEqual([config.rules.cpuPercent, config.rules.memBytes], [75, 3 * 1024 ** 3]);
    assert.deepEqual([config.mounts, config.version, warnings], [['/a', '/b'], '', []]);
    assertRefused(written(t, '[RULE]\ncpu = 5'), { PROCMESH_RULE_CPU: 'all' }, /\(PROCMESH_RULE_CPU\) is not allowed/);
  });

  it('warns of sections, settings and variables that it does not know', (t) => {
    const file = written(t, 'cpu = 5\n[RULE]\ncpus = 5\ntoString = 5\n[rule]\ncpu = 5\n[constructor]\nname = x');
    const { config, warnings } = loadConfig(file, {
      PROCMESH_RULE_CPUS: '5',
      PROCMESH_: '',
      HOME: '/x',
      MY_PROCMESH_X: '',
    });
    assert.equal(config.rules.cpuPercent, 200);
    assert.deepEqual(warnings.toSorted(), [
      'PROCMESH_ in the environment is not a known setting and is ignored',
      'PROCMESH_RULE_CPUS in the environment is not a known setting and is ignored',
      `[RULE] cpus in ${file} is not a known setting and is ignored`,
      `[RULE] toString in ${file} is not a known setting and is ignored`,
      `[constructor] in ${file} is not a known section and is ignored`,
      `[cpu] in ${file} is not a known section and is ignored`,
      `[rule] in ${file} is not a known section and is ignored`,
    ]);
  });

  it('takes what stands where a section should be for one that is empty', (t) => {
    for (const text of ['RULE = 5', 'RULE', 'RULE = null']) {
      const { config, warnings } = load(t, text);
      assert.equal(config.rules.cpuPercent, 200, text);
      assert.match(warnings.join('\n'), /^\[RULE\] in .* is not a known section and is ignored$/, text);
    }
  });

  it('says how to mend a file that is not there or cannot be read', (t) => {
    const folder = scratchFolder(t);
    const mend = 'name another with --config FILE';
    const missing = join(folder, 'missing.ini');
    assertRefused(missing, {}, `the configuration ${missing} cannot be read (ENOENT): ${mend}`);
    mkdirSync(join(folder, 'folder.ini'));
    assertRefused(join(folder, 'folder.ini'), {}, /folder\.ini cannot be read \(EISDIR\): name another/);
    const secret = written(t, '');
    chmodSync(dirname(secret), 0o755);
    chmodSync(secret, 0);
    asNobody(() => assertRefused(secret, {}, `the configuration ${secret} cannot be read (EACCES): ${mend}`));
  });

  it('cannot be changed afterwards', (t) => {
    const { config } = load(t, '');
    for (const part of [config, config.rules, config.listen, config.mounts]) assert.ok(Object.isFrozen(part));
  });
});

describe('data_dir', () => {
  it('is where the conventions put it when it is empty', (t) => {
    const { XDG_DATA_HOME = '' } = process.env;
    t.after(() => {
      process.env.XDG_DATA_HOME = XDG_DATA_HOME;
    });
    const getuid = t.mock.property(process, 'getuid', () => 0);
    assert.equal(load(t, '').config.dataDir, '/var/lib/procmesh');
    getuid.mock.mockImplementation(() => 1000);
    process.env.XDG_DATA_HOME = '/data';
    assert.equal(load(t, '').config.dataDir, '/data/procmesh');
    process.env.XDG_DATA_HOME = '';
    assert.equal(load(t, '[global]\ndata_dir =').config.dataDir, join(homedir(), '.local/share/procmesh'));
    delete process.env.XDG_DATA_HOME;
    assert.equal(load(t, '[global]\ndata_dir =').config.dataDir, join(homedir(), '.local/share/procmesh'));
  });

  it('is found from the working directory when it is relative', (t) => {
    assert.equal(load(t, '[global]\ndata_dir = state').config.dataDir, resolve('state'));
  });
});
