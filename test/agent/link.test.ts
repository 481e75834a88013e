import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Outbox } from '../../src/agent/history/outbox.ts';
import { Link } from '../../src/agent/link.ts';
import { beatSchema, intervalMessageSchema, type Settings } from '../../src/protocol/message.ts';
import type { ConnectionStatus } from '../../src/protocol/reconnect.ts';
import { interval, STEP, T0, usage } from '../store/sample.ts';
import { scratchFolder } from '../support/scratch.ts';
import { type Connection, FakeServer, SETTINGS } from './fake-server.ts';

const GUARD = { timeout: 10_000 };
const BEAT = { type: 'beat', atMs: 1, usage: usage(), culprits: {}, agent: { cpuPercent: 1, rssBytes: 1 } } as const;
const end = (step: number): number => T0 + step * STEP;

/** A link to a server, with this many intervals waiting. Lost connections are dialled again at once. */
async function setUp(t: TestContext, waiting = 0) {
  t.mock.method(Math, 'random', () => 0);
  const server = await FakeServer.start(t);
  const dir = join(scratchFolder(t), 'outbox');
  const outbox = new Outbox(dir);
  for (let step = 1; step <= waiting; step += 1) await outbox.append(interval(step));
  const link = new Link({
    servers: [server.url],
    token: () => 'agent-token',
    hello: { host: 'db1', version: '1.2.3' },
    outbox,
    heartbeatMs: 60_000,
  });
  t.after(() => link.close());
  link.connect();
  return { server, dir, outbox, link };
}

async function nextEnds(connection: Connection, count: number): Promise<number[]> {
  const ends: number[] = [];
  while (ends.length < count) ends.push((await connection.next('interval')).interval.endMs);
  return ends;
}

test('says hello first, with its token, and nothing before it is welcome', GUARD, async (t) => {
  const { server, link } = await setUp(t, 2);
  const connection = await server.connection();
  assert.deepEqual([connection.token, connection.path], ['Bearer agent-token', '/agent']);
  assert.deepEqual(await connection.next('hello'), {
    type: 'hello',
    host: 'db1',
    version: '1.2.3',
    outbox: { waiting: 2, dropped: 0 },
  });
  link.sendLive(BEAT);
  await link.sendIntervals();
  await connection.settled();
  assert.deepEqual(connection.received, []);
});

test('hangs up for good when its host is retired', GUARD, async (t) => {
  const { server, link } = await setUp(t);
  const connection = await server.connection();
  await connection.next('hello');
  const statuses: string[] = [];
  link.on('status', ({ state }) => statuses.push(state));
  const retired = once(link, 'retire');
  connection.send({ type: 'retire', reason: 'taken offline' });
  assert.deepEqual(await retired, ['taken offline']);
  assert.equal((await connection.closed).code, 1000);
  assert.deepEqual(statuses, ['closed']);
});

test('sends live frames once it is welcome', GUARD, async (t) => {
  const { server, link } = await setUp(t);
  const connection = await server.connection();
  connection.welcome();
  await once(link, 'settings');
  link.sendLive(BEAT);
  assert.deepEqual(beatSchema.parse(await connection.next('beat')), BEAT);
});

test('sends what waits, oldest first and four at a time, and forgets what is acknowledged', GUARD, async (t) => {
  const { server, outbox } = await setUp(t, 7);
  const connection = await server.connection();
  connection.welcome();
  assert.deepEqual(await nextEnds(connection, 4), [1, 2, 3, 4].map(end));
  await connection.settled();
  assert.deepEqual(connection.taken('interval'), []);
  connection.send({ type: 'ack', endMs: end(1) });
  assert.deepEqual(await nextEnds(connection, 1), [end(5)]);
  assert.deepEqual(outbox.oldest(1), [end(2)]);
  for (const step of [3, 2]) connection.send({ type: 'ack', endMs: end(step) });
  assert.deepEqual(await nextEnds(connection, 2), [end(6), end(7)]);
  for (const step of [4, 5, 6, 7, 7, 99]) connection.send({ type: 'ack', endMs: end(step) });
  while (outbox.waiting > 0) await connection.settled();
  assert.deepEqual(connection.taken('interval'), []);
});

