import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { Query } from '../../src/protocol/query.ts';
import { runTui } from '../../tui/tui.ts';
import { FakeClient } from './fake-client.ts';
import { AT, answerRows, busyHost, hostRow, point } from './fleet.ts';
import { FakeTerminal } from './virtual-terminal.ts';

/** A screen that never shows what is waited for would hold up the whole run. */
const timeout = 30_000;
const processes = busyHost('db-01', 120, 0);

function running(options: { notice?: string; atMs?: number } = {}) {
  const client = new FakeClient();
  const terminal = new FakeTerminal();
  const done = runTui({ client, terminal, ...options });
  const answer = (names = ['db-01']) => {
    for (const { query, deliver } of [...client.asked]) {
      const from = query.atMs === undefined ? {} : { from: new Date(query.atMs - 30_000).toISOString() };
      const at = query.atMs === undefined ? AT : new Date(query.atMs).toISOString();
      if (query.view === 'hosts')
        deliver({ type: 'hosts', id: 1, at, ...from, rows: names.map((host) => hostRow({ host })) });
      else if (query.view === 'release') deliver({ type: 'release', id: 1, at });
      else if (query.view === 'series') deliver({ type: 'series', id: 1, host: 'db-01', points: [point(0)] });
      else deliver({ ...answerRows(query, processes, at), ...from });
    }
  };
  const asked = (): Query[] => [...client.asked].map(({ query }) => query);
  return { client, terminal, done, answer, asked };
}

test('it connects, opens the only host, and leaves when told to', { timeout }, async () => {
  const { client, terminal, done, answer } = running({ notice: 'this machine only' });
  await terminal.until(/connecting to the server/);
  client.emit('status', { state: 'open' });
  answer();
  await terminal.until(/waiting for the first sample/);
  answer();
  await terminal.until(/mysqld:3307.*unattributed.*this machine only/s);
  assert.equal(terminal.screen.state.buffer, 'alternate');
  terminal.type('q');
  await done;
  assert.ok(client.isClosed);
  await terminal.shown();
  assert.deepEqual(terminal.screen.state, { buffer: 'normal', mouse: 'none', showsCursor: true });
});

test('processes are subscribed to only while they are looked at', { timeout }, async () => {
  const { client, terminal, done, answer, asked } = running();
  client.emit('status', { state: 'open' });
  answer(['db-01', 'db-02']);
  assert.deepEqual(
    asked().map(({ view }) => view),
    ['hosts', 'release'],
  );
  terminal.type('2');
  await terminal.until(/› processes/);
  terminal.type('mt');
  await terminal.until(/waiting/);
  assert.deepEqual(asked()[1], { view: 'processes', groupBy: 'instance', sort: 'mem', limit: 50 });
  terminal.type('1');
  await terminal.until(/› hosts/);
  assert.deepEqual(
    asked().map(({ view }) => view),
    ['hosts', 'release'],
  );
  terminal.type('q');
  await done;
});

test('in the past nothing live is subscribed to, and back in the present everything is again', {
  timeout,
}, async () => {
  const { client, terminal, done, answer, asked } = running();
  client.emit('status', { state: 'open' });
  answer();
  answer();
  await terminal.until(/● live/);
  terminal.type('[');
  await terminal.until(/rewinding/);
  answer();
  answer();
  await terminal.until(/2026-11-23 \d\d:\d\d:\d\d .* ◀ past/);
  assert.deepEqual(
    asked().map(({ view, atMs }) => [view, atMs]),
    [
      ['processes', Date.parse(AT)],
      ['series', Date.parse(AT)],
    ],
  );
  terminal.type('L');
  await terminal.until(/waiting for the first sample/);
  assert.deepEqual(
    asked().map(({ view, atMs }) => [view, atMs]),
    [
      ['processes', undefined],
      ['hosts', undefined],
    ],
  );
  answer();
  await terminal.until(/1\/1 online .* ● live/);
  terminal.type('q');
  await done;
});

test('it begins in the past when it is told to, and asks nothing of the present', { timeout }, async () => {
  const atMs = Date.parse(AT) - 3_600_000;
  const { client, terminal, done, answer, asked } = running({ atMs });
  client.emit('status', { state: 'open' });
  answer();
  await terminal.until(/asking what there was/);
  assert.deepEqual(
    asked().map((query) => query.atMs),
    [atMs, atMs],
  );
  answer();
  await terminal.until(/◀ past.*averages of/s);
  terminal.type('q');
  await done;
});

