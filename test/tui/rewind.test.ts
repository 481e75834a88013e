import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { HOSTS_QUERY } from '../../tui/query.ts';
import { AT, hostRow, later, point, processRow } from './fleet.ts';
import { Stage } from './stage.ts';

before(() => {
  process.env.TZ = 'UTC';
});

const ms = (seconds: number) => Date.parse(AT) + seconds * 1_000;
const points = Array.from({ length: 40 }, (_, index) => point((index - 39) * 30));

/** One host, gone back to the newest interval, which ended at `AT`, six seconds ago. */
function rewound(): Stage {
  const stage = new Stage().oneHost().hosts([hostRow()], later(6));
  return stage
    .keys('[')
    .series(points)
    .series(points)
    .rows([processRow()], { from: later(-30) });
}

/** End of the interval that holds the moment that is asked for, in seconds after `AT`. */
function asked(stage: Stage, length = 30): number | undefined {
  const { moment } = stage.model;
  return moment.state === 'past' ? Math.ceil((moment.atMs - ms(0)) / 1_000 / length) * length + 0 : undefined;
}

/** Answers what stands with the interval that ends so many seconds after `AT`. */
function shown(stage: Stage, seconds: number, length = 30): Stage {
  return stage.rows([processRow()], { from: later(seconds - length) }, later(seconds));
}

test('[ looks for the newest interval and goes there, live until it is found', () => {
  const stage = new Stage().oneHost().hosts([hostRow()], later(6)).keys('[');
  assert.deepEqual(stage.standing('series'), {
    ...{ view: 'series', host: 'db-01', sort: 'cpu', limit: 150, atMs: ms(6), windowMs: 366 * 86_400_000 },
  });
  assert.equal(stage.asked?.atMs, undefined);
  assert.deepEqual(stage.standing('hosts'), HOSTS_QUERY);
  assert.match(stage.line('procmesh'), /rewinding/);
  stage.series(points);
  assert.equal(asked(stage), 0);
  assert.equal(stage.asked?.atMs, ms(0));
});

test('[ and { before it is found go back further, ] takes one of them back', () => {
  const seek = (...keys: string[]) =>
    asked(
      new Stage()
        .oneHost()
        .keys(...keys)
        .series(points),
    );
  assert.equal(seek('['), 0);
  assert.equal(seek('[', '['), -30);
  assert.equal(seek('{'), -270);
  assert.equal(seek('{', ']'), -240);
  assert.equal(seek('{', '{', '{', '{', '{'), -39 * 30);
  assert.equal(new Stage().oneHost().keys('[', ']').model.moment.state, 'live');
});

test('in a list of hosts the newest interval of one that is there is looked for', () => {
  const hosts = [hostRow({ host: 'db-01', status: 'offline' }), hostRow({ host: 'db-02' })];
  const stage = new Stage().status({ state: 'open' }).hosts(hosts).keys('[');
  assert.equal(stage.standing('series')?.host, 'db-02');
  stage.series(points, 'db-02');
  assert.deepEqual(stage.standing('hosts'), { ...HOSTS_QUERY, atMs: ms(0) });
  assert.equal(stage.standing('series'), undefined);
});

test('where nothing was recorded yet, it is said and stays live', () => {
  const stage = new Stage().oneHost().keys('[').series([]);
  assert.equal(stage.model.moment.state, 'live');
  assert.match(stage.lines().at(-1) ?? '', /nothing has been recorded yet/);
  assert.doesNotMatch(stage.keys('g').text(), /nothing has been recorded/);
  assert.equal(stage.standing('series'), undefined);
});

test('a store that cannot say what is newest is quoted, and it stays live', () => {
  const stage = new Stage(120, 24).oneHost().keys('[').refuse('the store is damaged', 'series');
  assert.equal(stage.model.moment.state, 'live');
  assert.match(stage.lines().at(-1) ?? '', /the store is damaged/);
});

test('before any host is known there is nothing to go back to', () => {
  const stage = new Stage().status({ state: 'open' }).keys('[', '{', ']');
  assert.equal(stage.model.moment.state, 'live');
});

