import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { AT, hostRow, later } from './fleet.ts';
import { Stage } from './stage.ts';

before(() => {
  process.env.TZ = 'UTC';
});

/** The moment that is asked for, in seconds after `AT`. */
function asked(stage: Stage): number | undefined {
  const { moment } = stage.model;
  return moment.state === 'past' ? (moment.atMs - Date.parse(AT)) / 1_000 : undefined;
}

test('@ goes to a time that is typed as on the command line, by the clock of the server', () => {
  for (const [text, seconds] of [
    ['03:10', -120],
    ['-90s', -84],
    ['2026-11-23T03:11:12Z', -48],
    ['yesterday 03:12', -86_400],
  ] as const) {
    const stage = new Stage().oneHost().hosts([hostRow()], later(6)).keys('@').type(text);
    assert.match(stage.lines().at(-1) ?? '', /^ time /);
    assert.equal(asked(stage.keys('enter')), seconds, text);
    assert.equal(stage.asked?.atMs, Date.parse(later(seconds)));
    assert.equal(stage.model.typing, undefined);
  }
  const back = new Stage(80, 24, undefined, Date.parse(later(-600))).status({ state: 'open' });
  assert.equal(asked(back.keys('@').type('02:00').keys('enter')), -72 * 60);
});

test('a time that is none, or to come, is said and stays to be mended', () => {
  const stage = new Stage().oneHost().hosts().keys('@').type('25:00').keys('enter');
  assert.match(stage.lines().at(-1) ?? '', /^ time 25:00 {3}It takes a time such as 03:12/);
  assert.equal(stage.model.moment.state, 'live');
  stage.keys('backspace');
  assert.doesNotMatch(stage.text(), /It takes a time/);
  stage.keys('C-u').type('2027-01-01').keys('enter');
  assert.match(stage.lines().at(-1) ?? '', /It lies in the future/);
  assert.equal(stage.keys('escape').model.typing, undefined);
  assert.equal(stage.keys('@', 'enter').model.typing, undefined);
  assert.equal(stage.model.moment.state, 'live');
});

test('[ and the others are letters of a filter that is typed', () => {
  assert.equal(new Stage().oneHost().keys('/').type('[]{}@L').model.typing?.text, '[]{}@L');
});
