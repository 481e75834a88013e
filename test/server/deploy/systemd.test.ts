import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { TestHost } from '../../support/test-host/test-host.ts';
import { HOST_NODE, until } from '../../support/test-host/test-host.ts';
import { FOLDER, NEVER, sharedBench } from './fleet-of-hosts.ts';

const UNIT = 'procmesh-agent.service';

/** Launcher and agent. */
const RUNNING = [`/bin/sh ${FOLDER}/launch`, 'procmesh-agent'];

/** What systemd says of the agent's unit. */
async function show(host: TestHost, ...properties: string[]): Promise<Record<string, string>> {
  const said = await host.sh(`systemctl show ${UNIT} --property=${properties.join(',')}`);
  return Object.fromEntries(
    said
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/s).slice(0, 2)),
  );
}

async function assertShown(host: TestHost, expected: Record<string, string>): Promise<void> {
  assert.deepEqual(await show(host, ...Object.keys(expected)), expected);
}

/** Sees that systemd has nothing of ours, not even something that failed. */
async function assertUnknown(host: TestHost): Promise<void> {
  const listed = await host.sh(`systemctl list-units --all --no-legend 'procmesh*'
    systemctl list-unit-files --no-legend 'procmesh*'
    find /etc/systemd /run /sys/fs/cgroup -name 'procmesh*'`);
  assert.equal(listed, '');
  assert.equal(await host.sh('systemctl is-system-running'), 'running\n');
}

/** Has the launcher started again soon after it has died, and killed soon when it does not end. */
async function hasten(host: TestHost): Promise<void> {
  await host.sh(`mkdir -p /run/systemd/system/${UNIT}.d
    printf '[Service]\\nRestartSec=100ms\\nTimeoutStopSec=1\\n' >/run/systemd/system/${UNIT}.d/soon.conf
    systemctl daemon-reload`);
}

/** @returns a Node.js of the host that does something when it is sent SIGUSR2. */
function nodeThatOnSignal(host: TestHost, script: string): string {
  writeFileSync(host.path('/usr/local/lib/on-signal.cjs'), `process.on('SIGUSR2', () => ${script});`);
  host.fakeProgram('node-on-signal', `exec ${HOST_NODE} --require /usr/local/lib/on-signal.cjs "$@"`);
  return '/usr/local/bin/node-on-signal';
}

