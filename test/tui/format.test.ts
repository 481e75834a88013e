import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAge, formatBytes, formatPercent, formatShare } from '../../tui/format.ts';

test('bytes take four characters at most', () => {
  const figures = [0, 0.4, 512, 999, 1000, 1024, 10_188, 1e6, 1023 ** 2, 12.4 * 1024 ** 3, 5e15];
  assert.deepEqual(figures.map(formatBytes), [
    ...['0', '0', '512', '999', '1.0K', '1.0K', '9.9K', '977K', '1.0M', '12G', '4.4P'],
  ]);
  for (let exponent = 0; exponent < 17; exponent += 0.001) assert.ok(formatBytes(10 ** exponent).length <= 4);
});

test('what is not known is not zero', () => {
  assert.deepEqual([formatBytes(undefined), formatPercent(undefined), formatShare(undefined)], ['-', '-', '-']);
  assert.deepEqual([formatBytes(0), formatPercent(0), formatShare(0)], ['0', '0', '0%']);
});

test('a percentage has one decimal as long as it has room', () => {
  assert.deepEqual([0.04, 0.3, 182.44, 999.9, 1600].map(formatPercent), ['0.0', '0.3', '182.4', '999.9', '1600']);
});

test('an age has one unit and is never negative', () => {
  assert.deepEqual([-5, 12_000, 119_000, 200_000, 7_300_000, 2e8].map(formatAge), [
    ...['0 s', '12 s', '119 s', '3 m', '2 h', '2 d'],
  ]);
});
