import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import WebSocket from 'ws';
import { Heartbeat } from '../../src/protocol/heartbeat.ts';

/** A heartbeat every 3 s over a connection in name only, whose time stands still. */
function beating(t: TestContext) {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const told = { pings: 0, silences: 0 };
  const socket = Object.assign(new EventEmitter(), {
    readyState: WebSocket.OPEN as number,
    ping: () => {
      told.pings += 1;
    },
  });
  const onSilence = (): void => {
    told.silences += 1;
  };
  const heartbeat = new Heartbeat(socket as never, { everyMs: 3_000, onSilence });
  return { heartbeat, socket, told, pass: (ms: number) => t.mock.timers.tick(ms) };
}

describe('a heartbeat', () => {
  it('pings as often as it was told', (t) => {
    const { socket, told, pass } = beating(t);
    const pings: number[] = [];
    for (let second = 1; second <= 9; second += 1) {
      socket.emit('message');
      pass(1_000);
      pings.push(told.pings);
    }
    assert.deepEqual(pings, [0, 0, 1, 1, 1, 2, 2, 2, 3]);
  });

  it('does not ping a connection that is being closed', (t) => {
    const { socket, told, pass } = beating(t);
    socket.readyState = WebSocket.CLOSING;
    pass(3_000);
    assert.equal(told.pings, 0);
  });

  // Whether the last sign of life came right after a look at it or right before the next one.
  for (const { heardAtMs, silentAtMs } of [
    { heardAtMs: 10_000, silentAtMs: 19_500 },
    { heardAtMs: 10_499, silentAtMs: 19_500 },
    { heardAtMs: 10_500, silentAtMs: 20_000 },
  ]) {
    it(`heard of last at ${heardAtMs} ms is silent at ${silentAtMs} ms, and tells it once`, (t) => {
      const { socket, told, pass } = beating(t);
      for (const atMs of [5_000, heardAtMs]) {
        pass(atMs === 5_000 ? 5_000 : heardAtMs - 5_000);
        socket.emit('pong');
      }
      pass(silentAtMs - heardAtMs - 1);
      assert.equal(told.silences, 0);
      pass(1);
      assert.equal(told.silences, 1);
      pass(60_000);
      assert.equal(told.silences, 1);
    });
  }

  for (const sign of ['ping', 'pong', 'message']) {
    it(`takes a ${sign} for a sign of life`, (t) => {
      const { socket, told, pass } = beating(t);
      for (let count = 0; count < 5; count += 1) {
        pass(9_000);
        socket.emit(sign);
      }
      assert.equal(told.silences, 0);
    });
  }

  it('tells nothing once it was stopped', (t) => {
    const { heartbeat, told, pass } = beating(t);
    heartbeat.stop();
    pass(60_000);
    assert.deepEqual(told, { pings: 0, silences: 0 });
  });
});
