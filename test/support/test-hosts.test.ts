import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
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
    process.stdout.write(network.address + '\\n');`;
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const maker = spawn(process.execPath, ['--input-type=module-typescript', '--eval', program], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const address = String((await once(maker.stdout, 'data'))[0]).trim();
  const made = descendants(maker.pid as number);
  assert.ok(made.length >= 3);
  maker.kill('SIGKILL');
  await until(() => !made.some(({ pid }) => existsSync(`/proc/${pid}`)));
  await until(() => cables(address).length === 0);
});
