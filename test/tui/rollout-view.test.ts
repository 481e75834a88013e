import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { RolloutStatus } from '../../src/protocol/release.ts';
import { counts, standing } from '../support/fake-rollout-view.ts';
import { hostRow } from './fleet.ts';
import { halted, hosts, upgrading } from './scenes.ts';
import { Stage } from './stage.ts';

before(() => {
  process.env.TZ = 'UTC';
});

/** The line of the rollout, on so many columns. */
function lineOf(fields: Partial<RolloutStatus>, columns = 120): string | undefined {
  const found = upgrading(columns, 24, fields)
    .lines()
    .find((line) => line.startsWith(' release'));
  return found?.trimEnd();
}

test('a release that comes to the hosts has a line with its progress above them', () => {
  assert.equal(
    upgrading(80, 14).text(),
    ` procmesh › hosts                                2/7 online   03:12:00   ● live
 cpu 47% of 48 cores  mem 61% of 256G  read 25M  write 226M  in 17M  out 187M
 release 1.3 → 12/120 hosts █·········  wave 2/3 (10 %)  1 failed  3 away
── hosts ────────────────────────────────────────────────────────────────── 7 ──
    HOST               ▼CPU        MEM       DISK        NET TOP CPU
› ● db-02        ███▊·  76% ███··  61% ███▍·  67% ████▋  53M mysqld:3307 182%  …
  ● db-01        ██▉··  58% ███··  61% ███▏·  62% ███▉·  44M mysqld:3307 182%  …
  ↑ cache-1.exa… ██···  40% ███··  61% ██▉··  59% █████  57M upgrading
  ◐ 数据库-03    █▊···  35% ███··  61% ██▌··  50% ████▋  52M late, seen 8 s ago
  ○ db-04         offline, seen 4 m ago, connection reset
  ↑ db-05         deploying
  ✗ db-06         failed, ssh: permission denied

 Enter open  2 processes  ←→ sort  / filter  [ rewind  p pause  ? help  q quit
`,
  );
});

test('it says what has become of the release, and why, the most important first', () => {
  assert.equal(lineOf({ counts: counts({ waiting: 5 }), wave: 0 }), ' release 1.3 → 0/5 hosts ··········  wave 0/3');
  assert.equal(
    lineOf({ state: 'paused', counts: counts({ done: 6, waiting: 6 }) }),
    ' release 1.3 → 6/12 hosts █████·····  paused  wave 2/3 (10 %)',
  );
  assert.equal(
    lineOf({ version: '1.2', wave: 1, waves: ['all'], counts: counts({}), reason: 'release 1.3 failed on db-03' }),
    ' release 1.2 → 0/0 hosts ··········  wave 1/1 (all)  release 1.3 failed on db-03',
  );
  assert.equal(lineOf({ state: 'halted', reason: 'db-03: it crashed' }), ' release 1.3 halted: db-03: it crashed');
  assert.equal(lineOf({ state: 'halted' }), ' release 1.3 halted: a host failed');
  assert.equal(lineOf({}, 60), ' release 1.3 → 12/120 hosts █·········  wave 2/3 (10 %)  1 …');
});

test('what is wrong has the colour of a warning, and a word for those who see none', () => {
  const colours = (fields: Partial<RolloutStatus>) =>
    upgrading(120, 24, fields)
      .frame()[2]
      ?.flatMap(({ text, style }) => (style.fg === undefined || style.fg === 'cyan' ? [] : [`${style.fg}${text}`]));
  assert.deepEqual(colours({ state: 'halted', reason: 'it crashed' }), ['yellow halted: it crashed']);
  assert.deepEqual(colours({ state: 'paused' }), ['yellow  paused', 'red  1 failed']);
  assert.deepEqual(colours({ counts: counts({ done: 1 }) }), []);
});

test('a reason that is foreign and long is disarmed and cut', () => {
  assert.match(
    halted(80, 24).lines()[2] ?? '',
    /^ release 1\.3 halted: db-03: it ended with 1 \ufffd\[2J: 错误 .*…\s?$/,
  );
});

test('a release that is done, and none at all, are not shown', () => {
  const before = hosts(80, 24).text();
  assert.equal(upgrading(80, 24, { state: 'done' }).text(), before);
  assert.equal(hosts(80, 24).release().text(), before);
  assert.equal(upgrading(80, 24).release().text(), before);
});

test('a server that is too old for releases shows the hosts as ever', () => {
  const stage = hosts(80, 24);
  const before = stage.text();
  assert.equal(stage.refuse('knows of no releases', 'release').text(), before);
  assert.equal(upgrading(80, 24).refuse('knows of no releases', 'release').text(), before);
});

test('it is asked of as long as the hosts of the present are looked at', () => {
  const stage = upgrading(80, 24);
  assert.deepEqual(stage.standing('release'), { view: 'release', sort: 'cpu', limit: 1 });
  stage.keys('2');
  assert.equal(stage.standing('release'), undefined);
  assert.doesNotMatch(stage.rows().text(), /release 1\.3/);
  assert.match(stage.keys('1').text(), /release 1\.3/);
  stage.keys('[').series([]);
  assert.notEqual(stage.standing('release'), undefined);
  stage.keys('@').type('-5m').keys('enter');
  assert.equal(stage.standing('release'), undefined);
  assert.doesNotMatch(stage.hosts().text(), /release 1\.3/);
  assert.equal(stage.standing('release'), undefined);
  assert.doesNotMatch(stage.keys('L').hosts().text(), /release 1\.3/);
});

test('it is not asked of while there are no hosts, nor where the only one is opened', () => {
  const stage = new Stage().status({ state: 'open' }).hosts([]);
  assert.equal(stage.standing('release'), undefined);
  assert.equal(stage.hosts().standing('release'), undefined);
});

test('while paused it stays as it was', () => {
  const stage = upgrading(80, 24)
    .keys('p')
    .release(standing({ state: 'done' }));
  assert.match(stage.text(), /release 1\.3 → 12\/120/);
});

test('the selected host stays on the screen when the line comes', () => {
  const names = Array.from({ length: 40 }, (_, index) => hostRow({ host: `db-${String(index).padStart(2, '0')}` }));
  const stage = new Stage(80, 14).status({ state: 'open' }).hosts(names);
  stage.keys(...Array.from({ length: 8 }, () => 'down'));
  const selected = stage.selected();
  assert.equal(stage.lines().indexOf(selected), 12);
  assert.equal(stage.release(standing()).selected(), selected);
  assert.equal(stage.lines().length, 14);
});
