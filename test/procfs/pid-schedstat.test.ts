import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCpuWaitMs } from '../../src/procfs/pid-schedstat.ts';

test('parses the time a thread waited for a CPU', () => {
  assert.equal(parseCpuWaitMs('149300000 82041500 12\n'), 82.0415);
});

test('knows nothing where the kernel keeps no such statistics', () => {
  assert.equal(parseCpuWaitMs(''), undefined);
});
