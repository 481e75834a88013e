import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostInterfaces, interfaceSpeed } from '../../src/procfs/net-interface.ts';
import { scratchFolder } from '../support/scratch.ts';

test('counts interfaces with hardware, so that bonds, bridges and their ports are not counted twice', (t) => {
  const sysRoot = scratchFolder(t);
  for (const name of ['eth0', 'enp3s0']) mkdirSync(join(sysRoot, 'class/net', name, 'device'), { recursive: true });
  for (const name of ['lo', 'bond0', 'docker0', 'wg0'])
    mkdirSync(join(sysRoot, 'class/net', name), { recursive: true });
  const names = ['lo', 'eth0', 'enp3s0', 'bond0', 'docker0', 'veth1a2b3c', 'wg0'];
  assert.deepEqual(hostInterfaces(sysRoot, names), ['eth0', 'enp3s0']);
});

test('counts all but known virtual copies where none has hardware, as in a container', (t) => {
  const names = ['lo', 'eth0', 'docker0', 'br-1a2b', 'veth1a2b3c', 'virbr0', 'ifb0', 'tun0', 'cali12', 'bond0'];
  assert.deepEqual(hostInterfaces(scratchFolder(t), names), ['eth0']);
});

test('counts virtual copies where there is nothing else, as in a network namespace of its own', (t) => {
  assert.deepEqual(hostInterfaces(scratchFolder(t), ['lo', 'veth0', 'ifb0']), ['veth0', 'ifb0']);
  assert.deepEqual(hostInterfaces(scratchFolder(t), ['lo']), []);
});

test('reads the speed of a link, which a link that is down or virtual does not have', (t) => {
  const sysRoot = scratchFolder(t);
  for (const [name, speed] of [
    ['eth0', '10000\n'],
    ['eth1', '-1\n'],
  ] as const) {
    mkdirSync(join(sysRoot, 'class/net', name), { recursive: true });
    writeFileSync(join(sysRoot, 'class/net', name, 'speed'), speed);
  }
  assert.equal(interfaceSpeed(sysRoot, 'eth0'), 10e9);
  assert.equal(interfaceSpeed(sysRoot, 'eth1'), undefined);
  assert.equal(interfaceSpeed(sysRoot, 'wlan0'), undefined);
});