describe('an agent that systemd keeps', { timeout: 120_000 }, () => {
  const bench = sharedBench();
  const install = async (host: TestHost, node = HOST_NODE): Promise<void> =>
    bench().deployer({ node }).install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
  const remove = (host: TestHost): Promise<void> => bench().deployer().remove(host.rshost, bench().onPhase, NEVER);

  it('runs within its limits, and nothing of it is left when it is taken away', async () => {
    const host = await bench().network.host({ init: 'systemd' });
    const before = host.files();
    await install(host);
    const connection = await bench().server.connection();
    await assertShown(host, {
      ActiveState: 'active',
      UnitFileState: 'enabled',
      StartLimitIntervalUSec: '0',
      RestartUSec: '1s',
      LimitNOFILE: '65536',
      CPUWeight: '20',
      IOWeight: '20',
      MemoryMax: String(512 << 20),
      OOMScoreAdjust: '-500',
    });
    const { MainPID: pid } = await show(host, 'MainPID');
    assert.equal(await host.sh(`cat ${FOLDER}/data/launcher.pid`), `${pid}\n`);
    assert.equal(await host.sh(`ps -o ppid= -p $(cat ${FOLDER}/data/agent.pid) | tr -d ' '`), `${pid}\n`);
    await remove(host);
    await connection.closed;
    await host.assertProcesses([]);
    await assertUnknown(host);
    assert.deepEqual(host.files(), before);
    await host.end();
  });

  it('is started again when it has died, and stays ended when its server says so', async () => {
    const host = await bench().network.host({ init: 'systemd' });
    await install(host);
    await bench().server.connection();
    await hasten(host);
    const { MainPID: first } = await show(host, 'MainPID');
    await host.sh(`echo 'said before it died' >${FOLDER}/data/stderr.log; kill -9 $(cat ${FOLDER}/data/agent.pid)`);
    await bench().server.connection();
    await assertShown(host, { MainPID: first ?? '', NRestarts: '0' });
    assert.equal(await host.sh(`cat ${FOLDER}/data/ended`), 'it was ended by SIGKILL: said before it died\n');
    assert.equal(await host.sh(`cat ${FOLDER}/data/stderr.log`), '');
    await host.sh(`kill -9 ${first}`);
    const connection = await bench().server.connection();
    await assertShown(host, { ActiveState: 'active', NRestarts: '1' });
    assert.notEqual((await show(host, 'MainPID')).MainPID, first);
    await host.assertProcesses(RUNNING);

    connection.send({ type: 'retire', reason: 'a test' });
    await connection.closed;
    await until(async () => (await show(host, 'ActiveState')).ActiveState !== 'active');
    await assertShown(host, { ActiveState: 'inactive', Result: 'success', NRestarts: '1' });
    await host.assertProcesses([]);
    await host.end();
  });

  it('goes back to the release before when its launcher is killed in a trial', async () => {
    const host = await bench().network.host({ init: 'systemd' });
    await install(host);
    await bench().server.connection();
    await host.sh(`cd ${FOLDER}; tried=$(basename $(readlink current)); cp -a releases/$tried releases/before
      echo "$tried before 60 3" >data/trial; kill -9 $(cat data/launcher.pid)`);
    await bench().server.connection();
    await host.assertProcesses(RUNNING);
    assert.equal(await host.sh(`readlink ${FOLDER}/current`), 'releases/before\n');
    const failed = /^\w{64} before 60 3\nits trial was cut short, as launcher or machine stopped\n$/;
    assert.match(await host.sh(`cat ${FOLDER}/data/failed`), failed);
    await host.end();
  });

  it('is started with the machine', async () => {
    const host = await bench().network.host({ init: 'systemd' });
    await install(host);
    const before = await bench().server.connection();
    await host.sh(`systemctl stop ${UNIT} multi-user.target`);
    assert.equal((await before.closed).code, 1000);
    await host.sh('systemctl default');
    await bench().server.connection();
    await host.assertProcesses(RUNNING);
    await host.end();
  });

  it('stays the same process for systemd when it replaces itself by another program', async () => {
    const host = await bench().network.host({ init: 'systemd' });
    await install(host, nodeThatOnSignal(host, REPLACE_ITSELF));
    const before = await bench().server.connection();
    const state = await show(host, 'MainPID', 'NRestarts', 'ActiveState');
    await host.sh(`kill -USR2 $(cat ${FOLDER}/data/agent.pid)`);
    await before.closed;
    await (await bench().server.connection()).next('hello');
    await assertShown(host, state);
    await host.sh(`systemctl restart ${UNIT}`);
    await bench().server.connection();
    await host.assertProcesses(RUNNING);
    await host.end();
  });

  it('is taken away while its launcher dies again and again', async () => {
    const host = await bench().network.host({ init: 'systemd' });
    const before = host.files();
    await install(host);
    await bench().server.connection();
    await hasten(host);
    await host.sh(`rm ${FOLDER}/launch; systemctl kill --signal=KILL ${UNIT}`);
    await until(async () => Number((await show(host, 'NRestarts')).NRestarts) >= 3);
    await host.sh(`rm -r /run/systemd/system/${UNIT}.d`);
    await remove(host);
    await host.assertProcesses([]);
    await assertUnknown(host);
    assert.deepEqual(host.files(), before);
    await host.end();
  });

  it('is taken away when it hangs', async () => {
    const host = await bench().network.host({ init: 'systemd' });
    const node = nodeThatOnSignal(host, HANG);
    const before = host.files();
    await install(host, node);
    await bench().server.connection();
    await hasten(host);
    await host.sh(`kill -USR2 $(cat ${FOLDER}/data/agent.pid)`);
    await remove(host);
    await host.sh(`rm -r /run/systemd/system/${UNIT}.d`);
    await host.assertProcesses([]);
    await assertUnknown(host);
    assert.deepEqual(host.files(), before);
    await host.end();
  });

  it('that does not start leaves nothing behind', async () => {
    const host = await bench().network.host({ init: 'systemd' });
    const before = host.files();
    host.fakeProgram('broken', 'if [ "$1" = --version ]; then echo v26.1.0; else echo "it broke" >&2; exit 1; fi');
    await assert.rejects(install(host, '/usr/local/bin/broken'), {
      code: 'ERR_DEPLOY_START',
      message: /: it ended with 1: it broke$/,
    });
    await host.sh('rm /usr/local/bin/broken');
    await assertUnknown(host);
    assert.deepEqual(host.files(), before);
    await host.end();
  });

  it('has a unit, as the server has, that systemd understands', async () => {
    const host = await bench().network.host({ init: 'systemd' });
    await host.sh('ln -s /bin/true /usr/local/bin/procmesh');
    for (const name of [UNIT, 'procmesh-server.service']) {
      copyFileSync(new URL(`../../../init/${name}`, import.meta.url), host.path(`/etc/systemd/system/${name}`));
      const said = await host.sh(`systemd-analyze verify /etc/systemd/system/${name} 2>&1`);
      assert.equal(said.replace(SINCE_254, ''), '');
    }
    await host.end();
  });

  it('does not wait for a network that is never complete', async () => {
    const host = await bench().network.host({ init: 'systemd' });
    await host.sh(`mkdir -p /etc/systemd/system/network-online.target.wants
      printf '[Unit]\\nBefore=network-online.target\\n[Service]\\nType=oneshot\\nExecStart=/bin/sleep infinity\\n' \
        >/etc/systemd/system/wait-online.service
      ln -s ../wait-online.service /etc/systemd/system/network-online.target.wants
      systemctl daemon-reload`);
    await install(host);
    await bench().server.connection();
    await host.assertProcesses(RUNNING);
    await host.end();
  });
});

/** What older ones say of restarts that come ever more slowly. */
const SINCE_254 = /^.*Unknown key '(RestartSteps|RestartMaxDelaySec)'.*\n/gm;

const REPLACE_ITSELF =
  'process.execve(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], process.env)';
const HANG = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)';
