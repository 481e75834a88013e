import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isBaseDisk } from '../../src/procfs/block-device.ts';
import { scratchFolder } from '../support/scratch.ts';

test('counts whole disks with nothing below them', (t) => {
  const sysRoot = scratchFolder(t);
  for (const dir of ['vda/slaves', 'nvme0n1/slaves', 'dm-0/slaves/vda', 'md0/slaves/vda', 'old', 'cciss!c0d0/slaves'])
    mkdirSync(join(sysRoot, 'block', dir), { recursive: true });
  for (const dir of ['loop0', 'ram1', 'zram0']) mkdirSync(join(sysRoot, 'block', dir, 'slaves'), { recursive: true });
  const isBase = (name: string): boolean => isBaseDisk(sysRoot, name);
  for (const disk of ['vda', 'nvme0n1', 'old', 'cciss/c0d0']) assert.equal(isBase(disk), true, disk);
  for (const other of ['vda1', 'dm-0', 'md0', 'loop0', 'ram1', 'zram0']) assert.equal(isBase(other), false, other);
});
