import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOSTS_QUERY, questionOf } from '../../tui/query.ts';
import { AT, busyHost, hostRow, hostTotal, processRow } from './fleet.ts';
import { Stage } from './stage.ts';

const later = '2026-11-23T03:12:02.000Z';
const three = () => [
  processRow({ pid: 1, instance: 'one', cpuPercent: 30, rssBytes: 1e9, user: 'a' }),
  processRow({ pid: 2, instance: 'two', cpuPercent: 20, rssBytes: 3e9, user: 'c' }),
  processRow({ pid: 3, instance: 'three', cpuPercent: 10, rssBytes: 2e9, user: 'b' }),
];

function order(stage: Stage): string[] {
  const view = stage.model.views.at(-1);
  return view?.name === 'processes'
    ? (view.data?.rows ?? []).map((row) => ('pid' in row ? row.instance : row.group))
    : [];
}

test('a single host is opened at once', () => {
  const stage = new Stage().status({ state: 'open' }).hosts([hostRow({ host: 'db-07' })]);
  assert.deepEqual(stage.commands, [
    { type: 'ask', about: 'hosts', query: HOSTS_QUERY },
    { type: 'ask', about: 'processes', query: { view: 'processes', host: 'db-07', sort: 'cpu', limit: 50 } },
  ]);
});

test('a single host is opened when it comes later than the first answer', () => {
  const stage = new Stage()
    .status({ state: 'open' })
    .hosts([])
    .hosts([hostRow({ host: 'db-07' })]);
  assert.equal(stage.asked?.host, 'db-07');
});

test('a retired host does not make two of one', () => {
  const stage = new Stage().status({ state: 'open' }).hosts([{ host: 'db-06', status: 'retired' }, hostRow()]);
  assert.equal(stage.asked?.host, 'db-01');
});

test('several hosts are listed, and no processes are asked for', () => {
  const stage = new Stage().fleet('db-01', 'db-02');
  assert.equal(stage.asked, undefined);
  assert.equal(stage.model.views.length, 1);
});

test('once decided, the first view stays when hosts come and go', () => {
  assert.equal(new Stage().fleet('db-01', 'db-02').hosts([hostRow()]).asked, undefined);
  assert.equal(new Stage().oneHost().hosts([hostRow(), hostRow({ host: 'db-02' })]).asked?.host, 'db-01');
});

test('nobody who has pressed a key is taken elsewhere', () => {
  assert.equal(new Stage().status({ state: 'open' }).keys('1').hosts([hostRow()]).asked, undefined);
});

test('processes are asked for only while a view shows them', () => {
  const stage = new Stage().fleet('db-01', 'db-02').keys('2');
  assert.deepEqual(stage.asked, { view: 'processes', sort: 'cpu', limit: 50 });
  stage.keys('1');
  assert.equal(stage.asked, undefined);
  assert.deepEqual(stage.commands.at(-2), { type: 'ask', about: 'processes', query: undefined });
});

test('a command is given only when the question changes', () => {
  const stage = new Stage().oneHost();
  const before = stage.commands.length;
  stage.rows().hosts().keys('down', 'p', 'p', '?', '?').send({ type: 'clock', nowMs: 5_000 });
  assert.equal(stage.commands.length, before);
});

test('the limit follows a tall terminal', () => {
  assert.equal(new Stage(120, 90).oneHost().asked?.limit, 90);
});

test('scrolling towards the end asks for more rows, until there are no more', () => {
  const rows = busyHost('db-01', 60, 0);
  const stage = new Stage().oneHost(rows.slice(0, 50)).keys('j');
  assert.equal(stage.asked?.limit, 50);
  stage.keys('G');
  assert.equal(stage.asked?.limit, 100);
  stage.rows(rows).keys('G', 'G');
  assert.equal(stage.asked?.limit, 100);
});

test('the selection stays on its process when the rows reorder', () => {
  const stage = new Stage().oneHost(three()).keys('down');
  assert.match(stage.selected(), /two/);
  stage.rows(three().map((row) => ({ ...row, cpuPercent: row.pid === 2 ? 1 : row.cpuPercent })));
  assert.match(stage.selected(), /two/);
  assert.deepEqual(order(stage), ['one', 'three', 'two']);
});

test('a pid that is used again is another process', () => {
  const stage = new Stage().oneHost(three()).keys('down');
  stage.rows(three().map((row) => (row.pid === 2 ? { ...row, startedAt: later, cpuPercent: 1 } : row)));
  assert.match(stage.selected(), /three/);
});

test('direct keys sort by their metric at once and ask the server to pick by it', () => {
  for (const [key, sort] of Object.entries({ m: 'mem', r: 'read', w: 'write', i: 'net-in', o: 'net-out', c: 'cpu' })) {
    const stage = new Stage().oneHost(three()).keys('m', key);
    assert.equal(stage.asked?.sort, sort);
  }
  assert.deepEqual(order(new Stage().oneHost(three()).keys('m')), ['two', 'three', 'one']);
});

