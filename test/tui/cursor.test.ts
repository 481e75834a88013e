import assert from 'node:assert/strict';
import { test } from 'node:test';
import { moved, settled, TOP } from '../../tui/cursor.ts';

const rows = ['a', 'b', 'c', 'd', 'e', 'f'];

test('the selection scrolls no further than it must', () => {
  const down = moved(TOP, 3, rows, 3);
  assert.deepEqual(down, { key: 'd', index: 3, scroll: 1 });
  assert.deepEqual(moved(down, -1, rows, 3), { key: 'c', index: 2, scroll: 1 });
  assert.deepEqual(moved(down, -3, rows, 3), { key: 'a', index: 0, scroll: 0 });
});

test('the selection stops at both ends', () => {
  assert.deepEqual(moved(TOP, 100, rows, 4), { key: 'f', index: 5, scroll: 2 });
  assert.deepEqual(moved(TOP, -5, rows, 4), { key: 'a', index: 0, scroll: 0 });
  assert.deepEqual(moved(TOP, 1, [], 4), TOP);
});

test('the selection follows its row', () => {
  const onB = moved(TOP, 1, rows, 3);
  assert.deepEqual(settled(onB, ['f', 'e', 'd', 'c', 'b', 'a'], 3), { key: 'b', index: 4, scroll: 2 });
});

test('when the selected row is gone, what took its place is selected', () => {
  const onB = moved(TOP, 1, rows, 3);
  assert.deepEqual(settled(onB, ['a', 'c', 'd'], 3), { key: 'c', index: 1, scroll: 0 });
  assert.deepEqual(settled(onB, ['a'], 3), { key: 'a', index: 0, scroll: 0 });
});

test('until somebody moves, the first row is selected whichever it is', () => {
  assert.deepEqual(settled(TOP, ['z', 'a'], 3), TOP);
});

test('rows that become fewer than the screen are all on it', () => {
  const low = moved(TOP, 5, rows, 2);
  assert.equal(settled(low, ['e', 'f'], 4).scroll, 0);
});
