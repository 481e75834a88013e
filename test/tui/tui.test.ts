import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { Query } from '../../src/protocol/query.ts';
import { runTui } from '../../tui/tui.ts';
import { FakeClient } from './fake-client.ts';
import { AT, answerRows, busyHost, hostRow } from './fleet.ts';
import { FakeTerminal } from './virtual-terminal.ts';

/** A screen that never shows what is waited for would hold up the whole run. */
const timeout = 30_000;
const processes = busyHost('db-01', 120, 0);

function running(notice?: string) {
  const client = new FakeClient();
  const terminal = new FakeTerminal();
  const done = runTui({ client, terminal, ...(notice !== undefined && { notice }) });
  const answer = (names = ['db-01']) => {
    for (const { query, deliver } of [...client.asked])
      if (query.view === 'hosts')
        deliver({ type: 'hosts', id: 1, at: AT, rows: names.map((host) => hostRow({ host })) });
      else deliver(answerRows(query, processes));
  };
  const asked = (): Query[] => [...client.asked].map(({ query }) => query);
  return { client, terminal, done, answer, asked };
}

test('it connects, opens the only host, and leaves when told to', { timeout }, async () => {
  const { client, terminal, done, answer } = running('this machine only');
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
    ['hosts'],
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
    ['hosts'],
  );
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