test('the arrows go through every column; by a name, the rows stay the largest of the last metric', () => {
  const stage = new Stage().oneHost(three()).keys('m', 'left', 'left');
  assert.equal(stage.model.sort, 'user');
  assert.deepEqual(order(stage), ['one', 'three', 'two']);
  assert.equal(stage.asked?.sort, 'cpu');
  assert.match(stage.line('── processes'), /largest by CPU/);
  const seen = new Set<string>();
  for (let press = 0; press < 10; press += 1) seen.add(stage.keys('>').model.sort);
  assert.deepEqual([...seen].sort(), [
    ...['command', 'cpu', 'instance', 'mem', 'net-in', 'net-out', 'pid', 'read', 'user', 'write'],
  ]);
});

test('hosts sort by shares of what they have, not by sums', () => {
  const stage = new Stage()
    .status({ state: 'open' })
    .hosts([
      hostRow({ host: 'large', cores: 64, cpuPercent: 640, memTotalBytes: 100, memUsedBytes: 90 }),
      hostRow({ host: 'small', cores: 4, cpuPercent: 390, memTotalBytes: 100, memUsedBytes: 10 }),
      { host: 'new', status: 'deploying' },
    ]);
  const names = () =>
    stage
      .lines()
      .flatMap((line) => /[●↑] (\w+)/.exec(line)?.[1] ?? [])
      .slice(1);
  assert.deepEqual(names(), ['small', 'large', 'new']);
  assert.deepEqual(stage.keys('m') && names(), ['large', 'small', 'new']);
  assert.deepEqual(stage.keys('<', '<') && names(), ['large', 'new', 'small']);
});

test('t goes through the groupings and back to processes', () => {
  const stage = new Stage().oneHost();
  const asked = [1, 2, 3, 4].map(() => stage.keys('t').asked?.groupBy);
  assert.deepEqual(asked, ['instance', 'user', 'comm', undefined]);
});

test('rows of processes do not get into a table of groups', () => {
  const stage = new Stage()
    .oneHost()
    .keys('t')
    .rows([processRow(), { group: 'mysqld:3307', processes: 2 }]);
  assert.deepEqual(order(stage), ['mysqld:3307']);
});

test('Enter on a group shows its own processes, Esc goes back to the groups', () => {
  const stage = new Stage().fleet('db-01', 'db-02').keys('2', '/').type('cpu:>1').keys('enter', 't', 't');
  stage.rows([{ group: 'www-data.1', processes: 3, cpuPercent: 9 }]).keys('enter');
  assert.deepEqual(stage.asked, {
    ...{ view: 'processes', filter: '(cpu:>1) AND user:/^www-data\\.1$/', sort: 'cpu', limit: 50 },
  });
  assert.match(stage.line('procmesh'), /› www-data\.1 /);
  assert.equal(stage.keys('escape').asked?.groupBy, 'user');
  assert.match(stage.selected(), /www-data\.1/);
});

test('Enter on a group of one host stays on that host', () => {
  const stage = new Stage()
    .fleet('db-01', 'db-02')
    .keys('2', 't')
    .rows([{ host: 'db-02', group: 'a b', processes: 1 }]);
  stage.keys('enter');
  assert.deepEqual([stage.asked?.host, stage.asked?.filter], ['db-02', 'instance:/^a\\u0020b$/']);
});

test('Enter opens a host, then a process; Esc and Backspace go back', () => {
  const stage = new Stage().fleet('db-01', 'db-02').keys('down', 'enter');
  assert.equal(stage.asked?.host, 'db-02');
  stage.rows([processRow({ host: 'db-02' })]).keys('enter');
  assert.deepEqual(stage.asked, {
    ...{ view: 'processes', host: 'db-02', filter: 'pid:/^2913$/', sort: 'cpu', limit: 1, details: true },
  });
  assert.equal(stage.keys('escape').asked?.limit, 50);
  assert.equal(stage.keys('backspace').asked, undefined);
  assert.match(stage.selected(), /db-02/);
  assert.equal(stage.keys('escape').model.views.length, 1);
});

test('a filter is typed, applied and cleared', () => {
  const stage = new Stage().oneHost().keys('/').type('usr').keys('backspace', 'backspace').type('ser:q');
  assert.equal(stage.model.typing?.text, 'user:q');
  assert.equal(stage.asked?.filter, undefined);
  assert.equal(stage.keys('enter').asked?.filter, 'user:q');
  assert.equal(stage.keys('x').asked?.filter, undefined);
});

test('a filter that is typed and cancelled leaves the one before', () => {
  const stage = new Stage().oneHost().keys('/').type('java').keys('enter', '/').type('x 订单').keys('escape');
  assert.equal(stage.asked?.filter, 'java');
  assert.equal(stage.keys('/', 'C-u', 'enter').asked?.filter, undefined);
});

test('Ctrl-C quits out of a filter too, while q is a letter of it', () => {
  const stage = new Stage().oneHost().keys('/', 'q');
  assert.equal(stage.commands.at(-1)?.type, 'ask');
  assert.deepEqual(stage.keys('C-c').commands.at(-1), { type: 'quit' });
});

