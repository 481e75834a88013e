import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pace, type PaceSettings } from '../../src/agent/pace.ts';

const SETTINGS: PaceSettings = { sampleMs: 2_000, intervalMs: 30_000, cpuBudgetPercent: 1 };

/** The period after so many samples of this cost. */
function settled(pace: Pace, costMs: number, { settings = SETTINGS, isWatched = false, samples = 50 } = {}): number {
  let periodMs = 0;
  for (let index = 0; index < samples; index += 1) periodMs = pace.next(settings, isWatched, costMs);
  return periodMs;
}

test('samples as often as the settings say while that is within the budget', () => {
  assert.equal(settled(new Pace(), 19), 2_000);
});

test('samples less often where it would cost more, in steps that divide the interval', () => {
  assert.equal(settled(new Pace(), 21), 6_000);
  assert.equal(settled(new Pace(), 59), 6_000);
  assert.equal(settled(new Pace(), 61), 10_000);
});

test('never leaves an interval with fewer than three samples', () => {
  assert.equal(settled(new Pace(), 1_000_000), 10_000);
  assert.equal(settled(new Pace(), 1e6, { settings: { ...SETTINGS, intervalMs: 5_000 } }), 2_000);
});

test('samples as often as the settings say while somebody looks, whatever it costs', () => {
  const pace = new Pace();
  assert.equal(settled(pace, 500, { isWatched: true }), 2_000);
  assert.equal(settled(pace, 500), 10_000);
  assert.equal(settled(pace, 500, { isWatched: true, samples: 1 }), 2_000);
});

test('does not judge by the first samples, in which a program starts', () => {
  const pace = new Pace();
  assert.equal(settled(pace, 9_000, { samples: 10 }), 2_000);
  assert.equal(settled(pace, 10, { samples: 1 }), 2_000);
});

test('one dear sample does not change the pace', () => {
  const pace = new Pace();
  settled(pace, 10);
  assert.equal(settled(pace, 50, { samples: 1 }), 2_000);
});

test('returns to more frequent samples only when they are clearly affordable', () => {
  const pace = new Pace();
  assert.equal(settled(pace, 25), 6_000);
  assert.equal(settled(pace, 17), 6_000);
  assert.equal(settled(pace, 15), 2_000);
});

test('without a budget nothing is stretched', () => {
  assert.equal(settled(new Pace(), 1e6, { settings: { ...SETTINGS, cpuBudgetPercent: undefined } }), 2_000);
});