test('in the past the present is not asked for any more, of the past only what is on the screen', () => {
  const stage = rewound();
  assert.equal(stage.standing('hosts'), undefined);
  assert.deepEqual(stage.commands.filter((command) => command.type === 'ask' && command.about === 'hosts').at(-1), {
    ...{ type: 'ask', about: 'hosts', query: undefined },
  });
  assert.deepEqual(stage.asked, { view: 'processes', host: 'db-01', sort: 'cpu', limit: 50, atMs: ms(0) });
  assert.equal(stage.standing('series')?.atMs, ms(0));
  stage.keys('1');
  assert.deepEqual(stage.standing('hosts'), { ...HOSTS_QUERY, atMs: ms(0) });
  assert.deepEqual([stage.asked, stage.standing('series')], [undefined, undefined]);
});

test('[ and ] go by the interval that is shown, { and } by ten of them', () => {
  assert.equal(asked(rewound().keys('[')), -30);
  assert.equal(asked(rewound().keys('{')), -300);
  const stage = shown(rewound().keys('{'), -300);
  assert.equal(asked(stage.keys(']')), -270);
  assert.equal(asked(shown(shown(stage, -270).keys('{'), -570).keys('}')), -270);
});

test('where intervals have another length, the steps have it too', () => {
  const stage = shown(rewound().keys('{'), -300, 60);
  assert.equal(asked(stage.keys('['), 60), -360);
  assert.equal(asked(shown(stage, -360, 60).keys(']'), 60), -300);
});

test('an interval that began a second early or late is followed by its neighbour, too', () => {
  for (const length of [29, 30, 31, 32]) {
    assert.equal(asked(shown(rewound(), 0, length).keys('[')), -30, `${length} s back`);
    const stage = shown(rewound().keys('{'), -300, length);
    assert.equal(asked(stage.keys(']')), -270, `${length} s on`);
  }
});

test('an interval is not gone on to before it can have ended', () => {
  const stage = shown(rewound(), 0, 28);
  for (let second = 0; second < 23; second += 1) stage.second();
  assert.equal(stage.keys(']').model.moment.state, 'live');
});

test('through a gap before an interval that was cut short steps are as long as those of others', () => {
  const stage = shown(rewound().keys('['), -30, 2).keys('[');
  stage.rows([], { totals: [] }, later(-33)).keys('[');
  assert.equal(stage.model.moment.state === 'past' && (ms(0) - stage.model.moment.atMs) / 1_000, 63);
});

test('keys that come faster than answers go on from what was asked for', () => {
  assert.equal(asked(rewound().keys('[', '[', '[')), -90);
  assert.equal(asked(rewound().keys('[', '[', '[', ']')), -60);
});

test('one question at a time is under way, then the one that was chosen last', () => {
  const stage = rewound().keys('[', '[', '[');
  const moments = () =>
    stage.commands.flatMap((command) =>
      command.type === 'ask' && command.about === 'processes' && command.query?.atMs !== undefined
        ? [Math.ceil((command.query.atMs - ms(0)) / 30_000) * 30]
        : [],
    );
  assert.deepEqual(moments(), [0, -30]);
  shown(stage, -30);
  assert.deepEqual(moments(), [0, -30, -90]);
  assert.match(stage.line('procmesh'), /2026-11-23 03:12:00 /);
  shown(stage, -90);
  assert.match(stage.line('procmesh'), /2026-11-23 03:10:30 /);
  assert.deepEqual(moments(), [0, -30, -90]);
});

test('the present is asked for at once, whatever is under way', () => {
  const stage = rewound().keys('[', '[', 'L');
  assert.deepEqual(stage.asked, { view: 'processes', host: 'db-01', sort: 'cpu', limit: 50 });
});

test('through a time without records steps go on by the length known last, and that is said', () => {
  const incomplete = [{ host: 'db-01', reason: 'nothing was recorded then' }];
  const stage = rewound().keys('[').rows([], { totals: [], incomplete }, later(-30));
  assert.match(stage.text(), /nothing was recorded then/);
  assert.doesNotMatch(stage.text(), /mysqld/);
  assert.equal(asked(stage.keys('[')), -60);
  stage.rows([], { totals: [], incomplete }, later(-60));
  assert.equal(asked(stage.keys(']')), -30);
});

