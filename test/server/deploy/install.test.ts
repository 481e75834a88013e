import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestHost } from '../../support/test-host/test-host.ts';
import { HOST_NODE, until } from '../../support/test-host/test-host.ts';
import { FOLDER, NEVER, sharedBench, TOKEN } from './fleet-of-hosts.ts';

const THEIR_CRONTAB = 'MAILTO=""\n# theirs, \xe9 in latin1\n0 4 * * * /bin/true % input\n';

/** Launcher and agent. */
const RUNNING = [`/bin/sh ${FOLDER}/launch`, 'procmesh-agent'];

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
      await host.assertProcesses(RUNNING);
      const secret = await host.sh(
        `cd ${FOLDER}; stat -c '%a %U' etc/agent.token etc/agent.json etc data; ls -A releases runtime`,
      );
      assert.match(secret, /^600 root\n600 root\n700 root\n700 root\nreleases:\n\w{64}\n\nruntime:\n\w{64}\n$/);
      const goods = await bench().goods(process.arch, false);
      assert.deepEqual(
        await Promise.all(['json', 'sig'].map((end) => host.sh(`cat ${FOLDER}/current/manifest.${end}`))),
        [goods?.manifest.text, goods?.manifest.signature],
      );
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
    await host.assertProcesses(RUNNING);
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
    assert.equal(
      await host.sh(`ls ${FOLDER}/current/ | grep -v '^agent.*[.]mjs$'`),
      'manifest.json\nmanifest.sig\nnode\nnode-options\n',
    );
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
    await host.assertProcesses(RUNNING);
    await assert.rejects(host.sh('crontab -l'), { message: /no crontab for root/ });
    await deployer.remove(host.rshost, bench().onPhase, NEVER);
    await host.sh('rm /usr/local/bin/systemctl');
    assert.deepEqual(host.files(), before);
    await host.end();
  });

  for (const service of ['cron', 'systemd'] as const) {
    it(`gives an agent a launcher that had none, and leaves no second agent, with ${service}`, async () => {
      const host = await bench().network.host();
      if (service === 'systemd') host.fakeSystemd();
      const deployer = bench().deployer({ node: HOST_NODE });
      await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
      const first = await bench().server.connection();
      // As it was installed before there were launchers.
      const command = `${HOST_NODE} ${FOLDER}/current/agent.mjs --deployed ${FOLDER}`;
      await host.sh(`cd ${FOLDER}
        kill $(cat data/launcher.pid)
        while [ -e data/launcher.pid ]; do sleep 0.05; done
        cd current && rm node node-options manifest.json manifest.sig && cd .. && rm launch
        mv $(readlink current) releases/old && rm current && ln -s releases/old current
        sed -i 's/{/{"version":"0.9",/' etc/agent.json
        printf '#!/bin/sh\\ncd ${FOLDER}\\n: >data/agent.pid\\nexec ${command} >/dev/null 2>&1\\n' >keep-running
        if [ ${service} = systemd ]; then
          sed -i 's|^ExecStart=.*|ExecStart=${command}|' /etc/systemd/system/procmesh-agent.service
          systemctl start procmesh-agent.service
        else
          setsid ./keep-running start </dev/null >/dev/null 2>&1 &
        fi`);
      await first.closed;
      const second = await bench().server.connection();
      assert.equal((await second.next('hello')).version, '0.9');
      await host.assertProcesses(['procmesh-agent']);

      await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
      assert.equal((await second.closed).code, 1000);
      assert.equal((await (await bench().server.connection()).next('hello')).version, '1.0.0');
      await host.assertProcesses(RUNNING);
      await deployer.remove(host.rshost, bench().onPhase, NEVER);
      await host.assertProcesses([]);
      await host.end();
    });
  }

  it('keeps the release before, and forgets a trial', async () => {
    const host = await bench().network.host();
    const deployer = bench().deployer({ node: HOST_NODE });
    await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
    await bench().server.connection();
    // One is on trial now, which came after the other one, and a third one was there before.
    await host.sh(`cd ${FOLDER}/releases; mv * tried; for name in previous older; do cp -a tried $name; done; mkdir .incoming
      cd ..; rm current; ln -s releases/tried current; echo 'tried previous 60 1' >data/trial; echo x >data/failed`);
    await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
    await bench().server.connection();
    assert.match(
      await host.sh(`cd ${FOLDER}; ls -A releases; ls data | grep -x 'trial\\|failed' || :`),
      /^\w{64}\nprevious\n$/,
    );
    await deployer.remove(host.rshost, bench().onPhase, NEVER);
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
    host.fakeProgram('moody', 'if [ "$1" = --version ]; then echo v26.1.0; else echo "not this one" >&2; exit 1; fi');
    const failing = bench().deployer({ node: '/usr/local/bin/moody' });
    await assert.rejects(failing.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER), {
      code: 'ERR_DEPLOY_START',
      message: /: it ended with 1: not this one$/,
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

  it('is started again when it or its launcher has died, and not when it was told to end', async () => {
    const host = await bench().network.host();
    const deployer = bench().deployer({ node: HOST_NODE });
    await deployer.install(host.rshost, bench().provision(host.name), bench().onPhase, NEVER);
    await bench().server.connection();
    const minute = `cd /; ${FOLDER}/keep-running </dev/null >/dev/null 2>&1`;
    const launcherPid = async (): Promise<string> => (await host.sh(`cat ${FOLDER}/data/launcher.pid`)).trim();
    const [agent, launcher] = [await agentPid(host), await launcherPid()];
    await host.sh(`${minute}; ${FOLDER}/keep-running start`);
    assert.deepEqual([await agentPid(host), await launcherPid()], [agent, launcher]);

    // The launcher starts an agent by itself, and cron a launcher, which stops the agent that has none.
    await host.sh(`kill -9 ${agent}`);
    const second = await bench().server.connection();
    assert.equal(await launcherPid(), launcher);
    await host.sh(`kill -9 ${launcher}; ${minute}`);
    assert.equal((await second.closed).code, 1000);
    const third = await bench().server.connection();
    assert.notEqual(await launcherPid(), launcher);
    await host.assertProcesses(RUNNING);

    // One that dies at once each minute leaves nothing.
    await host.sh(
      `cd ${FOLDER}; kill -9 $(cat data/launcher.pid data/agent.pid); mv launch kept; for minute in 1 2 3; do ${minute}; done`,
    );
    await third.closed;
    await host.assertProcesses([]);
    await host.sh(`cd ${FOLDER}; mv kept launch; ${minute}`);
    const last = await bench().server.connection();
    await until(async () => (await agentPid(host).catch(() => '')) !== '');
    await host.sh(`kill $(cat ${FOLDER}/data/agent.pid)`);
    await last.closed;
    await host.assertProcesses([]);
    await host.sh(minute);
    await host.assertProcesses([]);
    await host.end();
  });
});
