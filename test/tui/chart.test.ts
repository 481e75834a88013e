import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bar, sparkline } from '../../tui/chart.ts';

test('a bar is filled in eighths of a cell', () => {
  assert.deepEqual(bar(0, 4), { filled: '', track: '····' });
  assert.deepEqual(bar(0.5, 4), { filled: '██', track: '··' });
  assert.deepEqual(bar(0.53, 4), { filled: '██▏', track: '·' });
  assert.deepEqual(bar(1, 4), { filled: '████', track: '' });
});

test('a bar never overflows, and is never empty while there is something', () => {
  assert.deepEqual(bar(7, 3), { filled: '███', track: '' });
  assert.deepEqual(bar(-1, 3), { filled: '', track: '···' });
  assert.deepEqual(bar(0.0001, 3), { filled: '▏', track: '··' });
});

test('a bar takes exactly its cells', () => {
  for (let share = 0; share <= 1; share += 0.001) {
    const { filled, track } = bar(share, 7);
    assert.equal(filled.length + track.length, 7);
  }
});

test('a sparkline has its newest value at the right and knows zero from unknown', () => {
  assert.equal(sparkline([0, 0.2, undefined, 0.5, 1], 1, 8), '   ▁▂ ▄█');
  assert.equal(sparkline([1, 2, 3, 4], 4, 2), '▆█');
});

test('a sparkline stays within its cells when a value is above its ceiling or the ceiling is zero', () => {
  assert.equal(sparkline([9], 4, 1), '█');
  assert.equal(sparkline([0, 0], 0, 2), '▁▁');
});
