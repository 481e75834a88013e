import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, it } from 'node:test';
import { SUBPROTOCOL } from '../../src/protocol/message.ts';
import { Dialled, dialled, farEnd, nowhere } from './dialled.ts';

/** Shorter than a dial is waited for when there is no other server. */
const GUARD = { timeout: 9_000 };

describe('ReconnectingSocket dialling', () => {
  it('sends the subprotocol and the token, which it asks for at every dial', async (t) => {
    const far = await farEnd(t);
    let asked = 0;
    const near = dialled(t, { urls: [far.url], token: () => `token-${++asked}` });
    assert.equal(asked, 0);
    const connection = far.connection();
    await near.open('open');
    const lost = near.next('lost');
    (await connection).terminate();
    const { retryInMs } = await lost;
    const reopened = near.next('open');
    t.mock.timers.tick(retryInMs);
    await reopened;
    assert.deepEqual(
      far.requests.map(({ headers }) => [headers.authorization, headers['sec-websocket-protocol']]),
      [
        ['Bearer token-1', SUBPROTOCOL],
        ['Bearer token-2', SUBPROTOCOL],
      ],
    );
    assert.deepEqual(near.states, ['connecting', 'open', 'lost', 'connecting', 'open']);
  });

  it('is lost at a server that does not speak the subprotocol', async (t) => {
    const far = await farEnd(t, { protocol: false });
    const { reason } = await dialled(t, { urls: [far.url] }).open('lost');
    assert.match(reason, /subprotocol/);
  });

  it('waits twice as long after each failure, up to the longest delay', async (t) => {
    const near = dialled(t, { urls: [await nowhere()], firstDelayMs: 100, maxDelayMs: 1_000 });
    const waits: number[] = [];
    let lost = await near.open('lost');
    for (let dial = 0; dial < 6; dial += 1) {
      assert.equal(lost.reason, 'nothing listens there');
      waits.push(lost.retryInMs);
      const next = near.next('lost');
      t.mock.timers.tick(lost.retryInMs);
      lost = await next;
    }
    assert.deepEqual(waits, [100, 200, 400, 800, 1_000, 1_000]);
  });

  it('waits between a quarter of a second and 10 s unless told otherwise', async (t) => {
    const near = dialled(t, { urls: ['not a URL'] });
    near.socket.open();
    for (let dial = 0; dial < 40; dial += 1) t.mock.timers.tick(15_000);
    const waits = near.told.flatMap((status) => (status.state === 'lost' ? [status.retryInMs] : []));
    assert.deepEqual(waits.slice(0, 8), [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    assert.ok(waits.length > 40 && waits.slice(6).every((wait) => wait === 10_000));
  });

  it('waits any part of the delay, as chance has it', async (t) => {
    const chances = [0, 0.5, 0.25, 0.999, 0.001];
    const near = dialled(t, { urls: ['not a URL'], firstDelayMs: 100, random: () => chances.shift() ?? 0 });
    near.socket.open();
    for (let dial = 0; dial < 4; dial += 1) t.mock.timers.tick(1_000);
    const waits = near.told.flatMap((status) => (status.state === 'lost' ? [status.retryInMs] : []));
    assert.deepEqual(waits.slice(0, 5), [0, 100, 100, 800, 2]);
  });

  it('dials when the wait is over and not before', async (t) => {
    const near = dialled(t, { urls: ['not a URL'], firstDelayMs: 100 });
    near.socket.open();
    t.mock.timers.tick(99);
    assert.deepEqual(near.states, ['connecting', 'lost']);
    t.mock.timers.tick(1);
    assert.deepEqual(near.states, ['connecting', 'lost', 'connecting', 'lost']);
  });

  it('starts its waits anew only after a connection of more than a minute', async (t) => {
    let nowMs = 1_000;
    t.mock.method(performance, 'now', () => nowMs);
    const far = await farEnd(t);
    const near = dialled(t, { urls: [far.url], firstDelayMs: 100 });
    let [connection, open] = [far.connection(), near.next('open')];
    near.socket.open();
    const waits: number[] = [];
    for (const lastsMs of [0, 59_999, 60_000, 60_001, 0]) {
      await open;
      nowMs += lastsMs;
      const lost = near.next('lost');
      (await connection).terminate();
      const { retryInMs } = await lost;
      waits.push(retryInMs);
      [connection, open] = [far.connection(), near.next('open')];
      t.mock.timers.tick(retryInMs);
    }
    await open;
    assert.deepEqual(waits, [100, 200, 400, 100, 200]);
  });

  it('does not take a dial that failed for a connection that lasted', async (t) => {
    let nowMs = 1_000_000;
    t.mock.method(performance, 'now', () => nowMs);
    const far = await farEnd(t);
    const near = dialled(t, { urls: [await nowhere(), far.url], firstDelayMs: 100 });
    const connection = far.connection();
    assert.equal((await near.open('lost')).retryInMs, 100);
    const open = near.next('open');
    t.mock.timers.tick(100);
    await open;
    let lost = near.next('lost');
    (await connection).terminate();
    assert.deepEqual(await lost, { state: 'lost', reason: 'the connection was closed', retryInMs: 100 });
    nowMs += 100_000;
    lost = near.next('lost');
    t.mock.timers.tick(100);
    assert.deepEqual(await lost, { state: 'lost', reason: 'nothing listens there', retryInMs: 200 });
  });

  it('tries its URLs in turn', async (t) => {
    const [first, second] = [await farEnd(t), await farEnd(t)];
    const near = dialled(t, { urls: [await nowhere(), first.url, second.url], random: () => 0 });
    let connection = first.connection();
    let open = near.next('open');
    await near.open('lost');
    for (const next of [second, first, second]) {
      t.mock.timers.tick(1);
      await open;
      const lost = near.next('lost');
      const gone = await connection;
      connection = next.connection();
      open = near.next('open');
      gone.terminate();
      await lost;
      if (next === second) continue;
      const nowhereAgain = near.next('lost');
      t.mock.timers.tick(1);
      await nowhereAgain;
    }
    assert.deepEqual([first.requests.length, second.requests.length], [2, 1]);
  });

  it('waits twice as long only after all of its URLs have failed', async (t) => {
    const near = dialled(t, { urls: ['not a URL', 'nor this', 'nor that'], firstDelayMs: 100, maxDelayMs: 300 });
    near.socket.open();
    for (let dial = 0; dial < 8; dial += 1) t.mock.timers.tick(300);
    const waits = near.told.flatMap((status) => (status.state === 'lost' ? [status.retryInMs] : []));
    assert.deepEqual(waits.slice(0, 8), [100, 100, 100, 200, 200, 200, 300, 300]);
  });

  it('stays with the server that it found, and goes on from there', async (t) => {
    const [first, second] = [await farEnd(t), await farEnd(t)];
    const near = dialled(t, { urls: [first.url, second.url] });
    let connection = first.connection();
    await near.open('open');
    for (const next of [second, first]) {
      const lost = near.next('lost');
      const gone = await connection;
      connection = next.connection();
      gone.terminate();
      const { retryInMs } = await lost;
      const open = near.next('open');
      t.mock.timers.tick(retryInMs);
      await open;
      assert.equal(near.socket.url, next.url);
      t.mock.timers.tick(3_600_000);
    }
    assert.deepEqual([first.requests.length, second.requests.length], [2, 1]);
  });

  it('starts its waits anew when the server says that it ends', async (t) => {
    const far = await farEnd(t);
    const near = dialled(t, { urls: [far.url], firstDelayMs: 100 });
    let [connection, open] = [far.connection(), near.next('open')];
    near.socket.open();
    const waits: number[] = [];
    for (const code of [1011, 1011, 1001, 1001]) {
      await open;
      const lost = near.next('lost');
      (await connection).close(code);
      const { retryInMs } = await lost;
      waits.push(retryInMs);
      [connection, open] = [far.connection(), near.next('open')];
      t.mock.timers.tick(retryInMs);
    }
    await open;
    assert.deepEqual(waits, [100, 200, 100, 100]);
  });

  for (const { chance, waits } of [
    { chance: 0, waits: 5_000 },
    { chance: 1, waits: 10_000 },
  ]) {
    it(`waits ${waits} ms by chance ${chance} after it was replaced, and comes back to the same server`, async (t) => {
      const [far, other] = [await farEnd(t), await farEnd(t)];
      const near = dialled(t, { urls: [far.url, other.url], random: () => chance });
      const connection = far.connection();
      await near.open('open');
      const [lost, again] = [near.next('lost'), far.connection()];
      (await connection).close(4410, 'another connection speaks for this host');
      const status = await lost;
      assert.deepEqual(status, {
        state: 'lost',
        reason: 'another connection speaks for this host (4410)',
        retryInMs: waits,
      });
      t.mock.timers.tick(waits);
      await again;
      assert.equal(other.requests.length, 0);
    });
  }

  it('is held off by having been replaced once, not for ever', async (t) => {
    const far = await farEnd(t);
    const near = dialled(t, { urls: [far.url], firstDelayMs: 100 });
    const connection = far.connection();
    await near.open('open');
    const replaced = near.next('lost');
    (await connection).close(4410, 'another connection speaks for this host');
    await replaced;
    far.answer = 503;
    const lost = near.next('lost');
    t.mock.timers.tick(10_000);
    assert.deepEqual(await lost, { state: 'lost', reason: 'the server answers 503', retryInMs: 200 });
  });

  it('goes to the next server at once when one refuses, and waits when all do', async (t) => {
    const [first, second] = [await farEnd(t), await farEnd(t)];
    const near = dialled(t, { urls: [first.url, second.url], firstDelayMs: 100, maxDelayMs: 5_000 });
    first.answer = 401;
    second.answer = 403;
    await near.open('refused');
    const refused = near.next('refused');
    t.mock.timers.tick(100);
    await refused;
    const open = near.next('open');
    first.answer = 101;
    t.mock.timers.tick(4_999);
    assert.equal(near.states.at(-1), 'refused');
    t.mock.timers.tick(1);
    await open;
    assert.deepEqual([first.requests.length, second.requests.length], [2, 1]);
  });

  it('tells a refused token apart, tries again after the longest delay, and takes a new one', async (t) => {
    const far = await farEnd(t);
    const near = dialled(t, { urls: [far.url], maxDelayMs: 5_000 });
    const refusal = { state: 'refused', reason: 'the server refuses the token', what: 'token' };
    far.answer = 401;
    assert.deepEqual(await near.open('refused'), refusal);
    far.answer = 403;
    const refusedAgain = near.next('refused');
    t.mock.timers.tick(4_999);
    assert.deepEqual(near.states, ['connecting', 'refused']);
    t.mock.timers.tick(1);
    assert.deepEqual(await refusedAgain, refusal);
    t.mock.timers.tick(4_999);
    far.answer = 101;
    const open = near.next('open');
    t.mock.timers.tick(1);
    await open;
    assert.deepEqual(near.states, ['connecting', 'refused', 'connecting', 'refused', 'connecting', 'open']);
  });

  it('takes any other answer for a failure that may pass', async (t) => {
    const far = await farEnd(t);
    far.answer = 503;
    const near = dialled(t, { urls: [far.url] });
    assert.deepEqual(await near.open('lost'), { state: 'lost', reason: 'the server answers 503', retryInMs: 250 });
  });

  it('goes to the next server when one is not ready, and says why', async (t) => {
    const [first, second] = [await farEnd(t), await farEnd(t)];
    Object.assign(first, { answer: 503, reason: 'not ready yet' });
    const near = dialled(t, { urls: [first.url, second.url], firstDelayMs: 100 });
    assert.deepEqual(await near.open('lost'), { state: 'lost', reason: 'not ready yet', retryInMs: 100 });
    const open = near.next('open');
    t.mock.timers.tick(100);
    await open;
    assert.deepEqual([first.requests.length, second.requests.length], [1, 1]);
  });

  it('goes on when the token cannot be read, and does not say that the server refused it', async (t) => {
    const far = await farEnd(t);
    far.answer = 401;
    let asked = 0;
    const near = dialled(t, {
      urls: [far.url],
      maxDelayMs: 1_000,
      token: () => {
        asked += 1;
        if (asked === 2) throw new Error('no token there');
        return 'token';
      },
    });
    await near.open('refused');
    far.answer = 101;
    const [lost, open] = [near.next('lost'), near.next('open')];
    t.mock.timers.tick(1_000);
    assert.deepEqual(near.told.at(-1), { state: 'lost', reason: 'no token there', retryInMs: 500 });
    await lost;
    t.mock.timers.tick(500);
    await open;
  });

  it('gives up a server that accepts and does not answer while there is another', GUARD, async (t) => {
    const mute = createServer((socket) => t.after(() => socket.destroy())).listen(0, '127.0.0.1');
    t.after(() => mute.close());
    await once(mute, 'listening');
    const far = await farEnd(t);
    // The last one here, as it takes real time: the dial's timer is the socket's own, which no test can mock.
    const near = new Dialled({
      urls: [`ws://127.0.0.1:${(mute.address() as AddressInfo).port}/`, far.url],
      token: () => 'token',
      maxPayloadBytes: 1024,
      heartbeatMs: 60_000,
    });
    t.after(() => near.socket.close());
    const lost = near.next('lost');
    await near.open('open');
    assert.equal((await lost).reason, 'it does not answer');
  });
});
