import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestHost } from '../../support/test-host/test-host.ts';
import { HOST_NODE, until } from '../../support/test-host/test-host.ts';
import { FOLDER, NEVER, sharedBench, TOKEN } from './fleet-of-hosts.ts';

const THEIR_CRONTAB = 'MAILTO=""\n# theirs, \xe9 in latin1\n0 4 * * * /bin/true % input\n';

async function agentPid(host: TestHost): Promise<string> {
  return (await host.sh(`cat ${FOLDER}/data/agent.pid`)).trim();
}

describe('an installation', { timeout: 240_000 }, () => {
  const bench = sharedBench();

  for (const service of ['cron', 'systemd'] as const) {
    it(`brings an agent that connects, with ${service}; done again, it copies nothing; taken away, it leaves nothing`, async () => {
      const host = await bench().network.host();
      if (service === 'systemd') host.fakeSystemd();
      await host.sh(`printf '${THEIR_CRONTAB.replaceAll('%', '%%')}' | crontab -`);
      const before = host.files();
      const deployer = bench().deployer();

      await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
      const connection = await bench().server.connection();
      const hello = await connection.next('hello');
      assert.deepEqual([hello.host, hello.version, connection.token], [host.name, '1.0.0', `Bearer ${TOKEN}`]);
      connection.welcome();
      await host.assertProcesses(['procmesh-agent']);
      const secret = await host.sh(
        `cd ${FOLDER}; stat -c '%a %U' etc/agent.token etc/agent.json etc data; ls -A releases runtime`,
      );
      assert.match(secret, /^600 root\n600 root\n700 root\n700 root\nreleases:\n\w{64}\n\nruntime:\n\w{64}\n$/);
      const crontab = await host.sh('crontab -l');
      if (service === 'systemd') {
        assert.equal(
          await host.sh('readlink /etc/systemd/system/multi-user.target.wants/procmesh-agent.service'),
          '/etc/systemd/system/procmesh-agent.service\n',
        );
        assert.doesNotMatch(crontab, /procmesh/);
      } else
        assert.match(
          crontab,
          /\n\* \* \* \* \* \/opt\/procmesh\/keep-running # procmesh-agent\n@reboot \/opt\/procmesh\/keep-running start # procmesh-agent\n$/,
        );

      const installed = host.files();
      const pid = await agentPid(host);
      bench().phases.length = 0;
      await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
      assert.deepEqual(bench().phases, ['connecting']);
      assert.equal(await agentPid(host), pid);
      const changed = Object.entries(host.files()).filter(([path, content]) => installed[path] !== content);
      assert.deepEqual(
        changed.filter(([path]) => !path.startsWith(`${FOLDER}/data/`)),
        [],
      );

      await deployer.remove(host.rshost, bench().onPhase, NEVER);
      assert.deepEqual(host.files(), before);
      await host.assertProcesses([]);
      assert.equal((await connection.closed).code, 1000);
      await deployer.remove(host.rshost, bench().onPhase, NEVER);
      assert.deepEqual(host.files(), before);
      await host.end();
    });
  }

  it('works for a user who is not root, in a folder of theirs', async () => {
    const host = await bench().network.host();
    host.fakeSystemd();
    await host.addUser('alice');
    const before = host.files();
    const deployer = bench().deployer({ folder: '/home/alice/procmesh', node: HOST_NODE });
    const rshost = `alice@${host.address}`;
    await deployer.install(rshost, bench().provision(host.name), bench().onPhase, NEVER);
    const connection = await bench().server.connection();
    assert.equal((await connection.next('hello')).host, host.name);
    assert.equal(await host.sh('ps -o user= -p $(pgrep -f ^procmesh-agent)'), 'alice\n');
    assert.match(await host.sh('crontab -u alice -l'), /\/home\/alice\/procmesh\/keep-running/);
    await deployer.remove(rshost, bench().onPhase, NEVER);
    assert.deepEqual(host.files(), before);
    await host.assertProcesses([]);
    await host.end();
  });

  it('gives a running agent other settings and another token, and keeps what waits in its outbox', async () => {
    const host = await bench().network.host();
    const deployer = bench().deployer({ node: HOST_NODE });
    await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
    const first = await bench().server.connection();
    await host.sh(`echo kept > ${FOLDER}/data/agent/outbox/kept`);

    await deployer.replaceToken(host.rshost, 'the-next-token', NEVER);
    first.socket.terminate();
    const second = await bench().server.connection();
    assert.equal(second.token, 'Bearer the-next-token');
    assert.equal(await host.sh(`stat -c %a ${FOLDER}/etc/agent.token`), '600\n');

    const provision = { ...bench().provision('another name ü'), token: 'third' };
    const elsewhere = bench().deployer({ node: HOST_NODE, path: '/usr/bin:/somewhere' });
    await elsewhere.install(host.rshost, provision, bench().onPhase, NEVER);
    assert.equal((await second.closed).code, 1000);
    const third = await bench().server.connection();
    assert.deepEqual([third.token, (await third.next('hello')).host], ['Bearer third', 'another name ü']);
    await host.assertProcesses(['procmesh-agent']);
    assert.equal(await host.sh(`cat ${FOLDER}/data/agent/outbox/kept`), 'kept\n');
    await deployer.remove(host.rshost, bench().onPhase, NEVER);
    await host.end();
  });

  it('brings the runtime of another kind of machine where its packages are there', async () => {
    const host = await bench().network.host();
    // Only the name of the machine is another one, so that its runtime is this one's.
    const [machine, other] = process.arch === 'x64' ? ['aarch64', 'arm64'] : ['x86_64', 'x64'];
    host.fakeProgram('uname', `echo ${machine}`);
    const packages = join(bench().dataDir, 'packages', other, 'node_modules');
    mkdirSync(packages, { recursive: true });
    const own = dirname(createRequire(import.meta.url).resolve(`node-linux-${process.arch}/package.json`));
    symlinkSync(own, join(packages, `node-linux-${other}`));
    const deployer = bench().deployer();
    await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
    assert.equal((await (await bench().server.connection()).next('hello')).host, host.name);
    // The native part of koffi would be that machine's, and is not there.
    assert.equal(await host.sh(`ls ${FOLDER}/current/ | grep -v '^agent.*[.]mjs$'`), 'node-options\n');
    await host.end();
  });

  it('can have no token replaced where there is none', async () => {
    const host = await bench().network.host();
    const replaced = bench().deployer().replaceToken(host.rshost, 'x', NEVER);
    await assert.rejects(replaced, { code: 'ERR_DEPLOY_FAILED', message: /no agent is installed in \/opt\/procmesh/ });
    await host.end();
  });

  it('moves from cron to systemd and leaves no second agent', async () => {
    const host = await bench().network.host();
    const before = host.files();
    const deployer = bench().deployer({ node: HOST_NODE });
    await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
    await bench().server.connection();
    host.fakeSystemd();
    await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
    await bench().server.connection();
    await host.assertProcesses(['procmesh-agent']);
    await assert.rejects(host.sh('crontab -l'), { message: /no crontab for root/ });
    await deployer.remove(host.rshost, bench().onPhase, NEVER);
    await host.sh('rm /usr/local/bin/systemctl');
    assert.deepEqual(host.files(), before);
    await host.end();
  });

  it('is mended where a file is cut short or the agent is gone', async () => {
    const host = await bench().network.host();
    const deployer = bench().deployer({ node: HOST_NODE });
    await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
    await bench().server.connection();
    await host.sh(`cd ${FOLDER}; kill -9 $(cat data/agent.pid); : > current/agent.mjs`);
    await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
    assert.equal((await (await bench().server.connection()).next('hello')).host, host.name);
    await deployer.remove(host.rshost, bench().onPhase, NEVER);
    await host.end();
  });

  it('that fails to start goes back to the release before', async () => {
    const host = await bench().network.host();
    const deployer = bench().deployer({ node: HOST_NODE });
    await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
    await bench().server.connection();
    // An older release, which is what the host has had until now.
    await host.sh(`cd ${FOLDER}; mv releases/* releases/old; rm current; ln -s releases/old current`);
    host.fakeProgram(
      'moody',
      `case "$*" in --version) echo v26.1.0 ;; *) [ "$(readlink ${FOLDER}/current)" = releases/old ] || { echo "not this one" >&2; exit 1; }; exec ${HOST_NODE} "$@" ;; esac`,
    );
    const failing = bench().deployer({ node: '/usr/local/bin/moody' });
    await assert.rejects(failing.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER), {
      code: 'ERR_DEPLOY_START',
      message: /: not this one$/,
    });
    assert.equal((await (await bench().server.connection()).next('hello')).host, host.name);
    assert.equal(await host.sh(`readlink ${FOLDER}/current`), 'releases/old\n');
    await deployer.remove(host.rshost, bench().onPhase, NEVER);
    await host.assertProcesses([]);
    await host.end();
  });

  it('takes away no folder that it found, and only what it put there', async () => {
    const host = await bench().network.host();
    await host.limitDisk(FOLDER, 100);
    await host.sh(`mkdir ${FOLDER}/lost+found`);
    const deployer = bench().deployer({ node: HOST_NODE });
    await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
    await bench().server.connection();
    await deployer.remove(host.rshost, bench().onPhase, NEVER);
    assert.equal(await host.sh(`ls -A ${FOLDER}`), 'lost+found\n');
    await host.end();
  });
});

