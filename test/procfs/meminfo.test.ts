import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { test } from 'node:test';
import { parseMemInfo } from '../../src/procfs/meminfo.ts';

const TEXT =
  'MemTotal:       24684084 kB\nMemFree:        23903360 kB\nMemAvailable:   24055108 kB\nBuffers:             992 kB\n' +
  'Cached:           327508 kB\nSwapCached:            0 kB\nDirty:              1200 kB\nWriteback:            34 kB\n' +
  'AnonPages:        174660 kB\nWritebackTmp:         99 kB\n';

test('parses total, available, and what has still to be written, in bytes', () => {
  assert.deepEqual(parseMemInfo(TEXT), {
    totalBytes: 24_684_084 * 1024,
    availableBytes: 24_055_108 * 1024,
    unwrittenBytes: 1_234 * 1024,
  });
});

test('estimates what is available where the kernel does not say', () => {
  const text = TEXT.replace(/MemAvailable.*\n/, '');
  assert.equal(parseMemInfo(text).availableBytes, (23_903_360 + 327_508) * 1024);
});

test('never finds more available than there is', () => {
  const text = TEXT.replace('24055108', '99999999');
  assert.equal(parseMemInfo(text).availableBytes, 24_684_084 * 1024);
});

test('parses the running kernel’s text', () => {
  assert.equal(parseMemInfo(readFileSync('/proc/meminfo', 'utf8')).totalBytes, totalmem());
});
