import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { descendants } from './processes.ts';
import { until } from './test-host/test-host.ts';
import { TestNetwork } from './test-hosts.ts';

/** This machine's cable to a network of test hosts, by that network's address. */
function cables(address: string): string[] {
  return Object.entries(networkInterfaces()).flatMap(([name, entries]) =>
    (entries ?? []).some((entry) => entry.address === address) ? [name] : [],
  );
}

/** The control groups that systemd has made its own below this process, by their folders. */
function controlGroups(pid: number): string[] {
  return descendants(pid)
    .filter(({ args }) => args[0] === '/lib/systemd/systemd')
    .map((systemd) => /^0::\/(.*)\/init\.scope$/m.exec(readFileSync(`/proc/${systemd.pid}/cgroup`, 'utf8'))?.[1] ?? '');
}

function hasControlGroup(folder: string): boolean {
  const look = 'mount -t cgroup2 cgroup2 /mnt; if [ -d "/mnt/$1" ]; then echo yes; fi';
  return execFileSync('unshare', ['--mount', 'sh', '-euc', look, 'sh', folder], { encoding: 'utf8' }) !== '';
}

test('a host has processes, files and a name of its own and leaves nothing on this machine', {
  timeout: 60_000,
}, async (t) => {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  let address = '';
  await t.test('while it is there', async (inner) => {
    const network = await TestNetwork.open(inner);
    address = network.address;
    assert.equal(cables(address).length, 1);
    const [one, two] = [await network.host(), await network.host()];
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), mounts);
    assert.deepEqual([await one.sh('hostname'), await two.sh('hostname')], [`${one.name}\n`, `${two.name}\n`]);
    assert.match(await one.sh('cat /proc/1/cmdline'), /^sh\0-c\0while/);
    assert.equal(await one.sh(`ls -d /proc/${process.pid} 2>/dev/null || echo none`), 'none\n');

    const before = one.files();
    await one.sh(
      'echo hers > /opt/of-a-host; mkdir -p /srv/of-a-host; rm /etc/hostname /etc/fstab 2>/dev/null; chmod 640 /etc/passwd; :',
    );
    assert.equal(existsSync('/opt/of-a-host'), false);
    assert.equal(existsSync('/etc/passwd'), true);
    assert.equal(await two.sh('ls /opt/of-a-host 2>/dev/null || echo none'), 'none\n');
    const written = Object.keys(one.files()).filter((path) => !(path in before));
    for (const path of ['/opt/of-a-host', '/srv/of-a-host', '/etc/passwd']) assert.ok(written.includes(path), path);
    assert.deepEqual(two.files(), before);
  });
  assert.deepEqual(descendants(process.pid), []);
  assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), mounts);
  await until(() => cables(address).length === 0);
});

test('hosts are gone with the process that made them, however that ends', { timeout: 60_000 }, async () => {
  const program = `import { TestNetwork } from './test-hosts.ts';
    const network = await TestNetwork.open({ after() {} });
    await network.host();
    await network.host({ init: 'systemd' });
    process.stdout.write(network.address + '\\n');`;
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const maker = spawn(process.execPath, ['--input-type=module-typescript', '--eval', program], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const address = String((await once(maker.stdout, 'data'))[0]).trim();
  const made = descendants(maker.pid as number);
  const [group = ''] = controlGroups(maker.pid as number);
  assert.equal(hasControlGroup(group), true);
  assert.ok(made.length >= 6);
  maker.kill('SIGKILL');
  await until(() => !made.some(({ pid }) => existsSync(`/proc/${pid}`)));
  await until(() => cables(address).length === 0);
  await until(() => !hasControlGroup(group));
});

test('a host that systemd runs has nothing else running, and its control group goes with it', {
  timeout: 60_000,
}, async (t) => {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  const limit = readFileSync('/proc/sys/fs/file-max', 'utf8');
  let group = '';
  await t.test('while it is there', async (inner) => {
    const network = await TestNetwork.open(inner);
    const host = await network.host({ init: 'systemd' });
    [group = ''] = controlGroups(process.pid);
    assert.equal(hasControlGroup(group), true);
    assert.equal(await host.sh('systemctl is-system-running; hostname'), `running\n${host.name}\n`);
    assert.equal(await host.sh('systemctl list-units --no-legend --type=service,timer,socket'), '');
    assert.deepEqual(await host.processes(), []);
    await host.sh('[ ! -w /proc/sys/fs/file-max ]');
    await host.sh('systemd-run --quiet --property=KillMode=none --property=SendSIGKILL=no sleep infinity');
    assert.deepEqual(await host.processes(), ['/usr/bin/sleep infinity']);
  });
  assert.deepEqual(descendants(process.pid), []);
  assert.equal(hasControlGroup(group), false);
  assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), mounts);
  assert.equal(readFileSync('/proc/sys/fs/file-max', 'utf8'), limit);
});
