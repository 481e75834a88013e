import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stage } from './stage.ts';

const ALERT = ' ▲ db-02: cpu 97 % for 5 min: mysqld:3307 61 %, xtrabackup 22 %';

function alerted(stage: Stage): Stage {
  return stage.event('db-02', 'alerted', 'cpu 97 % for 5 min: mysqld:3307 61 %, xtrabackup 22 %');
}

test('the latest event is below the header for ten seconds, in a line of its own', () => {
  const stage = new Stage().oneHost();
  const before = stage.lines();
  alerted(stage);
  assert.equal(stage.lines().length, 24);
  assert.equal(stage.lines()[1]?.trimEnd(), ALERT);
  assert.equal(stage.lines()[2], before[1]);
  for (let second = 1; second < 10; second += 1) stage.second();
  assert.equal(stage.lines()[1]?.trimEnd(), ALERT);
  stage.second();
  assert.deepEqual(stage.lines().slice(1), before.slice(1));
});

test('a later event takes the place of the one before, and a recovery looks well', () => {
  const stage = alerted(new Stage().oneHost()).event('db-02', 'recovered', 'cpu has room again, it took 12 min');
  assert.equal(stage.lines()[1]?.trimEnd(), ' ● db-02: cpu has room again, it took 12 min');
  const [span] = stage.frame()[1] ?? [];
  assert.equal(span?.style.fg, 'green');
});

test('that the server is gone is more important', () => {
  const stage = alerted(new Stage().oneHost()).status({ state: 'lost', reason: 'it was stopped', retryInMs: 1 });
  assert.match(stage.lines()[1] ?? '', /✗ server gone/);
  assert.equal(stage.lines().length, 24);
});

test('an event is shown while paused, in the past, and in ASCII', () => {
  assert.match(alerted(new Stage().oneHost().keys('p')).lines()[1] ?? '', /▲ db-02/);
  assert.match(alerted(new Stage(80, 24, undefined, Date.now())).lines()[1] ?? '', /▲ db-02/);
  assert.match(alerted(new Stage().oneHost()).lines('ascii')[1] ?? '', /! db-02/);
});

test('an event longer than the line is cut', () => {
  const stage = new Stage().oneHost().event('db-02', 'alerted', 'x'.repeat(500));
  assert.match(stage.lines()[1] ?? '', /^ ▲ db-02: x+…$/);
});
