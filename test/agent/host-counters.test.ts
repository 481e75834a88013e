import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { HostReader } from '../../src/agent/host-counters.ts';
import { FakeProc, NET_DEV_HEADER } from '../support/fake-proc.ts';
import { scratchFolder } from '../support/scratch.ts';

test('reads every counter of the machine', (t) => {
  const proc = new FakeProc(scratchFolder(t));
  mkdirSync(join(proc.sysRoot, 'block/vda/slaves'), { recursive: true });
  mkdirSync(join(proc.sysRoot, 'class/net/eth0/device'), { recursive: true });
  proc.write('uptime', '3539.81 6594.49\n');
  proc.write('loadavg', '1.14 0.58 0.35 2/120 10943\n');
  proc.write('diskstats', ' 254 0 vda 1 2 4 4 5 6 8 8 0 10 11\n 254 1 vda1 1 2 4 4 5 6 8 8 0 10 11\n');
  proc.write('net/dev', `${NET_DEV_HEADER}    lo: 5 1 0 0 0 0 0 0 5 1\n  eth0: 7 2 0 0 0 0 0 0 9 3\n`);
  const counters = new HostReader(proc.procRoot, proc.sysRoot).read();
  assert.equal(counters.uptimeTicks, 353_981);
  assert.equal(counters.load1, 1.14);
  assert.equal(counters.cpu.cores, 2);
  assert.equal(counters.memory.totalBytes, 24_684_084 * 1024);
  assert.deepEqual(
    counters.disks.map(({ name }) => name),
    ['vda', 'vda1'],
  );
  assert.deepEqual(counters.baseDisks, new Set(['vda']));
  assert.deepEqual(counters.interfaces, [{ name: 'eth0', inBytes: 7, inPackets: 2, outBytes: 9, outPackets: 3 }]);
  assert.deepEqual(counters.loopback, { name: 'lo', inBytes: 5, inPackets: 1, outBytes: 5, outPackets: 1 });
});

test('counts an interface from the moment it comes', (t) => {
  const proc = new FakeProc(scratchFolder(t));
  for (const name of ['eth0', 'eth1']) mkdirSync(join(proc.sysRoot, 'class/net', name, 'device'), { recursive: true });
  const reader = new HostReader(proc.procRoot, proc.sysRoot);
  const names = (): string[] => reader.read().interfaces.map(({ name }) => name);
  const line = (name: string): string => `  ${name}: 7 0 0 0 0 0 0 0 9 0\n`;
  proc.write('net/dev', NET_DEV_HEADER + line('eth0'));
  assert.deepEqual(names(), ['eth0']);
  proc.write('net/dev', NET_DEV_HEADER + line('eth0') + line('eth1') + line('docker0'));
  assert.deepEqual(names(), ['eth0', 'eth1']);
  proc.write('net/dev', NET_DEV_HEADER + line('eth1'));
  assert.deepEqual(names(), ['eth1']);
});

test('lives without disks, network and load', (t) => {
  const proc = new FakeProc(scratchFolder(t));
  proc.remove('net');
  const { disks, interfaces, loopback, load1 } = new HostReader(proc.procRoot, proc.sysRoot).read();
  assert.deepEqual([disks, interfaces, loopback, load1], [[], [], undefined, 0]);
});

for (const file of ['stat', 'uptime', 'meminfo']) {
  test(`refuses a /proc without ${file}`, (t) => {
    const proc = new FakeProc(scratchFolder(t));
    proc.remove(file);
    assert.throws(() => new HostReader(proc.procRoot, proc.sysRoot).read(), {
      message: `${proc.procRoot}/${file} is gone`,
    });
  });
}

test('reads the running kernel', () => {
  const counters = new HostReader('/proc', '/sys').read();
  assert.ok(counters.uptimeTicks > 100);
  assert.ok(counters.memory.totalBytes > 0);
});