test('a filter that the server refuses shows what it says, and the rows of the question before are gone', () => {
  const stage = new Stage().oneHost().keys('/').type('cpu:(').keys('enter').refuse('the filter "cpu:(" cannot be read');
  assert.match(stage.text(), /the filter "cpu:\(" cannot be read/);
  assert.doesNotMatch(stage.text(), /mysqld/);
  assert.equal(stage.keys('enter').model.views.length, 2);
  stage.keys('x').rows();
  assert.match(stage.text(), /mysqld:3307/);
});

test('the hosts are filtered by name here', () => {
  const stage = new Stage().fleet('db-01', 'web-01', 'DB-02').keys('/').type('db').keys('enter');
  assert.deepEqual(
    stage.lines().flatMap((line) => /● (\S+-\d+)/.exec(line)?.[1] ?? []),
    ['DB-02', 'db-01'],
  );
  assert.match(stage.line('hosts  filter'), /filter db .* 2 of 3/);
});

test('while paused nothing moves, and what was asked for since is shown', () => {
  const stage = new Stage()
    .oneHost()
    .keys('p')
    .rows([processRow({ instance: 'newer' })])
    .hosts([hostRow({ cpuPercent: 800 })]);
  assert.match(stage.text(), /mysqld:3307/);
  assert.doesNotMatch(stage.text(), /newer|100%/);
  assert.match(stage.line('procmesh'), /paused/);
  stage
    .keys('m')
    .rows([processRow({ instance: 'newer' })])
    .rows([processRow({ instance: 'newest' })]);
  assert.match(stage.text(), /newer/);
  stage.keys(' ').rows([processRow({ instance: 'newest' })]);
  assert.match(stage.text(), /newest/);
});

test('a lost server is said with its reason until it is back, dials in between included', () => {
  const stage = new Stage().oneHost().status({ state: 'lost', reason: 'nothing listens there', retryInMs: 100 });
  stage.status({ state: 'connecting' });
  assert.match(stage.line('server gone'), /nothing listens there, trying again/);
  assert.match(stage.text(), /mysqld:3307/);
  stage.status({ state: 'open' }).rows();
  assert.doesNotMatch(stage.text(), /server gone/);
  assert.match(stage.line('procmesh'), /● live/);
});

test('a refused token is said as well', () => {
  const stage = new Stage().status({ state: 'refused', reason: 'the server refuses the token', what: 'token' });
  assert.match(stage.line('server gone'), /the server refuses the token/);
});

test('data that is old shows its age', () => {
  const stage = new Stage().oneHost().send({ type: 'clock', nowMs: 10_500 });
  assert.doesNotMatch(stage.line('procmesh'), /ago/);
  assert.match(stage.send({ type: 'clock', nowMs: 13_500 }).line('procmesh'), /\(12 s ago\)/);
});

test('a process that has ended keeps its last figures and says so', () => {
  const stage = new Stage()
    .oneHost()
    .keys('enter')
    .rows([processRow({ cpuPercent: 55.5 })])
    .rows([]);
  assert.match(stage.text(), /this process has ended/);
  assert.match(stage.line(' CPU '), /55\.5%/);
});

test('a process of a host that does not answer has not ended', () => {
  const incomplete = [{ host: 'db-01', reason: 'offline' }];
  const stage = new Stage().oneHost().keys('enter').rows([], { totals: [], incomplete });
  assert.doesNotMatch(stage.text(), /ended/);
});

test('a resize keeps the selected row on the screen', () => {
  const stage = new Stage(80, 50).oneHost(busyHost('db-01', 40, 0)).keys('end');
  const selected = stage.selected().slice(0, 20);
  assert.equal(stage.send({ type: 'resize', columns: 80, rows: 20 }).selected().slice(0, 20), selected);
});

test('help opens over everything and any of its keys closes it', () => {
  for (const key of ['?', 'h', 'escape', 'enter']) {
    const stage = new Stage().oneHost().keys('h');
    assert.match(stage.text(), /┌─ keys/);
    assert.doesNotMatch(stage.keys(key).text(), /┌─ keys/);
  }
  assert.deepEqual(new Stage().keys('h', 'q').commands.at(-1), { type: 'quit' });
});

test('keys that mean nothing change nothing', () => {
  const stage = new Stage().oneHost();
  const before = stage.text();
  assert.equal(stage.keys('z', 'f5', 'insert', 'C-x', 'tab').text(), before);
});

test('no key breaks a view that has no rows yet', () => {
  const keys = ['enter', 'up', 'down', 'pageup', 'pagedown', 'home', 'end', 't', 'x', 'left', 'right', 'c', 'escape'];
  for (const open of [[], ['2'], ['2', 't']]) {
    const stage = new Stage().keys(...open);
    for (const key of keys) assert.equal(stage.keys(key).lines().length, 24);
  }
});

test('the question of a model is a function of the model', () => {
  const stage = new Stage().oneHost([processRow()], { totals: [hostTotal()] });
  assert.deepEqual(questionOf(stage.model, 'processes'), stage.asked);
  assert.equal(stage.model.hosts?.at, AT);
});
