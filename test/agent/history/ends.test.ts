import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IntervalEnds } from '../../../src/agent/history/ends.ts';

const INTERVAL_MS = 10_000;
const AFRESH = { boundaryMs: 0, setBacks: 0, endMs: 0 };

/** What a sample at each of these seconds says; `cut` cuts the interval off with it. */
function run(ends: IntervalEnds, ...samples: (number | ['cut', number])[]): (number | undefined)[] {
  return samples.map((at) => {
    const endMs = typeof at === 'number' ? ends.passed(at * 1_000, INTERVAL_MS) : ends.cut(at[1] * 1_000, INTERVAL_MS);
    return endMs && endMs / 1_000;
  });
}

test('ends with the first sample after each boundary, but for the first boundary', () => {
  assert.deepEqual(run(new IntervalEnds(), 103, 109, 110.2, 111, 125, 130), [
    ...[undefined, undefined, 110, undefined, 120, 130],
  ]);
});

test('cuts at whole seconds, and at a boundary that has passed', () => {
  assert.deepEqual(run(new IntervalEnds(), 103, ['cut', 105.9], 109, ['cut', 110.1], 119, 120), [
    ...[undefined, 105, undefined, 110, undefined, 120],
  ]);
});

test('never cuts twice in one second', () => {
  assert.deepEqual(run(new IntervalEnds(), 103, 110, ['cut', 110.5], ['cut', 111.4], 120), [
    ...[undefined, 110, 111, 112, 120],
  ]);
});

test('keeps cuts apart after the clock was set back, by more than an interval and by less', () => {
  assert.deepEqual(run(new IntervalEnds(), 103, 130, 115, ['cut', 117], 120, 130), [
    ...[undefined, 130, 111, 118, 121, 131],
  ]);
  assert.deepEqual(run(new IntervalEnds(), 103, ['cut', 107], 104, ['cut', 105], 110), [
    ...[undefined, 107, undefined, 108, 110],
  ]);
});

test('does not end at a boundary that a cut has taken', () => {
  assert.deepEqual(run(new IntervalEnds(), 103, ['cut', 109], 102, ['cut', 103], 110, 120), [
    ...[undefined, 109, undefined, 110, undefined, 120],
  ]);
});

test('goes on from where another stood, with an early end at first', () => {
  const before = new IntervalEnds();
  run(before, 103, ['cut', 104]);
  const ends = new IntervalEnds();
  ends.resume(before.state, 107_000);
  assert.deepEqual(run(ends, 105, 106.9, 107.3, 108, 110), [...[undefined, undefined, 107, undefined, 110]]);
});

test('needs no early end when a boundary comes first', () => {
  const ends = new IntervalEnds();
  ends.resume({ ...AFRESH, boundaryMs: 100_000, endMs: 108_000 }, 112_000);
  assert.deepEqual(run(ends, 109, 110, 112, 119, 120), [...[undefined, 110, undefined, undefined, 120]]);
});

test('begins with a whole interval after a restart', () => {
  const ends = new IntervalEnds();
  run(ends, 103);
  ends.restart();
  assert.deepEqual(run(ends, 110, 119, 120), [undefined, undefined, 120]);
});
