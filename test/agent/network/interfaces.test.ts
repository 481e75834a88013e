import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Interfaces } from '../../../src/agent/network/interfaces.ts';
import { scratchFolder } from '../../support/scratch.ts';
import { snapshot } from '../snapshots.ts';

const cards = (inBytes: number, outBytes: number) => ({
  interfaces: [{ name: 'eth0', inBytes, inPackets: 0, outBytes, outPackets: 0 }],
});

function withSpeed(sysRoot: string, megabits: string): void {
  mkdirSync(join(sysRoot, 'class/net/eth0'), { recursive: true });
  writeFileSync(join(sysRoot, 'class/net/eth0/speed'), megabits);
}

test('an interval has the average and the maximum of each interface, and its speed', (t) => {
  const sysRoot = scratchFolder(t);
  withSpeed(sysRoot, '1000\n');
  const interfaces = new Interfaces(sysRoot);
  interfaces.add(snapshot(0, {}, cards(1_000, 1_000)));
  interfaces.add(snapshot(1, {}, cards(5_000, 1_000)));
  interfaces.add(snapshot(4, {}, cards(5_000, 4_000)));
  assert.deepEqual(interfaces.latest, [
    { name: 'eth0', speedBitsPerSec: 1e9, inBytesPerSec: 0, outBytesPerSec: 1_000 },
  ]);
  assert.deepEqual(interfaces.close(), [
    {
      ...{ name: 'eth0', speedBitsPerSec: 1e9, inBytesPerSec: 1_000, outBytesPerSec: 750 },
      ...{ inBytesPerSecMax: 4_000, outBytesPerSecMax: 1_000 },
    },
  ]);
  assert.deepEqual(interfaces.close(), []);
});

test('a link that is negotiated anew shows its new speed within half a minute', (t) => {
  const sysRoot = scratchFolder(t);
  const interfaces = new Interfaces(sysRoot);
  const speedAt = (second: number): number | undefined => {
    interfaces.add(snapshot(second, {}, cards(0, 0)));
    return interfaces.latest[0]?.speedBitsPerSec;
  };
  speedAt(0);
  assert.equal(speedAt(1), undefined);
  withSpeed(sysRoot, '2500\n');
  assert.equal(speedAt(30), undefined);
  assert.equal(speedAt(31), 2.5e9);
});
