import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Schedule } from '../../src/agent/schedule.ts';
import { Clock } from './clock.ts';

/** A schedule that starts at `now`; `ticks` are the moments of its calls by the wall clock. */
function setUp(t: TestContext, { now, periodMs }: { now: number; periodMs: number }) {
  const clock = new Clock(t, now);
  const ticks: number[] = [];
  const schedule = new Schedule(periodMs, () => ticks.push(clock.wallMs));
  t.after(() => schedule.stop());
  schedule.start();
  return { clock, ticks, schedule };
}

test('calls at every whole multiple of the period', (t) => {
  const { clock, ticks } = setUp(t, { now: 10_345, periodMs: 2_000 });
  clock.advance(6_000);
  assert.deepEqual(ticks, [12_000, 14_000, 16_000]);
});

test('waits a whole period when it starts on the grid', (t) => {
  const { clock, ticks } = setUp(t, { now: 10_000, periodMs: 2_000 });
  clock.advance(2_000);
  assert.deepEqual(ticks, [12_000]);
});

test('does not call twice for the same moment when a timer fires early', (t) => {
  const { clock, ticks } = setUp(t, { now: 11_999, periodMs: 2_000 });
  clock.advance(3_000);
  assert.deepEqual(ticks, [14_000]);
});

test('keeps its pace and finds the new grid when the clock is set back or ahead', (t) => {
  const { clock, ticks } = setUp(t, { now: 7_200_000, periodMs: 2_000 });
  clock.advance(2_000);
  clock.wallMs -= 3_600_700;
  clock.advance(4_000);
  clock.wallMs += 86_400_900;
  clock.advance(4_000);
  assert.deepEqual(ticks, [7_202_000, 3_603_300, 3_604_000, 90_006_900, 90_008_000, 90_010_000]);
});

test('follows a new period from the next moment on', (t) => {
  const { clock, ticks, schedule } = setUp(t, { now: 10_000, periodMs: 2_000 });
  clock.advance(100);
  schedule.setPeriod(500);
  clock.advance(300);
  schedule.setPeriod(500);
  clock.advance(600);
  assert.deepEqual(ticks, [10_500, 11_000]);
});

test('does not start by a new period, nor go on after a stop', (t) => {
  const { clock, ticks, schedule } = setUp(t, { now: 10_000, periodMs: 2_000 });
  schedule.stop();
  schedule.setPeriod(500);
  clock.advance(5_000);
  assert.deepEqual(ticks, []);
});

test('may be stopped by its own call', (t) => {
  const clock = new Clock(t, 0);
  let calls = 0;
  const schedule = new Schedule(1_000, () => {
    calls += 1;
    schedule.stop();
  });
  schedule.start();
  clock.advance(5_000);
  assert.equal(calls, 1);
});