describe('an agent that cron keeps', { timeout: 120_000 }, () => {
  const bench = sharedBench();

  it('is started again when it has died, ever more rarely when it does so again, and not when it was told to end', async () => {
    const host = await bench().network.host();
    const deployer = bench().deployer({ node: HOST_NODE });
    await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
    await bench().server.connection();
    const minute = `cd /; setsid ${FOLDER}/keep-running </dev/null >/dev/null 2>&1 &`;
    const first = await agentPid(host);
    await host.sh(`${FOLDER}/keep-running; ${FOLDER}/keep-running start`);
    assert.equal(await agentPid(host), first);

    await host.sh(`kill -9 ${first}`);
    await host.sh(minute);
    await bench().server.connection();
    await until(async () => (await agentPid(host)) !== '');
    assert.notEqual(await agentPid(host), first);

    // From now on it fails at once: of 70 minutes it is tried in those that are powers of two, and every 32nd.
    await host.sh(`cd ${FOLDER}; ${FOLDER}/keep-running; kill -9 $(cat data/agent.pid); mv current/agent.mjs current/kept
      echo 'require("node:fs").appendFileSync("data/tries", ".")' > current/agent.mjs; sed -i 's/agent.mjs/agent.cjs/' keep-running; mv current/agent.mjs current/agent.cjs
      for minute in $(seq 70); do ./keep-running; done`);
    assert.equal(await host.sh(`cat ${FOLDER}/data/tries`), '.'.repeat(7));

    await host.sh(
      `cd ${FOLDER}; sed -i 's/agent.cjs/agent.mjs/' keep-running; mv current/kept current/agent.mjs; setsid ./keep-running start </dev/null >/dev/null 2>&1 &`,
    );
    const connection = await bench().server.connection();
    await until(async () => (await agentPid(host).catch(() => '')) !== '');
    await host.sh(`kill $(cat ${FOLDER}/data/agent.pid)`);
    await connection.closed;
    await until(async () => (await host.processes()).length === 0);
    await host.sh(`${FOLDER}/keep-running`);
    await host.assertProcesses([]);
    await host.end();
  });
});
