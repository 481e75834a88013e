import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { SshDeployerOptions } from '../../../src/server/deploy/ssh-deployer.ts';
import { HOST_NODE, type TestHost } from '../../support/test-host/test-host.ts';
import { FOLDER, NEVER, sharedBench } from './fleet-of-hosts.ts';

describe('a host that cannot be deployed', { timeout: 240_000 }, () => {
  const bench = sharedBench();

  /** Tries, sees it fail for that one reason, and finds the host as it was. */
  async function assertFails(
    host: TestHost,
    code: string,
    message: RegExp,
    options: Partial<SshDeployerOptions> = {},
    rshost = host.rshost,
  ): Promise<void> {
    const files = host.files();
    const deployer = bench().deployer(options);
    await assert.rejects(deployer.install(rshost, bench().provision('h'), bench().onPhase, NEVER), {
      name: 'Problem',
      code,
      message,
    });
    assert.deepEqual(host.files(), files);
    await host.assertProcesses([]);
  }

  it('has no such name', async () => {
    const host = await bench().network.host();
    await assertFails(host, 'ERR_DEPLOY_UNREACHABLE', /^its name has no address: /, {}, 'nowhere.invalid');
  });

  it('is written in no way that names a host', async () => {
    const host = await bench().network.host();
    await assertFails(host, 'ERR_DEPLOY_ADDRESS', /^"-oProxyCommand=x" is no host: /, {}, '-oProxyCommand=x');
  });

  it('has no sshd', async () => {
    const host = await bench().network.host();
    await host.stopSshd();
    await assertFails(host, 'ERR_DEPLOY_UNREACHABLE', /^its port 22 refuses the connection: start sshd there/);
  });

  it('is not there', async () => {
    const host = await bench().network.host();
    host.cutLink();
    await assertFails(
      host,
      'ERR_DEPLOY_UNREACHABLE',
      /^its port 22 (cannot be reached, there is no route to it|does not answer): /,
    );
  });

  it('has an sshd that hangs', async () => {
    const host = await bench().network.host();
    await host.hangSshd();
    await assertFails(host, 'ERR_DEPLOY_UNREACHABLE', /^its port 22 does not answer: .*whether sshd hangs there/);
  });

  it('does not let the key in', async () => {
    const host = await bench().network.host();
    const keyFile = bench().otherKey();
    const login = { user: '', port: '', keyFile, password: '' };
    await assertFails(
      host,
      'ERR_DEPLOY_LOGIN',
      /^its port 22 does not let root in with .*\/other: add a key to its authorized_keys/,
      {
        login,
      },
    );
    await assertFails(host, 'ERR_DEPLOY_LOGIN', /does not let root in with .*\/other, the password: /, {
      login: { ...login, password: 'wrong' },
    });
  });

  it('is to be logged in at with a key that nobody can use', async () => {
    const host = await bench().network.host();
    const keyFile = join(bench().homeDir, 'locked');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', keyFile]);
    const login = { user: '', port: '', keyFile, password: '' };
    await assertFails(host, 'ERR_DEPLOY_LOGIN', /locked wants a passphrase, which only an ssh-agent can give: /, {
      login,
    });
    await assertFails(host, 'ERR_DEPLOY_LOGIN', /\/absent is not there: set \[CLIENT\] ssh_key/, {
      login: { ...login, keyFile: '/absent' },
    });
  });

  it('shows another key than the one it is known by', async () => {
    const host = await bench().network.host();
    const deployer = bench().deployer();
    await deployer.remove(host.rshost, bench().onPhase, NEVER);
    await host.sh('rm /etc/ssh/test_key && ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/test_key');
    await host.stopSshd();
    await host.startSshd();
    const place = new RegExp(
      `^the key that it shows is not the one of ${host.address} in line \\d+ of ${bench().dataDir}/known_hosts: `,
    );
    await assertFails(host, 'ERR_DEPLOY_HOST_KEY', place);
  });

  it('has too little room', async () => {
    const host = await bench().network.host();
    await host.limitDisk(FOLDER, 20);
    await assertFails(host, 'ERR_DEPLOY_DISK_FULL', /^its disk is full \(procmesh needs \d{3} MB, it has 20 MB\): /);
  });

  it('runs out of room under way', async () => {
    const host = await bench().network.host();
    await host.limitDisk(FOLDER, 30);
    host.fakeProgram(
      'df',
      'case $(/usr/bin/df -Pk "$2" | tail -n 1) in *" 100% "*) exec /usr/bin/df "$@" ;; esac\necho "small 9999999 0 9999999 0% /"',
    );
    await assertFails(host, 'ERR_DEPLOY_DISK_FULL', /^its disk is full \(it has 0 MB left\): /);
    assert.equal(await host.sh(`ls -A ${FOLDER}`), '');
  });

  it('gives the user no rights', async () => {
    const host = await bench().network.host();
    await host.addUser('alice');
    const rights = /^alice may not write \/opt\/procmesh there: log in as root, or set \[global\] script_dir/;
    await assertFails(host, 'ERR_DEPLOY_RIGHTS', rights, {}, `alice@${host.address}`);
  });

  it('lets the user have no crontab', async () => {
    const host = await bench().network.host();
    await host.addUser('alice');
    await host.sh('echo nobody > /etc/cron.allow');
    const options = { folder: '/home/alice/procmesh', node: HOST_NODE };
    await assertFails(
      host,
      'ERR_DEPLOY_RIGHTS',
      /^alice lacks rights there .*not allowed/,
      options,
      `alice@${host.address}`,
    );
  });

  it('has nothing that keeps a program running', async () => {
    const host = await bench().network.host();
    await host.removeProgram('crontab');
    await assertFails(
      host,
      'ERR_DEPLOY_SERVICE',
      /^nothing there can keep an agent running: it has no crontab, and no systemd: install cron/,
    );
  });

  it('has something else in the folder', async () => {
    const host = await bench().network.host();
    await host.sh(`mkdir -p ${FOLDER} && echo theirs > ${FOLDER}/file`);
    await assertFails(host, 'ERR_DEPLOY_FOLDER', /^\/opt\/procmesh there holds something that is not procmesh's: /);
    await bench().deployer().remove(host.rshost, bench().onPhase, NEVER);
    assert.equal(await host.sh(`cat ${FOLDER}/file`), 'theirs\n');
  });

  it('is of a kind that there is no runtime for', async () => {
    const host = await bench().network.host();
    host.fakeProgram('uname', 'echo riscv64');
    await assertFails(
      host,
      'ERR_DEPLOY_ARCHITECTURE',
      /^it is a machine of kind riscv64, and procmesh has runtimes for x64 and arm64 alone: /,
    );
    const [machine, other] = process.arch === 'x64' ? ['aarch64', 'arm64'] : ['x86_64', 'x64'];
    host.fakeProgram('uname', `echo ${machine}`);
    await assertFails(
      host,
      'ERR_DEPLOY_ARCHITECTURE',
      new RegExp(`npm install --prefix \\S+/packages/${other} --cpu=${other} node-linux-${other}@`),
    );
  });

  it('has a libc that the runtime cannot use', async () => {
    const host = await bench().network.host();
    host.fakeProgram('getconf', 'echo glibc 2.17');
    await assertFails(
      host,
      'ERR_DEPLOY_LIBC',
      /^it has glibc 2\.17, and our runtime wants 2\.28: .*set \[CLIENT\] node/,
    );
    host.fakeProgram('getconf', 'exit 1');
    host.fakeProgram('ldd', 'echo "musl libc (x86_64)" >&2; exit 1');
    await assertFails(host, 'ERR_DEPLOY_LIBC', /^it has musl for its libc, and our runtime wants glibc: /);
  });

  it('has a Node.js of its own that is too old, or none', async () => {
    const host = await bench().network.host();
    host.fakeProgram('old-node', 'echo v18.1.0');
    const node = '/usr/local/bin/old-node';
    await assertFails(host, 'ERR_DEPLOY_NODE', /old-node there is v18\.1\.0: \[CLIENT\] node must name/, { node });
    await assertFails(host, 'ERR_DEPLOY_NODE', /\/no\/node there does not run \(.*not found\): /, { node: '/no/node' });
  });

  it('has no SFTP', async () => {
    const host = await bench().network.host();
    await host.sh('sed -i /Subsystem/d /etc/ssh/test_config');
    await host.stopSshd();
    await host.startSshd();
    await assertFails(host, 'ERR_DEPLOY_SFTP', /^its sshd has no SFTP .*: enable its subsystem sftp/);
  });

  it('has a user without a shell', async () => {
    const host = await bench().network.host();
    await host.addUser('alice');
    await host.sh('usermod --shell /usr/sbin/nologin alice');
    await assertFails(
      host,
      'ERR_DEPLOY_SHELL',
      /^it does not run commands of alice .*not available/,
      {},
      `alice@${host.address}`,
    );
  });

  for (const service of ['cron', 'systemd']) {
    it(`has an agent that does not start, with ${service}`, async () => {
      const host = await bench().network.host();
      if (service === 'systemd') host.fakeSystemd();
      host.fakeProgram(
        'broken-node',
        'if [ "$1" = --version ]; then echo v26.1.0; else echo "it broke" >&2; exit 1; fi',
      );
      const node = '/usr/local/bin/broken-node';
      await assertFails(host, 'ERR_DEPLOY_START', /^its agent does not start: it ended with 1: it broke$/, { node });
    });
  }
});
