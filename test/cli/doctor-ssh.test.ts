import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { scratchFolder } from '../support/scratch.ts';
import { until } from '../support/test-host/test-host.ts';
import { examined } from './examined.ts';

/** A home with a folder for ssh, empty. */
function home(t: TestContext): { HOME: string; sshDir: string } {
  const HOME = scratchFolder(t);
  const sshDir = join(HOME, '.ssh');
  mkdirSync(sshDir, { mode: 0o700 });
  return { HOME, sshDir };
}

function makeKey(file: string, passphrase = ''): string {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-f', file]);
  return file;
}

/** An ssh-agent that ends with the test. @returns its socket. */
async function startAgent(t: TestContext): Promise<string> {
  const socket = join(scratchFolder(t), 'agent');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  t.after(() => agent.kill());
  await until(() => existsSync(socket));
  return socket;
}

describe('procmesh doctor, of SSH', { concurrency: 2, timeout: 240_000 }, () => {
  it('finds it well that there is nothing to log in with', async (t) => {
    const { code, found } = await examined(t, {});
    assert.equal(code, 0);
    assert.equal(found.get('SSH'), 'ok, there is no key, ssh-agent or password');
  });

  it('says as whom and with what hosts are logged in at', async (t) => {
    const { HOME, sshDir } = home(t);
    const key = makeKey(join(sshDir, 'id_ed25519'));
    writeFileSync(join(sshDir, 'config'), 'Host *\n  User deploy\nHost web-1\n  User other\n');
    const { found } = await examined(t, { HOME, PROCMESH_CLIENT_SSH_PASS: 'a secret' });
    assert.equal(found.get('SSH'), `ok, deploy logs in with ${key}, the password`);
    const named = makeKey(join(scratchFolder(t), 'named'));
    const { found: ofNamed } = await examined(t, {
      ...{ HOME, PROCMESH_CLIENT_SSH_KEY: named, PROCMESH_CLIENT_SSH_USER: 'root' },
    });
    assert.equal(ofNamed.get('SSH'), `ok, root logs in with ${named}`);
  });

  it('wants the passphrase of a key from an ssh-agent, and looks whether it has the key', async (t) => {
    const { HOME, sshDir } = home(t);
    const key = makeKey(join(sshDir, 'id_ed25519'), 'a secret');
    const { found } = await examined(t, { HOME });
    assert.equal(
      found.get('SSH'),
      `limited, there is nothing to log in with; ${key} wants a passphrase, which only an ssh-agent can give, ssh-add ${key}, and start the server with that SSH_AUTH_SOCK`,
    );
    const socket = await startAgent(t);
    const add = (file: string, env: NodeJS.ProcessEnv = {}) =>
      execFileSync('ssh-add', ['-q', file], {
        env: { ...process.env, SSH_AUTH_SOCK: socket, ...env },
        stdio: 'ignore',
      });
    add(makeKey(join(scratchFolder(t), 'another')));
    const { found: ofAnother } = await examined(t, { HOME, SSH_AUTH_SOCK: socket });
    assert.match(ofAnother.get('SSH') ?? '', /^limited, \S+ logs in with 1 key of the ssh-agent; \S+ wants a passphr/);
    const answer = join(scratchFolder(t), 'answer');
    writeFileSync(answer, "#!/bin/sh\necho 'a secret'\n", { mode: 0o700 });
    add(key, { SSH_ASKPASS: answer, SSH_ASKPASS_REQUIRE: 'force' });
    const { found: ofBoth } = await examined(t, { HOME, SSH_AUTH_SOCK: socket });
    assert.match(ofBoth.get('SSH') ?? '', /^ok, \S+ logs in with 2 keys of the ssh-agent$/);
  });

  it('tells an ssh-agent that is gone, or hangs', async (t) => {
    const gone = await examined(t, { SSH_AUTH_SOCK: '/nowhere/agent' });
    assert.match(
      gone.found.get('SSH') ?? '',
      /^limited, .*; no ssh-agent answers at \/nowhere\/agent, start ssh-agent, or unset/,
    );
    const path = join(scratchFolder(t), 'agent');
    const hanging = createServer().listen(path);
    hanging.on('connection', (socket) => socket.on('error', () => undefined));
    t.after(() => hanging.close());
    const { found } = await examined(t, { SSH_AUTH_SOCK: path });
    assert.match(found.get('SSH') ?? '', /no ssh-agent answers at /);
  });

  it('tells keys that others can read, that are none, or that are not there', async (t) => {
    const { HOME, sshDir } = home(t);
    const key = makeKey(join(sshDir, 'id_ed25519'));
    chmodSync(key, 0o640);
    writeFileSync(join(sshDir, 'id_rsa'), 'no key\n');
    const { code, found } = await examined(t, { HOME });
    assert.equal(code, 0);
    assert.match(
      found.get('SSH') ?? '',
      /^limited, .*\/id_ed25519 can be read by others; .*\/id_rsa is no private key of SSH, chmod 600 .*\/id_ed25519; name/,
    );
    const named = await examined(t, { HOME, PROCMESH_CLIENT_SSH_KEY: '/nowhere/key' });
    assert.equal(named.code, 1);
    assert.match(
      named.found.get('SSH') ?? '',
      /^failed, .*; \/nowhere\/key is not there, correct \[CLIENT\] ssh_key, or IdentityFile/,
    );
  });

  for (const name of ['config', 'known_hosts'])
    it(`fails where ${name} cannot be read`, async (t) => {
      const { HOME, sshDir } = home(t);
      // Not by its mode, which means nothing to root.
      symlinkSync(name, join(sshDir, name));
      const { code, found } = await examined(t, { HOME });
      assert.equal(code, 1);
      assert.match(found.get('SSH') ?? '', new RegExp(`^failed, ${join(sshDir, name)} cannot be read \\(ELOOP\\), `));
    });

  it('names settings of ssh that are passed over', async (t) => {
    const { HOME, sshDir } = home(t);
    const config = join(sshDir, 'config');
    writeFileSync(config, '# Match\nHost *\n  ProxyCommand nc %h %p\nmatch all\n  User x\n');
    const { found } = await examined(t, { HOME });
    assert.equal(
      found.get('SSH settings'),
      `limited, ${config}: Match, ProxyCommand are passed over, say it by Host and ProxyJump`,
    );
  });
});
