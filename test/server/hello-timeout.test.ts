import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import WebSocket from 'ws';
import { Ingest } from '../../src/server/ingest.ts';
import { ServerMetrics } from '../../src/server/metrics.ts';
import { Registry } from '../../src/server/registry.ts';
import { AgentSession } from '../../src/server/session.ts';
import { FakeStore } from '../support/fake-store.ts';
import { SETTINGS } from '../support/test-server.ts';

/** A session with a connection in name only: timers are mocked, which real sockets do not survive. */
function openSession(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const metrics = new ServerMetrics();
  const registry = new Registry({ serverName: 'srv-1', sampleMs: 2_000 });
  const ingest = new Ingest({ store: new FakeStore(), metrics, onTrouble: assert.ifError });
  const close = t.mock.fn((_code: number, _reason: string) => undefined);
  const terminate = t.mock.fn();
  const ignored = (): void => undefined;
  const socket = Object.assign(new EventEmitter(), {
    readyState: WebSocket.OPEN,
    close,
    terminate,
    send: ignored,
    ping: ignored,
  });
  const settings = { ...SETTINGS, heartbeatMs: 60_000 };
  new AgentSession(socket as never, {
    host: 'web-1',
    address: '127.0.0.1',
    registry,
    ingest,
    metrics,
    serverName: 'srv-1',
    settings: () => settings,
    refuse: assert.fail,
  });
  return { socket, close, terminate, registry };
}

describe('an agent session', { timeout: 30_000 }, () => {
  it('ends when no hello has come within five seconds', (t) => {
    const { close } = openSession(t);
    t.mock.timers.tick(4_999);
    assert.equal(close.mock.callCount(), 0);
    t.mock.timers.tick(1);
    assert.deepEqual(
      close.mock.calls.map((call) => call.arguments),
      [[4409, 'no hello']],
    );
  });

  it('lasts once hello was said', (t) => {
    const { close, socket, registry } = openSession(t);
    const hello = { type: 'hello', host: 'web-1', version: '1', outbox: { waiting: 0, dropped: 0 } };
    socket.emit('message', Buffer.from(JSON.stringify(hello)), false);
    t.mock.timers.tick(60_000);
    assert.equal(close.mock.callCount(), 0);
    assert.equal(registry.row('web-1')?.version, '1');
  });

  it('that is gone before the hello leaves nothing behind', (t) => {
    const { close, socket, registry } = openSession(t);
    socket.emit('close', 1006, Buffer.alloc(0));
    t.mock.timers.tick(60_000);
    assert.equal(close.mock.callCount(), 0);
    assert.deepEqual(registry.hostNames(), []);
  });
});