test('going on from the newest interval ends in the present, of which everything is asked anew', () => {
  const stage = rewound().keys(']');
  assert.equal(stage.model.moment.state, 'live');
  assert.deepEqual(stage.standing('hosts'), HOSTS_QUERY);
  assert.deepEqual(stage.asked, { view: 'processes', host: 'db-01', sort: 'cpu', limit: 50 });
  assert.equal(stage.standing('series'), undefined);
  assert.doesNotMatch(stage.text(), /mysqld/);
  assert.match(stage.hosts().rows().line('procmesh'), /1\/1 online .* ● live/);
});

test('L returns to the present from anywhere, and does nothing there', () => {
  assert.equal(rewound().keys('{', 'L').model.moment.state, 'live');
  assert.equal(new Stage().oneHost().keys('[', 'L').standing('series'), undefined);
  const stage = new Stage().oneHost();
  const before = stage.text();
  assert.equal(stage.keys('L', ']', '}').text(), before);
});

test('what is known of the present is not shown as the past, nor the other way round', () => {
  const stage = new Stage().fleet('db-01', 'db-02').keys('[').series(points);
  assert.doesNotMatch(stage.text(), /db-0/);
  stage.hosts([hostRow()], AT, later(-30));
  assert.match(stage.text(), /db-01/);
  assert.doesNotMatch(stage.keys('L').text(), /db-0/);
  const samples = () => stage.hosts([hostRow({ lastSeenAt: later(6) })], later(6)).model.history.get('db-01')?.length;
  assert.equal(samples(), 1);
});

test('a host that is late or gone now is not said to have been so then', () => {
  const hosts = [hostRow({ status: 'offline', message: 'connection reset' }), hostRow({ host: 'db-02' })];
  const stage = new Stage().status({ state: 'open' }).hosts(hosts).keys('[').series(points, 'db-02');
  stage
    .hosts(hosts, AT, later(-30))
    .keys('enter')
    .rows([processRow()], { from: later(-30) });
  assert.match(stage.line('procmesh'), /› db-01 /);
  assert.doesNotMatch(stage.text(), /offline|connection reset/);
});

test('Esc goes back a view and stays in the past', () => {
  const stage = rewound().keys('escape');
  assert.equal(asked(stage), 0);
  assert.deepEqual(stage.standing('hosts'), { ...HOSTS_QUERY, atMs: ms(0) });
});

test('p plays: an interval each second once the one before is shown, until the present', () => {
  const stage = shown(rewound().keys('[', '['), -60).keys('p');
  shown(stage, -60);
  assert.match(stage.line('procmesh'), /▶ playing/);
  assert.equal(asked(stage.second()), -30);
  assert.equal(asked(stage.second()), -30);
  assert.equal(asked(shown(stage, -30).second()), 0);
  assert.match(shown(stage, 0).line('procmesh'), /▶ playing/);
  assert.equal(stage.second().model.moment.state, 'live');
});

test('p again stops, and so do a step, a jump and a refusal', () => {
  const playing = () => shown(shown(rewound().keys('{'), -300).keys('p'), -300);
  const goesOn = (stage: Stage) => {
    const at = asked(shown(stage, asked(stage) ?? 0));
    return asked(stage.second()) !== at;
  };
  assert.equal(goesOn(playing()), true);
  assert.equal(goesOn(playing().keys(' ')), false);
  assert.equal(goesOn(playing().keys('[')), false);
  assert.equal(goesOn(playing().keys('@').type('03:00').keys('enter')), false);
  const refused = playing().second().refuse('the store is damaged').second();
  assert.match(refused.text(), /the store is damaged/);
  assert.match(refused.line('procmesh'), /◀ past/);
  assert.equal(goesOn(refused), false);
});

test('who has paused and goes back is not paused any more', () => {
  const stage = new Stage()
    .oneHost()
    .keys('p', '[')
    .series(points)
    .rows([processRow()], { from: later(-30) });
  assert.match(stage.line('procmesh'), /◀ past/);
  stage.keys('L').hosts().rows();
  assert.match(stage.line('procmesh'), /● live/);
});

test('what the store cannot answer is said, and stepping goes on', () => {
  const stage = rewound().keys('[').refuse('the store has not answered within 60 s');
  assert.match(stage.text(), /the store has not answered within 60 s/);
  assert.doesNotMatch(stage.text(), /mysqld/);
  assert.equal(asked(stage.keys('[')), -60);
  assert.match(shown(stage, -60).text(), /mysqld:3307/);
});

