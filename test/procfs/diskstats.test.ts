import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDiskstats } from '../../src/procfs/diskstats.ts';

test('parses bytes, busy time and queue time of a line with flush counters', () => {
  assert.deepEqual(
    parseDiskstats(' 254       0 vda 7461 2354 624810 1234 2002 3300 118168 2090 0 2072 3337 11 0 2048 5 12 7\n'),
    [
      {
        device: '254:0',
        name: 'vda',
        readBytes: 624_810 * 512,
        writeBytes: 118_168 * 512,
        busyMs: 2_072,
        queueMs: 3_337,
      },
    ],
  );
});

test('parses the shorter lines of old kernels, and many lines', () => {
  const disks = parseDiskstats(
    '   8       0 sda 10 0 80 4 20 0 160 8 0 12 12\n   8       1 sda1 1 0 8 0 2 0 16 0 0 1 1\n 259       0 nvme0n1 0 0 0 0 0 0 0 0 0 0 0\n',
  );
  assert.deepEqual(
    disks.map(({ name, writeBytes }) => [name, writeBytes]),
    [
      ['sda', 160 * 512],
      ['sda1', 16 * 512],
      ['nvme0n1', 0],
    ],
  );
});

test('passes over a line cut short', () => {
  assert.deepEqual(parseDiskstats('   8       0 sda 10 0 80 4 20\n\n'), []);
});