test('sends a new interval whole and once', GUARD, async (t) => {
  const { server, outbox, link } = await setUp(t);
  const connection = await server.connection();
  connection.welcome();
  await once(link, 'settings');
  await outbox.append(interval(1));
  await Promise.all([link.sendIntervals(), link.sendIntervals(), link.sendIntervals()]);
  const message = await connection.next('interval');
  assert.deepEqual(intervalMessageSchema.parse(message).interval, interval(1));
  await connection.settled();
  assert.deepEqual(connection.taken('interval'), []);
});

test('sends a new interval at some moment of the time that it has for it', GUARD, async (t) => {
  const { server, outbox, link } = await setUp(t);
  const connection = await server.connection();
  connection.welcome();
  await once(link, 'settings');
  await outbox.append(interval(1));
  t.mock.method(Math, 'random', () => 0.5);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const sent = link.sendIntervals(3_000);
  t.mock.timers.tick(1_499);
  await connection.settled();
  assert.deepEqual(connection.taken('interval'), []);
  t.mock.timers.tick(1);
  await sent;
  await connection.next('interval');
});

test('sends again on a new connection what was not acknowledged on the old one', GUARD, async (t) => {
  const { server, link } = await setUp(t, 3);
  const first = await server.connection();
  await first.next('hello');
  first.welcome();
  await nextEnds(first, 3);
  first.send({ type: 'ack', endMs: end(1) });
  await first.settled();
  first.socket.terminate();
  const second = await server.connection();
  const hello = await second.next('hello');
  assert.equal(hello.outbox.waiting, 2);
  link.sendLive(BEAT);
  await second.settled();
  assert.deepEqual(second.received, [], 'the new connection has yet to be welcomed');
  second.welcome();
  assert.deepEqual(await nextEnds(second, 2), [end(2), end(3)]);
});

test('passes over a damaged interval', GUARD, async (t) => {
  const { server, dir, outbox } = await setUp(t, 6);
  for (const step of [1, 3]) writeFileSync(join(dir, `${end(step)}.json`), '{');
  const connection = await server.connection();
  connection.welcome();
  assert.deepEqual(await nextEnds(connection, 4), [2, 4, 5, 6].map(end));
  assert.deepEqual([outbox.waiting, outbox.dropped], [4, 2]);
});

test('passes on settings, watches and their end', GUARD, async (t) => {
  const { server, link } = await setUp(t);
  const heard: unknown[] = [];
  link.on('settings', ({ sampleMs }: Settings) => heard.push(['settings', sampleMs]));
  link.on('watch', ({ id, ttlMs }) => heard.push(['watch', id, ttlMs]));
  link.on('unwatch', (id) => heard.push(['unwatch', id]));
  const connection = await server.connection();
  connection.welcome();
  connection.send({ type: 'settings', settings: { ...SETTINGS, sampleMs: 5_000 } });
  connection.send({ type: 'watch', id: 7, query: { view: 'processes', sort: 'cpu', limit: 5 }, ttlMs: 9_000 });
  connection.send({ type: 'from the future', extra: 1 });
  connection.send({ type: 'unwatch', id: 7, extra: { unknown: true } });
  await connection.settled();
  assert.deepEqual(heard, [
    ['settings', 1_000],
    ['settings', 5_000],
    ['watch', 7, 9_000],
    ['unwatch', 7],
  ]);
});

