import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { scratchFolder } from '../../support/scratch.ts';
import { until } from '../../support/test-host/test-host.ts';
import { NEVER, openBench } from './fleet-of-hosts.ts';

const NOTHING = { user: '', port: '', keyFile: '', password: '' };

it('logs in as ssh would, over hosts between, with what the user has', { timeout: 120_000 }, async (t) => {
  const bench = await openBench(t);
  const [gate, inner] = [await bench.network.host(), await bench.network.host()];
  const sshDir = join(bench.homeDir, '.ssh');
  mkdirSync(sshDir);
  /** To log in and look is enough. */
  const reach = (rshost: string, options = {}): Promise<void> =>
    bench.deployer({ login: NOTHING, ...options }).remove(rshost, bench.onPhase, NEVER);
  const local = { name: 'root', homeDir: bench.homeDir, agentSocket: undefined };

  await t.test('nothing to log in with is said', async () => {
    await assert.rejects(reach(gate.rshost), {
      code: 'ERR_DEPLOY_LOGIN',
      message: /^nothing to log in with as root: there is no key, ssh-agent or password: /,
    });
  });

  await t.test('with the key of the configuration', () =>
    reach(gate.address, { login: { ...NOTHING, keyFile: bench.network.keyFile } }),
  );

  await t.test('with the password', async () => {
    await gate.addUser('bob', 'of bob');
    await reach(gate.address, { login: { ...NOTHING, user: 'bob', password: 'of bob' } });
  });

  await t.test("with the user's own key", async () => {
    copyFileSync(bench.network.keyFile, join(sshDir, 'id_ed25519'));
    await reach(gate.address);
    rmSync(join(sshDir, 'id_ed25519'));
  });

  await t.test('with a key that an ssh-agent holds', async () => {
    const agentSocket = join(scratchFolder(t), 'agent');
    const agent = spawn('ssh-agent', ['-D', '-a', agentSocket], { stdio: 'ignore' });
    t.after(() => agent.kill());
    await until(() => existsSync(agentSocket));
    execFileSync('ssh-add', ['-q', bench.network.keyFile], { env: { ...process.env, SSH_AUTH_SOCK: agentSocket } });
    await reach(gate.address, { local: { ...local, agentSocket } });
    await assert.rejects(reach(gate.address, { local: { ...local, agentSocket: '/nowhere' } }), {
      code: 'ERR_DEPLOY_LOGIN',
    });
  });

  await t.test('by the names and ways of ~/.ssh/config', async () => {
    await inner.sh(`ip route add blackhole ${bench.network.address}`);
    await assert.rejects(reach(inner.address, { login: { ...NOTHING, keyFile: bench.network.keyFile } }), {
      code: 'ERR_DEPLOY_UNREACHABLE',
    });
    writeFileSync(
      join(sshDir, 'config'),
      `Host gate\n  HostName ${gate.address}\nHost inner\n  HostName ${inner.address}\n  ProxyJump gate\nHost *\n  IdentityFile ${bench.network.keyFile}\n`,
    );
    await reach('inner');
    await inner.stopSshd();
    await assert.rejects(reach('inner'), {
      code: 'ERR_DEPLOY_UNREACHABLE',
      message: new RegExp(`^${inner.address} port 22 cannot be reached over gate`),
    });
    await gate.stopSshd();
    await assert.rejects(reach('inner'), {
      code: 'ERR_DEPLOY_UNREACHABLE',
      message: new RegExp(`^gate: ${gate.address} port 22 refuses`),
    });
    await gate.startSshd();
    await inner.startSshd();
  });

  await t.test('to whom it has met before, and says whom it met first', async () => {
    const file = join(bench.dataDir, 'known_hosts');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(readFileSync(file, 'utf8').trim().split('\n').length, 2);
    assert.deepEqual([bench.pinned.length, bench.pinned.includes('inner')], [2, true]);
    const key = readFileSync(`${inner.hostKeyFile}.pub`, 'utf8');
    writeFileSync(join(sshDir, 'known_hosts'), `@revoked * ${key}`);
    await assert.rejects(reach('inner'), {
      code: 'ERR_DEPLOY_HOST_KEY',
      message: /^the key that it shows is revoked by line 1 of .*\.ssh\/known_hosts: /,
    });
  });
});
