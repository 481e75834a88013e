import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'ini';
import { type Config, defaultDataDir, type LoadedConfig, loadConfig } from '../src/config.ts';
import { KEYS } from '../src/config-keys.ts';
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
  scriptDir: '/opt/procmesh',
  listen: { host: '', port: 9300 },
  servers: [],
  tls: 'auto',
  deploy: { user: '', port: '', keyFile: '', password: '', path: '', node: '', parallel: 20 },
  alerts: {
    wecomUrl: '',
    webhookUrl: '',
    saturation: { cpuPercent: 95, memPercent: 95, diskUtilPercent: 95, netPercent: 95, forMs: 300_000 },
  },
  release: {
    waves: [
      { label: '1', hosts: 1 },
      { label: '10 %', share: 0.1 },
      { label: 'all', share: 1 },
    ],
    healthMs: 7_000,
    trialMs: 60_000,
    maxCpuPercent: 25,
    maxRssBytes: 300 * 1024 ** 2,
  },
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
  ['CLIENT', 'parallel', 1, 1_000, 'whole'],
  ['ALERT', 'cpu', 0, 100],
  ['ALERT', 'mem', 0, 100],
  ['ALERT', 'util', 0, 100],
  ['ALERT', 'net', 0, 100],
  ['ALERT', 'minutes', 0.05, 1_440],
  ['CLIENT', 'cpu_budget', 0.01, 1e6],
  ['RELEASE', 'health_time', 1, 3_600],
  ['RELEASE', 'trial_time', 5, 3_600],
  ['RELEASE', 'cpu', 1, 1e6],
  ['RELEASE', 'mem', 1, 1e6],
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
    const sections = parse(readFileSync(SHIPPED, 'utf8')) as Record<string, Record<string, unknown>>;
    assert.deepEqual(
      Object.entries(sections).map(([section, keys]) => [section, Object.keys(keys).toSorted()]),
      Object.entries(KEYS).map(([section, keys]) => [section, Object.keys(keys).toSorted()]),
    );
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
script_dir = /srv/agents
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
servers = wss://a:1, wss://b:2
tls = off
[ALERT]
cpu = 80
mem = 0
util = 70
net = 60
minutes = 0.5
[MSM]
wx_url = https://wx.example/send?key=k
webhook_url = http://hook.example/
[CLIENT]
path = /usr/local/bin
node = /usr/bin/node
ssh_user = dba
ssh_port = 2222
ssh_key = /k
ssh_pass = p
parallel = 3
cpu_budget = 0.5
[RELEASE]
waves = 2,25%, 50 % ,all
health_time = 1.5
trial_time = 10
cpu = 50
mem = 100
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
        scriptDir: '/srv/agents',
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
        listen: { host: '', port: 9301 },
        servers: ['wss://a:1', 'wss://b:2'],
        tls: 'off',
        deploy: {
          ...{ user: 'dba', port: '2222', keyFile: '/k', password: 'p' },
          ...{ path: '/usr/local/bin', node: '/usr/bin/node', parallel: 3 },
        },
        alerts: {
          wecomUrl: 'https://wx.example/send?key=k',
          webhookUrl: 'http://hook.example/',
          saturation: { cpuPercent: 80, memPercent: 0, diskUtilPercent: 70, netPercent: 60, forMs: 30_000 },
        },
        release: {
          waves: [
            { label: '2', hosts: 2 },
            { label: '25 %', share: 0.25 },
            { label: '50 %', share: 0.5 },
            { label: 'all', share: 1 },
          ],
          ...{ healthMs: 1_500, trialMs: 10_000, maxCpuPercent: 50, maxRssBytes: 100 * 1024 ** 2 },
        },
        mysql: { host: 'db-1', port: 3307, user: 'me', password: 'pa=ss', database: 'my-db', alertAccount: undefined },
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

  it('listens on an address, on all by port alone, or leaves the choice to who reads it', (t) => {
    const listens: [string, Config['listen']][] = [
      ['127.0.0.1:9300', { host: '127.0.0.1', port: 9300 }],
      ['0.0.0.0:1', { host: '0.0.0.0', port: 1 }],
      ['db-1.example.org:65535', { host: 'db-1.example.org', port: 65_535 }],
      ['[::1]:9300', { host: '::1', port: 9300 }],
      ['[::]:9300', { host: '::', port: 9300 }],
      ['9301', { host: '', port: 9301 }],
      [':9301', { host: '', port: 9301 }],
      ['0', { host: '', port: 0 }],
      ['', { host: '', port: 9300 }],
    ];
    for (const [listen, expected] of listens)
      assert.deepEqual(load(t, '', { PROCMESH_SERVER_LISTEN: listen }).config.listen, expected, listen);
  });

  it('takes no other forms than these', (t) => {
    const file = written(t, '');
    const wrong: [variable: string, setting: string, allowed: string, values: string[]][] = [
      [
        'PROCMESH_SERVER_LISTEN',
        '[SERVER] listen',
        'HOST:PORT, such as 0.0.0.0:9300',
        ['127.0.0.1', '127.0.0.1:', '127.0.0.1:65536', '-1', '9300x', 'localhost', '[::1]'],
      ],
      ['PROCMESH_SERVER_TLS', '[SERVER] tls', 'auto, off, or CERT,KEY', ['', 'on', 'a.pem', 'a,b,c', ',b', 'a,']],
      ['PROCMESH_CLIENT_SSH_PORT', '[CLIENT] ssh_port', 'a port from 1 to 65535, or nothing', ['0', '65536', 'ssh']],
      [
        'PROCMESH_MSM_WX_URL',
        '[MSM] wx_url',
        'an http:// or https:// URL, or nothing',
        ['key', 'ftp://x', 'file:///etc/passwd'],
      ],
      [
        'PROCMESH_RELEASE_WAVES',
        '[RELEASE] waves',
        'numbers of hosts and shares, the last one all, such as 1, 10 %, all',
        ['', '1', '1, 10', 'all, 1', '0, all', '0 %, all', '100 %, all', '-1, all', '1,,all', '1.5 %, all', 'ALL'],
      ],
      ['PROCMESH_GLOBAL_SCRIPT_DIR', '[global] script_dir', 'an absolute path', ['', 'opt/x', '/', '/a\nb']],
    ];
    for (const [variable, setting, allowed, values] of wrong)
      for (const value of values)
        assertRefused(
          file,
          { [variable]: value },
          `${setting} = ${JSON.stringify(value)} in the environment (${variable}) is not allowed: it takes ${allowed}`,
        );
  });

  it('takes a certificate and key of one’s own, and an account for alerts', (t) => {
    const { config } = load(
      t,
      '[SERVER]\ntls = /a.pem , /b.pem\n[Monitor]\nmysql_host = db\nalert_user = a\nalert_pass = b',
    );
    assert.deepEqual(config.tls, { cert: '/a.pem', key: '/b.pem' });
    assert.deepEqual(config.mysql?.alertAccount, { user: 'a', password: 'b' });
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
