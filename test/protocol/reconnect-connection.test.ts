import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import type { WebSocket } from 'ws';
import type { ReconnectOptions } from '../../src/protocol/reconnect.ts';
import { Dialled, dialled, type FarEnd, farEnd } from './dialled.ts';

interface Connected {
  far: FarEnd;
  near: Dialled;
  /** The connection as the server sees it. */
  peer: WebSocket;
}

async function connected(
  t: TestContext,
  options: Partial<ReconnectOptions> & { autoPong?: boolean } = {},
): Promise<Connected> {
  const far = await farEnd(t, { autoPong: options.autoPong });
  const near = dialled(t, { urls: [far.url], ...options });
  const connection = far.connection();
  await near.open('open');
  return { far, near, peer: await connection };
}

/** Connects, so that a dial that was under way before has arrived too. */
async function passedBy(t: TestContext, far: FarEnd): Promise<void> {
  const other = new Dialled({ urls: [far.url], token: () => 'other', maxPayloadBytes: 1, heartbeatMs: 1 });
  t.after(() => other.socket.close());
  await other.open('open');
}

describe('ReconnectingSocket', () => {
  it('hands on every frame as it came', async (t) => {
    const { near, peer } = await connected(t);
    const last = once(near.socket, 'frame');
    peer.send('one');
    await last;
    const binary = once(near.socket, 'frame');
    peer.send(Buffer.from('two'));
    await binary;
    assert.deepEqual(near.frames, [
      { text: 'one', isBinary: false },
      { text: 'two', isBinary: true },
    ]);
  });

  it('is lost when a frame is larger than it takes', async (t) => {
    const { near, peer } = await connected(t, { maxPayloadBytes: 10 });
    const [lost, closed] = [near.next('lost'), once(peer, 'close')];
    peer.send('x'.repeat(11));
    assert.match((await lost).reason, /max payload/i);
    assert.equal((await closed)[0], 1009);
    assert.deepEqual(near.frames, []);
  });

  it('tells the reason and the code that the server closes with', async (t) => {
    const { near, peer } = await connected(t);
    const lost = near.next('lost');
    peer.close(4410, 'another agent is here');
    assert.equal((await lost).reason, 'another agent is here (4410)');
  });

  it('says that the connection was closed when the server says nothing', async (t) => {
    const { near, peer } = await connected(t);
    const lost = near.next('lost');
    peer.close();
    assert.equal((await lost).reason, 'the connection was closed');
  });

  it('sends what it is given as a text frame', async (t) => {
    const { near, peer } = await connected(t);
    const message = once(peer, 'message');
    assert.equal(near.socket.send('{"type":"hello"}'), true);
    const [data, isBinary] = await message;
    assert.deepEqual([String(data), isBinary], ['{"type":"hello"}', false]);
  });

  it('sends nothing before it is open, after it is lost and after it is closed', async (t) => {
    const far = await farEnd(t);
    const near = dialled(t, { urls: [far.url] });
    assert.equal(near.socket.send('early'), false);
    const [connection, open] = [far.connection(), near.next('open')];
    near.socket.open();
    assert.equal(near.socket.send('early'), false);
    await open;
    const lost = near.next('lost');
    (await connection).terminate();
    await lost;
    assert.equal(near.socket.send('late'), false);
    near.socket.close();
    assert.equal(near.socket.send('late'), false);
  });

  it('sends nothing more while more than it may is unsent', async (t) => {
    const { near, peer } = await connected(t);
    peer.pause();
    assert.equal(near.socket.send('x'.repeat(32 * 1024 * 1024), 1_000), true);
    assert.equal(near.socket.send('y', 1_000), false);
    assert.equal(near.socket.send('y'), true);
    const received: number[] = [];
    peer.on('message', (data) => received.push(String(data).length));
    peer.resume();
    while (received.length < 2) await once(peer, 'message');
    assert.deepEqual(received, [32 * 1024 * 1024, 1]);
    assert.equal(near.socket.send('z', 1_000), true);
  });

  it('ends the connection when nothing has come for three heartbeats, less than half of one later', async (t) => {
    const { near, peer } = await connected(t, { autoPong: false, heartbeatMs: 3_000 });
    const [lost, closed] = [near.next('lost'), once(peer, 'close')];
    for (let beat = 0; beat < 3; beat += 1) {
      const ping = once(peer, 'ping');
      t.mock.timers.tick(3_000);
      await ping;
      assert.deepEqual(near.states, ['connecting', 'open']);
    }
    t.mock.timers.tick(499);
    assert.equal(peer.readyState, peer.OPEN);
    t.mock.timers.tick(1);
    assert.equal((await lost).reason, 'the server has gone silent');
    assert.equal((await closed)[0], 1006);
  });

  it('keeps a connection whose pings are answered, if only every third', async (t) => {
    const { near, peer } = await connected(t, { autoPong: false });
    for (let beat = 1; beat <= 12; beat += 1) {
      const ping = once(peer, 'ping');
      t.mock.timers.tick(1_000);
      await ping;
      if (beat % 3 > 0) continue;
      const frame = once(near.socket, 'frame');
      peer.pong();
      peer.send('the pong has arrived');
      await frame;
    }
    assert.deepEqual(near.states, ['connecting', 'open']);
  });

  it('counts unanswered pings of each connection for itself', async (t) => {
    const { far, near, peer } = await connected(t, { autoPong: false, random: () => 0 });
    t.mock.timers.tick(3_000);
    const lost = near.next('lost');
    peer.terminate();
    await lost;
    const [connection, open] = [far.connection(), near.next('open')];
    t.mock.timers.tick(1);
    await open;
    const again = await connection;
    const ping = once(again, 'ping');
    t.mock.timers.tick(1_000);
    await ping;
    assert.equal(near.states.at(-1), 'open');
  });

  it('drops a connection with a code and a reason, and dials again', async (t) => {
    const { far, near, peer } = await connected(t);
    const [lost, closed] = [near.next('lost'), once(peer, 'close')];
    near.socket.drop(4400, 'not JSON');
    const [code, reason] = await closed;
    assert.deepEqual([code, String(reason)], [4400, 'not JSON']);
    const status = await lost;
    assert.match(status.reason, /^not JSON/);
    const connection = far.connection();
    t.mock.timers.tick(status.retryInMs);
    await connection;
  });

  it('tells why it dropped a connection also when the server does not say it back', async (t) => {
    const { near, peer } = await connected(t);
    t.mock.method(peer, 'close', () => peer.terminate());
    const lost = near.next('lost');
    near.socket.drop(4400, 'not JSON');
    assert.equal((await lost).reason, 'not JSON');
  });

  it('does not beat while it dials anew', async (t) => {
    const { near, peer } = await connected(t);
    const lost = near.next('lost');
    peer.terminate();
    t.mock.timers.tick((await lost).retryInMs);
    const open = near.next('open');
    t.mock.timers.tick(10_000);
    await open;
    assert.deepEqual(near.states, ['connecting', 'open', 'lost', 'connecting', 'open']);
  });
});