test('a filter that the store cannot read is said with the way out of it', () => {
  const stage = rewound().keys('/').type('cpu:(').keys('enter').refuse('the filter "cpu:(" cannot be read');
  assert.match(stage.text(), /cannot be read\s+\/ types a filter, x clears it\s+\[ and \] step on/);
  assert.match(
    stage
      .keys('x')
      .rows([processRow()], { from: later(-30) })
      .text(),
    /mysqld:3307/,
  );
});

test('what the store cannot answer about hosts is said, too', () => {
  const stage = new Stage().fleet('db-01', 'db-02').keys('[').series(points).hosts([hostRow()], AT, later(-30));
  stage.keys('[').refuse('the store is damaged', 'hosts');
  assert.match(stage.text(), /the store is damaged/);
  assert.equal(asked(stage.keys('[')), -60);
});

test('a process that is opened is asked about as it was then, and its past as well', () => {
  const stage = rewound().keys('enter');
  assert.deepEqual(stage.asked, {
    ...{ view: 'processes', host: 'db-01', filter: 'pid:/^2913$/', sort: 'cpu', limit: 1, atMs: ms(0) },
  });
  assert.deepEqual(stage.standing('series')?.process, { pid: 2913, startedAt: '2026-11-20T01:02:03.000Z' });
});

test('a process keeps nothing of the past when it is live again', () => {
  const stage = rewound()
    .keys('enter')
    .rows([processRow({ cpuPercent: 77.7 })], { from: later(-30) });
  assert.match(stage.line(' CPU '), /77\.7%/);
  stage.keys('L');
  assert.match(stage.line(' CPU '), / - /);
  assert.deepEqual(stage.asked?.details, true);
  stage.rows([processRow({ cpuPercent: 5.5 })]);
  assert.match(stage.line(' CPU '), /5\.5%/);
  assert.match(stage.line('usage since opened'), /./);
});

test('a process that an interval did not record shows no figures of another one', () => {
  const stage = rewound()
    .keys('enter')
    .rows([processRow()], { from: later(-30) })
    .keys('[');
  stage.rows([], { from: later(-60) }, later(-30));
  assert.match(stage.text(), /it was not recorded then/);
  assert.match(stage.line(' CPU '), / - +- /);
  assert.match(stage.line(' state '), /^ state +- *$/);
  assert.equal(asked(stage.keys('[')), -60);
  stage.rows([], { totals: [], incomplete: [{ host: 'db-01', reason: 'nothing was recorded then' }] }, later(-60));
  assert.match(stage.text(), /nothing was recorded then/);
  shown(stage.keys(']'), -30);
  assert.match(stage.line(' CPU '), /182\.4%/);
});

test('a process is not said to have used little before it was started', () => {
  const young = processRow({ startedAt: later(-20) });
  const stage = rewound()
    .rows([young], { from: later(-30) })
    .keys('enter')
    .rows([young], { from: later(-30) });
  stage.keys('[').rows([], { from: later(-60) }, later(-30));
  assert.match(stage.text(), /it had not started then/);
});

test('it can begin in the past, where a single host is opened as in the present', () => {
  const stage = new Stage(80, 24, undefined, ms(-300)).status({ state: 'open' });
  assert.deepEqual(stage.standing('hosts'), { ...HOSTS_QUERY, atMs: ms(-300) });
  stage.hosts([hostRow()], later(-300), later(-330));
  assert.deepEqual(stage.asked, { view: 'processes', host: 'db-01', sort: 'cpu', limit: 50, atMs: ms(-300) });
  assert.equal(asked(shown(stage, -300).keys(']')), -270);
});

test('the clock of the server is followed, and not that of an answer about the past', () => {
  const stage = rewound().keys('1').hosts([hostRow()], AT, later(-30));
  assert.match(stage.line('procmesh'), /03:12:00 {3}6 s ago/);
  assert.match(stage.second().line('procmesh'), /03:12:00 {3}7 s ago/);
});

test('the question about the past stays the same while nobody goes elsewhere', () => {
  const stage = rewound();
  const before = stage.commands.length;
  stage.second().second().keys('down', '?', '?').send({ type: 'resize', columns: 100, rows: 30 });
  assert.equal(stage.commands.length, before);
});