test('a server that goes away is said, and it is live again by itself', { timeout }, async () => {
  const { client, terminal, done, answer } = running();
  client.emit('status', { state: 'open' });
  answer();
  answer();
  await terminal.until(/● live/);
  client.emit('status', { state: 'lost', reason: 'nothing listens there', retryInMs: 5 });
  await terminal.until(/server gone: nothing listens there, trying again.*mysqld:3307/s);
  client.emit('status', { state: 'connecting' });
  client.emit('status', { state: 'open' });
  await terminal.until(/● live/);
  terminal.type('\x03');
  await done;
});

test('what the server alerts is shown, cleaned of what would move the cursor', { timeout }, async () => {
  const { client, terminal, done, answer } = running();
  client.emit('status', { state: 'open' });
  answer();
  answer();
  await terminal.until(/● live/);
  client.emit('event', {
    type: 'event',
    at: AT,
    host: 'db-02',
    state: 'alerted',
    text: 'cpu 97 % for 5 min: \x1b[2Jsh',
  });
  await terminal.until(/▲ db-02: cpu 97 % for 5 min: .*\[2Jsh.*mysqld:3307/s);
  terminal.type('q');
  await done;
  assert.equal(client.listenerCount('event'), 0);
});

test('a resize draws the new size', { timeout }, async () => {
  const { client, terminal, done, answer } = running();
  client.emit('status', { state: 'open' });
  answer();
  answer();
  await terminal.until(/mysqld:3307/);
  terminal.resize(50, 10);
  await terminal.until(/50×10 is too small/);
  terminal.resize(120, 40);
  await terminal.until(/USER/);
  terminal.type('q');
  await done;
});

test('a burst of answers makes one frame, and an answer that changes nothing makes none', { timeout }, async () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  try {
    const { client, terminal, done, answer } = running();
    client.emit('status', { state: 'open' });
    answer();
    mock.timers.tick(60);
    const before = terminal.written.length;
    for (let times = 0; times < 100; times += 1) answer();
    mock.timers.tick(60);
    assert.equal(terminal.written.length, before + 1);
    answer();
    mock.timers.tick(5_000);
    assert.equal(terminal.written.length, before + 1);
    terminal.input.emit('data', Buffer.from('q'));
    await done;
  } finally {
    mock.timers.reset();
  }
});

test('what changes a hundred times a second is drawn twenty times', { timeout }, async () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  let nowMs = 0;
  mock.method(performance, 'now', () => nowMs);
  try {
    const { client, terminal, done } = running();
    client.emit('status', { state: 'open' });
    const [hosts] = client.asked;
    const before = terminal.written.length;
    for (let answer = 1; answer <= 100; answer += 1) {
      hosts?.deliver({ type: 'hosts', id: 1, at: AT, rows: [hostRow({ load1: answer }), hostRow({ host: 'db-02' })] });
      nowMs += 10;
      mock.timers.tick(10);
      terminal.input.emit('data', Buffer.from(answer % 2 ? 'w' : 'c'));
    }
    assert.equal(terminal.written.length - before, 20);
    terminal.input.emit('data', Buffer.from('q'));
    await done;
  } finally {
    mock.timers.reset();
    mock.restoreAll();
  }
});

test('SIGTERM, SIGINT and a terminal that goes away end it like q, and leave no listener', { timeout }, async () => {
  const count = () => ['SIGTERM', 'SIGINT', 'SIGHUP', 'exit'].map((event) => process.listenerCount(event));
  const before = count();
  for (const end of [
    () => process.emit('SIGTERM'),
    () => process.emit('SIGINT'),
    (terminal: FakeTerminal) => terminal.input.emit('end'),
  ]) {
    const { client, terminal, done } = running();
    end(terminal);
    await done;
    assert.ok(client.isClosed);
    assert.deepEqual(count(), before);
    assert.equal(client.listenerCount('status'), 0);
  }
});

test('what goes wrong inside is thrown, after the terminal was restored', { timeout }, async () => {
  const { client, terminal, done } = running();
  client.emit('status', { state: 'open' });
  for (const { deliver } of client.asked) deliver({ type: 'hosts', id: 1, at: AT, rows: null as never });
  await assert.rejects(done, TypeError);
  await terminal.shown();
  assert.equal(terminal.screen.state.buffer, 'normal');
  assert.ok(client.isClosed);
});
