import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { ServerMetrics } from '../../src/server/metrics.ts';
import { Peer } from '../../src/server/peer.ts';
import { Wire } from '../support/wire.ts';

const MEGABYTE = 'x'.repeat(1024 * 1024);
/** More than any socket buffer holds. */
const PLENTY = 200;

/** A server's end of a connection whose other end has stopped reading. */
async function slowReader(t: TestContext) {
  const listener = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  t.after(() => listener.close());
  await once(listener, 'listening');
  const connected = once(listener, 'connection') as Promise<[WebSocket]>;
  const reader = await new Wire(`ws://127.0.0.1:${(listener.address() as { port: number }).port}`, {
    protocols: [],
  }).opened();
  t.after(() => reader.socket.terminate());
  const [socket] = await connected;
  const metrics = new ServerMetrics();
  const skipped = async (): Promise<number> => (await metrics.skippedFrames.get()).values[0]?.value ?? 0;
  const peer = new Peer<{ type: string }>(socket, {
    decode: () => ({ type: 'any' }),
    heartbeatMs: 60_000,
    metrics,
    onMessage: () => undefined,
    onClose: () => undefined,
  });
  reader.socket.pause();
  return { peer, socket, reader, skipped };
}

/** Sends live frames until the first is skipped. */
async function fill({ peer, skipped }: Awaited<ReturnType<typeof slowReader>>): Promise<number> {
  const before = await skipped();
  for (let sent = 0; sent < PLENTY; sent += 1) {
    peer.sendLive({ type: 'rows', sent, MEGABYTE });
    if ((await skipped()) > before) return sent;
  }
  throw new Error(`${PLENTY} MB were sent to a reader that does not read`);
}

describe('a slow reader', { timeout: 30_000 }, () => {
  it('is sent no more live frames than a few MB, and gets the newest again when it has caught up', async (t) => {
    const slow = await slowReader(t);
    const sent = await fill(slow);
    const backlog = slow.socket.bufferedAmount;
    assert.ok(backlog > 4 * 1024 * 1024 && backlog < 7 * 1024 * 1024, `${backlog} bytes wait`);
    for (let more = 0; more < 10; more += 1) slow.peer.sendLive({ type: 'rows', MEGABYTE });
    assert.equal(slow.socket.bufferedAmount, backlog);
    assert.equal(await slow.skipped(), 11);

    slow.reader.socket.resume();
    while (slow.reader.received.length < sent) await once(slow.reader, 'message');
    slow.peer.sendLive({ type: 'rows', sent: 'newest' });
    await once(slow.reader, 'message');
    assert.deepEqual(slow.reader.received.at(-1), { type: 'rows', sent: 'newest' });
    assert.equal(slow.reader.received.length, sent + 1);
  });

  it('is disconnected with 4429 when it stays behind', async (t) => {
    const slow = await slowReader(t);
    const now = performance.now();
    const clock = t.mock.method(performance, 'now', () => now);
    await fill(slow);
    clock.mock.mockImplementation(() => now + 15_000);
    slow.peer.sendLive({ type: 'rows' });
    assert.equal(slow.socket.readyState, slow.socket.OPEN);
    clock.mock.mockImplementation(() => now + 15_001);
    slow.peer.sendLive({ type: 'rows' });
    assert.equal(slow.socket.readyState, slow.socket.CLOSING);
    slow.reader.socket.resume();
    assert.deepEqual(await slow.reader.closed, { code: 4429, reason: 'reads too slowly' });
  });

  it('is given the time anew after it has caught up', async (t) => {
    const slow = await slowReader(t);
    const now = performance.now();
    const clock = t.mock.method(performance, 'now', () => now);
    const sent = await fill(slow);
    slow.reader.socket.resume();
    while (slow.reader.received.length < sent) await once(slow.reader, 'message');
    slow.peer.sendLive({ type: 'rows' });
    await once(slow.reader, 'message');
    slow.reader.socket.pause();
    clock.mock.mockImplementation(() => now + 20_000);
    await fill(slow);
    slow.peer.sendLive({ type: 'rows' });
    assert.equal(slow.socket.readyState, slow.socket.OPEN);
  });

  it('is sent what must arrive all the same', async (t) => {
    const slow = await slowReader(t);
    await fill(slow);
    const backlog = slow.socket.bufferedAmount;
    slow.peer.send({ type: 'ack' });
    assert.ok(slow.socket.bufferedAmount > backlog);
  });

  it('that does not answer the closing handshake is not waited for', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const slow = await slowReader(t);
    const closed = once(slow.socket, 'close');
    slow.peer.close(4429, 'reads too slowly');
    t.mock.timers.tick(1_000);
    await closed;
  });
});