test('passes on what concerns a release, and says in each hello what it runs', GUARD, async (t) => {
  const server = await FakeServer.start(t);
  t.mock.method(Math, 'random', () => 0);
  const release = { hash: 'a'.repeat(64), serial: 3, architecture: 'x64', isOnTrial: true };
  const link = new Link({
    servers: [server.url],
    token: () => 'agent-token',
    hello: { host: 'db1', version: '1.2.3' },
    release: () => release,
    outbox: new Outbox(join(scratchFolder(t), 'outbox')),
    heartbeatMs: 60_000,
  });
  t.after(() => link.close());
  const heard: unknown[] = [];
  link.on('upgrade', ({ type: _, ...upgrade }) => heard.push(['upgrade', upgrade]));
  link.on('chunk', ({ type: _, ...chunk }) => heard.push(['chunk', chunk]));
  link.on('confirm', (serial) => heard.push(['confirm', serial]));
  link.on('revert', (serial, reason) => heard.push(['revert', serial, reason]));
  link.connect();
  const connection = await server.connection();
  assert.deepEqual((await connection.next('hello')).release, release);
  const want = { type: 'want', sha256: 'b'.repeat(64), offset: 0 } as const;
  link.send(want);
  connection.welcome();
  const upgrade = { manifest: '{}', signature: 'c', trialMs: 60_000 };
  const chunk = { sha256: 'b'.repeat(64), offset: 7, data: 'ZA==' };
  connection.send({ type: 'upgrade', ...upgrade });
  connection.send({ type: 'chunk', ...chunk });
  connection.send({ type: 'confirm', serial: 4 });
  connection.send({ type: 'revert', serial: 5, reason: 'it is slow' });
  await connection.settled();
  assert.deepEqual(heard, [
    ['upgrade', upgrade],
    ['chunk', chunk],
    ['confirm', 4],
    ['revert', 5, 'it is slow'],
  ]);
  assert.deepEqual(connection.received, [], 'nothing was said before the welcome');
  link.send(want);
  assert.deepEqual(await connection.next('want'), want);
  release.serial = 4;
  connection.socket.terminate();
  assert.equal((await (await server.connection()).next('hello')).release?.serial, 4);
});

for (const { title, frame, reason } of [
  { title: 'is not JSON', frame: '{"type":', reason: /not JSON/ },
  { title: 'has no type', frame: '{}', reason: /no type/ },
  { title: 'has wrong fields', frame: '{"type":"ack","endMs":"now"}', reason: /^ack\.endMs: / },
  { title: 'is binary', frame: Buffer.from('{"type":"ack","endMs":1}'), reason: /binary/ },
]) {
  test(`drops a connection on a frame that ${title}, says why, and dials again`, GUARD, async (t) => {
    const { server } = await setUp(t);
    const connection = await server.connection();
    connection.welcome();
    connection.socket.send(frame);
    const { code, reason: told } = await connection.closed;
    assert.equal(code, 4_400);
    assert.match(told, reason);
    assert.equal((await (await server.connection()).next('hello')).host, 'db1');
  });
}

test('refuses a frame that is larger than any a server has to send', GUARD, async (t) => {
  const { server } = await setUp(t);
  const connection = await server.connection();
  connection.send({ type: 'settings', padding: 'x'.repeat(64 * 1024) });
  assert.equal((await connection.closed).code, 1_009);
});

test('skips live frames for a server that does not read, but not intervals', GUARD, async (t) => {
  const { server, outbox, link } = await setUp(t);
  const connection = await server.connection();
  connection.welcome();
  await once(link, 'settings');
  connection.socket.pause();
  const large = { ...BEAT, message: 'x'.repeat(256 * 1024) };
  const count = 200;
  for (let sent = 0; sent < count; sent += 1) link.sendLive(large);
  await outbox.append(interval(1));
  await link.sendIntervals();
  connection.socket.resume();
  assert.deepEqual(await nextEnds(connection, 1), [end(1)]);
  assert.ok(connection.taken('beat').length < count);
  await connection.settled();
  link.sendLive(BEAT);
  assert.equal((await connection.next('beat')).message, undefined);
});

