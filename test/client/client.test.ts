import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Answer, Client, type ConnectionStatus } from '../../src/client/client.ts';
import { SUBPROTOCOL, type ViewerToServer } from '../../src/protocol/message.ts';
import type { Query } from '../../src/protocol/query.ts';

const QUERY: Query = { view: 'hosts', sort: 'cpu', limit: 10 };
const AT = '2026-11-23T03:12:00.000Z';
const TOKEN = 'viewer'.repeat(8);

/** The server's end of one connection. */
class Accepted {
  readonly socket: WebSocket;
  readonly authorization: string | undefined;
  readonly #heard: ViewerToServer[] = [];

  constructor(socket: WebSocket, authorization: string | undefined) {
    this.socket = socket;
    this.authorization = authorization;
    socket.on('message', (data) => this.#heard.push(JSON.parse(String(data))));
  }

  async heard(): Promise<ViewerToServer> {
    while (this.#heard.length === 0) await once(this.socket, 'message');
    return this.#heard.shift() as ViewerToServer;
  }

  hosts(id: number, ...names: string[]): void {
    this.send({ type: 'hosts', id, at: AT, rows: names.map((host) => ({ host, status: 'online' })) });
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }
}

/** A listener that takes what comes, a client of it, and what the client delivers and tells. */
async function opened(t: TestContext) {
  t.mock.method(Math, 'random', () => 0);
  const listener = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => SUBPROTOCOL });
  await once(listener, 'listening');
  const waiting: Accepted[] = [];
  listener.on('connection', (socket, { url, headers }) => {
    assert.equal(url, '/live');
    waiting.push(new Accepted(socket, headers.authorization));
  });
  const client = new Client({ url: `ws://127.0.0.1:${(listener.address() as { port: number }).port}`, token: TOKEN });
  const statuses: ConnectionStatus['state'][] = [];
  client.on('status', ({ state }) => statuses.push(state));
  t.after(() => {
    client.close();
    for (const socket of listener.clients) socket.terminate();
    listener.close();
  });
  const accept = async (): Promise<Accepted> => {
    while (waiting.length === 0) await once(listener, 'connection');
    return waiting.shift() as Accepted;
  };
  const delivered: Answer[] = [];
  /** Resolves with the next answer that is delivered. */
  let wake = (): void => undefined;
  const deliver = (answer: Answer): void => {
    delivered.push(answer);
    wake();
  };
  const next = async (): Promise<Answer> => {
    while (delivered.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return delivered.shift() as Answer;
  };
  return { client, statuses, accept, deliver, delivered, next };
}

describe('client', { timeout: 30_000 }, () => {
  it('says who it is, asks when the connection stands, and delivers each answer', async (t) => {
    const { client, statuses, accept, deliver, next } = await opened(t);
    client.subscribe(QUERY, deliver);
    assert.deepEqual(statuses, []);
    client.connect();
    const server = await accept();
    assert.equal(server.authorization, `Bearer ${TOKEN}`);
    assert.deepEqual(await server.heard(), { type: 'subscribe', id: 1, query: QUERY });
    server.hosts(1, 'a');
    assert.deepEqual(await next(), { type: 'hosts', id: 1, at: AT, rows: [{ host: 'a', status: 'online' }] });
    server.send({ type: 'error', id: 1, code: 'ERR_STORE', message: 'no' });
    assert.deepEqual(await next(), { type: 'error', id: 1, code: 'ERR_STORE', message: 'no' });
    assert.deepEqual(statuses, ['connecting', 'open']);
  });

  it('keeps the answers to several questions apart', async (t) => {
    const { client, accept, next, deliver } = await opened(t);
    client.connect();
    const server = await accept();
    client.subscribe(QUERY, () => assert.fail('the answer to another question'));
    client.subscribe({ ...QUERY, host: 'b' }, deliver);
    await server.heard();
    const second = await server.heard();
    server.hosts(second.id, 'b');
    assert.equal((await next()).id, second.id);
  });

  it('dials again when the connection is lost, and asks the same again', async (t) => {
    const { client, statuses, accept, deliver, next } = await opened(t);
    client.connect();
    const first = await accept();
    client.subscribe(QUERY, deliver);
    const taken = client.subscribe({ ...QUERY, host: 'taken back' }, deliver);
    const question = await first.heard();
    taken.close();
    first.socket.terminate();
    const second = await accept();
    assert.deepEqual(await second.heard(), question);
    second.hosts(question.id, 'a');
    await next();
    assert.deepEqual(statuses, ['connecting', 'open', 'lost', 'connecting', 'open']);
  });

  it('asks about the past until it is answered, and not again', async (t) => {
    const { client, accept, deliver, next } = await opened(t);
    client.connect();
    const past = client.subscribe({ ...QUERY, atMs: 1_000 }, deliver);
    client.subscribe(QUERY, deliver);
    const first = await accept();
    const question = await first.heard();
    first.socket.terminate();
    const second = await accept();
    assert.deepEqual(await second.heard(), question);
    second.hosts(question.id, 'a');
    await next();
    second.socket.terminate();
    const third = await accept();
    assert.equal((await third.heard()).id, 2);
    past.change({ ...QUERY, atMs: 2_000 });
    assert.deepEqual(await third.heard(), { type: 'subscribe', id: 3, query: { ...QUERY, atMs: 2_000 } });
  });

  it('asks something else in place of a question, and delivers no late answer to the first', async (t) => {
    const { client, accept, deliver, next } = await opened(t);
    client.connect();
    const server = await accept();
    const subscription = client.subscribe(QUERY, deliver);
    await server.heard();
    subscription.change({ ...QUERY, host: 'b' });
    assert.deepEqual(await server.heard(), { type: 'unsubscribe', id: 1 });
    assert.deepEqual(await server.heard(), { type: 'subscribe', id: 2, query: { ...QUERY, host: 'b' } });
    server.hosts(1, 'late');
    server.hosts(2, 'b');
    assert.equal((await next()).id, 2);
  });

  it('takes a question back once', async (t) => {
    const { client, accept, deliver, next } = await opened(t);
    client.connect();
    const server = await accept();
    const first = client.subscribe(QUERY, () => assert.fail('an answer after it was taken back'));
    await server.heard();
    first.close();
    first.close();
    client.subscribe(QUERY, deliver);
    assert.deepEqual(await server.heard(), { type: 'unsubscribe', id: 1 });
    assert.equal((await server.heard()).id, 2);
    server.hosts(1, 'late');
    server.hosts(2, 'a');
    await next();
  });

  it('hands on events', async (t) => {
    const { client, accept } = await opened(t);
    client.connect();
    const event = { type: 'event', at: AT, host: 'a', text: 'upgraded' };
    const told = once(client, 'event');
    (await accept()).send(event);
    assert.deepEqual(await told, [event]);
  });

  it('asks no releases of a server that is too old for them, until it has restarted', async (t) => {
    const { client, statuses, accept, deliver, next } = await opened(t);
    const release: Query = { view: 'release', sort: 'cpu', limit: 1 };
    client.connect();
    client.subscribe(QUERY, deliver);
    const subscription = client.subscribe(release, deliver);
    const old = await accept();
    await old.heard();
    assert.deepEqual(await old.heard(), { type: 'subscribe', id: 2, query: release });
    old.socket.close(4400, 'subscribe.query.view: Invalid input');
    const refusal = await next();
    assert.ok(refusal.type === 'error');
    assert.deepEqual([refusal.id, refusal.code], [2, 'ERR_VERSION']);
    const again = await accept();
    assert.equal((await again.heard()).id, 1);
    assert.deepEqual(statuses, ['connecting', 'open', 'connecting', 'open']);
    subscription.change(release);
    assert.equal((await next()).type, 'error');
    client.subscribe({ ...QUERY, host: 'a' }, deliver);
    assert.deepEqual(
      [await again.heard(), await again.heard()].map(({ type, id }) => `${type} ${id}`),
      ['unsubscribe 2', 'subscribe 4'],
    );
    again.socket.close(1001);
    const upgraded = await accept();
    const asked = [await upgraded.heard(), await upgraded.heard(), await upgraded.heard()];
    assert.deepEqual(
      asked.map(({ id }) => id),
      [1, 3, 4],
    );
  });

  it('passes over messages of a type it does not know', async (t) => {
    const { client, accept, deliver, next } = await opened(t);
    client.connect();
    const server = await accept();
    client.subscribe(QUERY, deliver);
    await server.heard();
    server.send({ type: 'forecast', id: 1 });
    server.hosts(1, 'a');
    assert.equal((await next()).type, 'hosts');
  });

  it('drops a connection that sends rubbish, says why, and dials again', async (t) => {
    const { client, accept, deliver } = await opened(t);
    client.connect();
    client.subscribe(QUERY, deliver);
    const server = await accept();
    const ended = once(server.socket, 'close');
    server.send({ type: 'hosts', id: 1, at: AT, rows: 'none' });
    const [code, reason] = await ended;
    assert.equal(code, 4400);
    assert.match(String(reason), /^hosts\.rows: /);
    assert.deepEqual(await (await accept()).heard(), { type: 'subscribe', id: 1, query: QUERY });
  });

  it('delivers nothing and dials no more after it was closed', async (t) => {
    const { client, statuses, accept, delivered, deliver } = await opened(t);
    client.connect();
    const server = await accept();
    client.subscribe(QUERY, deliver);
    const { id } = await server.heard();
    const ended = once(server.socket, 'close');
    client.close();
    client.close();
    server.hosts(id, 'late');
    const [code] = await ended;
    assert.equal(code, 1000);
    assert.deepEqual(delivered, []);
    assert.equal(statuses.at(-1), 'closed');
    assert.equal(statuses.filter((state) => state === 'closed').length, 1);
  });
});