describe('ReconnectingSocket.close', () => {
  it('says good-bye, tells it once, and never dials again', async (t) => {
    const { far, near, peer } = await connected(t);
    const closed = once(peer, 'close');
    near.socket.close();
    near.socket.close();
    assert.equal((await closed)[0], 1000);
    t.mock.timers.tick(3_600_000);
    assert.deepEqual(near.states, ['connecting', 'open', 'closed']);
    assert.equal(far.requests.length, 1);
  });

  it('ends the wait for the next dial', async (t) => {
    const near = dialled(t, { urls: ['not a URL'] });
    near.socket.open();
    near.socket.close();
    t.mock.timers.tick(3_600_000);
    assert.deepEqual(near.states, ['connecting', 'lost', 'closed']);
  });

  it('ends a dial that is under way', async (t) => {
    const far = await farEnd(t);
    const near = dialled(t, { urls: [far.url] });
    near.socket.open();
    near.socket.close();
    t.mock.timers.tick(3_600_000);
    await passedBy(t, far);
    assert.deepEqual(near.states, ['connecting', 'closed']);
    assert.equal(far.wss.clients.size, 1);
  });

  for (const state of ['connecting', 'lost'] as const) {
    it(`is final also when it is called on hearing of ${state}`, async (t) => {
      const far = await farEnd(t);
      const near = dialled(t, { urls: [state === 'lost' ? 'not a URL' : far.url] });
      near.socket.on('status', (status) => {
        if (status.state === state) near.socket.close();
      });
      near.socket.open();
      t.mock.timers.tick(3_600_000);
      assert.equal(near.states.at(-1), 'closed');
      await passedBy(t, far);
      assert.equal(far.requests.length, 1);
    });
  }

  it('cuts off a server that does not answer the good-bye', async (t) => {
    const { near, peer } = await connected(t);
    t.mock.method(peer, 'close', () => undefined);
    const ended = once(peer, 'close');
    near.socket.close();
    t.mock.timers.tick(500);
    await ended;
    assert.deepEqual(near.states, ['connecting', 'open', 'closed']);
  });
});