test('sends a live frame before the rest of what has waited', GUARD, async (t) => {
  const { server, link } = await setUp(t, 60);
  const connection = await server.connection();
  connection.welcome();
  await once(link, 'settings');
  await nextEnds(connection, 4);
  link.sendLive(BEAT);
  for (const step of [1, 2, 3, 4]) connection.send({ type: 'ack', endMs: end(step) });
  await connection.next('beat');
  assert.deepEqual(connection.taken('interval'), []);
});

test('tells how it stands, and hangs up for good', GUARD, async (t) => {
  const { server, link } = await setUp(t);
  const states: ConnectionStatus['state'][] = [];
  link.on('status', ({ state }) => states.push(state));
  const connection = await server.connection();
  connection.socket.terminate();
  const second = await server.connection();
  await second.next('hello');
  link.close();
  assert.equal((await second.closed).code, 1_000);
  assert.deepEqual(states, ['open', 'lost', 'connecting', 'open', 'closed']);
});

test('goes to the next server and tells it which ones it could not reach, once', GUARD, async (t) => {
  t.mock.method(Math, 'random', () => 0);
  const [first, second] = [await FakeServer.start(t), await FakeServer.start(t)];
  const nowhere = 'ws://127.0.0.1:1';
  const link = new Link({
    servers: [nowhere, first.url, second.url],
    token: () => 'agent-token',
    hello: { host: 'db1', version: '1.2.3' },
    outbox: new Outbox(join(scratchFolder(t), 'outbox')),
    heartbeatMs: 60_000,
  });
  t.after(() => link.close());
  const heard: unknown[] = [];
  link.on('status', ({ state }, server) => heard.push([state, server]));
  link.connect();
  const atFirst = await first.connection();
  const refused = { server: nowhere, reason: 'nothing listens there' };
  assert.deepEqual((await atFirst.next('hello')).unreachable, [refused]);
  // Not welcomed there, it has reached nobody yet.
  atFirst.socket.close(1001, 'the server ends');
  const atSecond = await second.connection();
  const ended = { server: first.url, reason: 'the server ends (1001)' };
  assert.deepEqual((await atSecond.next('hello')).unreachable, [refused, ended]);
  atSecond.welcome();
  await atSecond.settled();
  atSecond.socket.terminate();
  const again = await first.connection();
  const closed = { server: second.url, reason: 'the connection was closed' };
  assert.deepEqual((await again.next('hello')).unreachable, [closed, refused]);
  assert.deepEqual(heard.slice(0, 4), [
    ['connecting', nowhere],
    ['lost', nowhere],
    ['connecting', first.url],
    ['open', first.url],
  ]);
});

test('tells that it is alone when no server is left, and when one is reached again', GUARD, async (t) => {
  t.mock.method(Math, 'random', () => 0);
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  const server = await FakeServer.start(t);
  const nowhere = 'ws://127.0.0.1:1';
  const link = new Link({
    servers: [nowhere, server.url],
    token: () => 'agent-token',
    hello: { host: 'db1', version: '1.2.3' },
    outbox: new Outbox(join(scratchFolder(t), 'outbox')),
    heartbeatMs: 60_000,
  });
  t.after(() => link.close());
  const heard: unknown[] = [];
  link.on('alone', (sinceMs, servers) => heard.push([sinceMs <= Date.now(), servers]));
  link.on('reachedAgain', () => heard.push('reachedAgain'));
  link.connect();
  for (let round = 0; round < 3; round += 1) {
    const connection = await server.connection();
    assert.deepEqual(heard, []);
    nowMs += 10_000;
    connection.socket.terminate();
  }
  const connection = await server.connection();
  assert.deepEqual(heard.splice(0), [
    [
      true,
      [
        { server: nowhere, reason: 'nothing listens there' },
        { server: server.url, reason: 'the connection was closed' },
      ],
    ],
  ]);
  connection.welcome();
  await connection.settled();
  assert.deepEqual(heard, ['reachedAgain']);
});
