import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { FOLDER, sharedBench } from '../server/deploy/fleet-of-hosts.ts';
import { assertFailed, procmesh } from '../support/command.ts';
import { scratchFolder } from '../support/scratch.ts';
import type { TestHost } from '../support/test-host/test-host.ts';
import { examined } from './examined.ts';

describe('procmesh doctor, of deployments', { timeout: 240_000 }, () => {
  const bench = sharedBench();

  /** What a doctor finds of a host, which is as it was before. */
  async function examinedHost(t: TestContext, host: TestHost, env: NodeJS.ProcessEnv = {}, rshost = host.rshost) {
    const files = host.files();
    const processes = await host.processes();
    const dataDir = scratchFolder(t);
    const { code, found, stderr } = await examined(
      t,
      {
        ...{ PROCMESH_GLOBAL_DATA_DIR: dataDir, PROCMESH_SERVER_LISTEN: '0.0.0.0:1' },
        ...{ PROCMESH_CLIENT_SSH_KEY: bench().network.keyFile, ...env },
      },
      ...['--host', rshost],
    );
    assert.deepEqual(host.files(), files);
    await host.assertProcesses(processes);
    assert.equal(existsSync(join(dataDir, 'known_hosts')), false);
    return { code, found: found.get(`host ${rshost}`) ?? '', stderr };
  }

  it('names what hosts are given, and what is missing of it', async (t) => {
    const kind = `for hosts of kind ${process.arch}`;
    const { found } = await examined(t, {});
    assert.match(
      found.get('deployment') ?? '',
      new RegExp(`^ok, Node\\.js ${process.version} and the agent \\(\\d+M and \\d\\.\\dM\\) ${kind}$`),
    );
    const { found: ofOwn } = await examined(t, { PROCMESH_CLIENT_NODE: '/usr/bin/node' });
    assert.match(
      ofOwn.get('deployment') ?? '',
      /^ok, the agent \(\d\.\dM\), which hosts run on their \/usr\/bin\/node$/,
    );
    const { code, found: ofNone } = await examined(t, { PROCMESH_GLOBAL_SCRIPT_DIR: '/opt/a b' });
    assert.equal(code, 1);
    assert.match(ofNone.get('deployment') ?? '', /^failed, \[global\] script_dir = "\/opt\/a b" is not allowed: /);
  });

  it('finds a host well, with the key that it shows, and changes nothing there or here', async (t) => {
    const host = await bench().network.host();
    const { code, found } = await examinedHost(t, host);
    assert.equal(code, 0);
    const fingerprint = (await host.sh('ssh-keygen -lf /etc/ssh/test_key')).split(' ')[1];
    const words = found.replace(/\d+(\.\d)?[GMT] free/, 'N free').replace(/glibc 2\.\d+/, 'glibc N');
    assert.equal(
      words,
      `ok, root is let in; ${process.arch === 'x64' ? 'x86_64' : 'aarch64'}, glibc N, cron; ${FOLDER} can be made, N free; its agent is to connect to wss://${bench().network.address}:1; the key of ${host.rshost} is not known yet: ${fingerprint}`,
    );
  });

  it('finds an agent that is installed there, by a key that is known', async (t) => {
    const host = await bench().network.host();
    await host.sh(`mkdir -p ${FOLDER} && touch ${FOLDER}/.procmesh`);
    const HOME = scratchFolder(t);
    const { found } = await examinedHost(t, host, { HOME });
    assert.match(found, /^ok, .*; \/opt\/procmesh has an agent, /);
    const [type, key] = readFileSync(`${host.hostKeyFile}.pub`, 'utf8').split(' ');
    const dataDir = scratchFolder(t);
    writeFileSync(join(dataDir, 'known_hosts'), `${host.address} ${type} ${key}\n`);
    const known = await examined(
      t,
      {
        ...{ PROCMESH_GLOBAL_DATA_DIR: dataDir, PROCMESH_SERVER_LISTEN: '0.0.0.0:1' },
        PROCMESH_CLIENT_SSH_KEY: bench().network.keyFile,
      },
      ...['--host', host.rshost],
    );
    assert.doesNotMatch(known.found.get(`host ${host.rshost}`) ?? '', /is not known/);
    const other = readFileSync(`${bench().network.keyFile}.pub`, 'utf8').split(' ')[1];
    writeFileSync(join(dataDir, 'known_hosts'), `${host.address} ${type} ${other}\n`);
    const changed = await examinedHost(t, host, { PROCMESH_GLOBAL_DATA_DIR: dataDir });
    assert.match(changed.found, /^failed, the key that \S+ shows is not the one of \S+ in line 1 of .*known_hosts: /);
  });

  it('gives the one reason that a deployment would give', async (t) => {
    const host = await bench().network.host();
    await host.addUser('alice');
    const alice = await examinedHost(t, host, {}, `alice@${host.address}`);
    assert.equal(alice.code, 1);
    assert.match(alice.found, /^failed, alice may not write \/opt\/procmesh there: log in as root, or set/);
    const wrong = await examinedHost(t, host, { PROCMESH_CLIENT_SSH_KEY: bench().otherKey() });
    assert.match(wrong.found, /^failed, its port 22 does not let root in with \S+: add a key to its authorized_keys/);
    const unheard = await examinedHost(t, host, { PROCMESH_SERVER_LISTEN: '127.0.0.1:1' });
    assert.match(
      unheard.found,
      /^failed, this server listens on 127\.0\.0\.1 alone, where no other machine can reach it: /,
    );
    host.fakeSystemd();
    assert.match((await examinedHost(t, host)).found, /^ok, .*, systemd; /);
    await host.sh('sed -i /Subsystem/d /etc/ssh/test_config');
    await host.stopSshd();
    await host.startSshd();
    assert.match((await examinedHost(t, host)).found, /^failed, its sshd has no SFTP/);
    await host.limitDisk(FOLDER, 20);
    assert.match(
      (await examinedHost(t, host)).found,
      /^failed, its disk is full \(procmesh needs \d{3} MB, it has 20 MB\): make room there/,
    );
  });

  it('says on standard error what it does when that takes long', async (t) => {
    const host = await bench().network.host();
    await host.hangSshd();
    const { code, found, stderr } = await examinedHost(t, host);
    await host.resumeSshd();
    assert.equal(code, 1);
    assert.match(found, /^failed, its port 22 does not answer: .*, and whether sshd hangs there$/);
    assert.equal(stderr, `${host.rshost}: connecting\n`);
  });

  it('prints the reason whole, below a table that may cut it', async (t) => {
    const env = {
      PROCMESH_GLOBAL_DATA_DIR: scratchFolder(t),
      PROCMESH_SERVER_LISTEN: '0.0.0.0:1',
      HOME: scratchFolder(t),
    };
    const { stdout, code } = await procmesh(t, ['doctor', '--host', '127.0.0.1:1'], env);
    assert.equal(code, 1);
    assert.match(
      stdout,
      /\nTo raise it:\n(.*\n)* {2}host 127\.0\.0\.1:1: nothing to log in with as \S+: .*SSH_AUTH_SOCK\n/,
    );
  });

  it('takes a host as it is written in the table', async (t) => {
    assertFailed(await procmesh(t, ['doctor', '--host', 'a host']), 2, /--host .*It takes HOST or user@HOST:port/);
  });
});
