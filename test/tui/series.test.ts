import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pointsUpTo } from '../../tui/series.ts';
import { AT, later, point } from './fleet.ts';

const seconds = (at: string) =>
  pointsUpTo(POINTS, at).map((one) => one && (Date.parse(one.at) - Date.parse(AT)) / 1_000);
const POINTS = [-180, -90, -60, 0].map((second) => point(second));

test('a series has a blank for each interval that was not recorded', () => {
  assert.deepEqual(seconds(AT), [-180, undefined, undefined, -90, -60, undefined, 0]);
});

test('an interval that was cut short does not make the gap before or after it longer', () => {
  const short = { ...point(-90), from: later(-91) };
  const steps = pointsUpTo([point(-180), short, point(-60)], later(-60));
  assert.deepEqual(
    steps.map((step) => step?.at),
    [later(-180), undefined, undefined, later(-90), later(-60)],
  );
  const cut = pointsUpTo([{ ...point(-150), from: later(-151) }, point(0)], AT);
  assert.deepEqual(
    cut.map((step) => step === undefined),
    [false, true, true, true, true, false],
  );
});

test('a series ends with the interval that is shown, known or not', () => {
  assert.deepEqual(seconds(later(-60)), [-180, undefined, undefined, -90, -60]);
  assert.deepEqual(seconds(later(30)).slice(-3), [undefined, 0, undefined]);
  assert.deepEqual(seconds(later(-300)), []);
});

test('a gap of days does not make a series longer than what is kept', () => {
  const points = [point(-5 * 86_400), point(0)];
  const steps = pointsUpTo(points, AT);
  assert.equal(steps.length, 150);
  assert.deepEqual([steps.at(-1), steps[0]], [points[1], undefined]);
  assert.deepEqual(
    pointsUpTo([point(0)], later(5 * 86_400)).filter((step) => step !== undefined),
    [],
  );
});
