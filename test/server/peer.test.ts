import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { AGENT_PATH, LIVE_PATH, SUBPROTOCOL } from '../../src/protocol/message.ts';
import type { FakeAgent } from '../support/fake-agent.ts';
import { openServer, processQuery, SECRETS, type TestServer, tokenOf } from '../support/test-server.ts';
import type { Wire } from '../support/wire.ts';

/** The bare TCP connection under a WebSocket, for what no WebSocket library sends. */
async function rawSocket(server: TestServer, role: 'agent' | 'viewer'): Promise<Duplex> {
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(16).toString('base64'),
    'sec-websocket-protocol': SUBPROTOCOL,
    authorization: `Bearer ${role === 'agent' ? tokenOf('web-1') : SECRETS.viewer}`,
  };
  const path = role === 'agent' ? AGENT_PATH : LIVE_PATH;
  const upgrade = request({ host: '127.0.0.1', port: server.port, path, headers });
  upgrade.end();
  const [, socket] = (await once(upgrade, 'upgrade')) as [unknown, Duplex];
  return socket;
}

/** The close code in the first frame that comes. */
async function closeCode(socket: Duplex): Promise<number> {
  const [data] = (await once(socket, 'data')) as [Buffer];
  assert.equal(data[0], 0x88, 'a close frame');
  return data.readUInt16BE(2);
}

interface Bystanders {
  agent: FakeAgent;
  viewer: Wire;
}

async function bystanders(server: TestServer): Promise<Bystanders> {
  const agent = await server.agent('bystander');
  const viewer = await server.viewer({ view: 'hosts', sort: 'cpu', limit: 100 });
  await viewer.next('hosts');
  return { agent, viewer };
}

/** A beat of the other agent still reaches the other viewer. */
async function assertUnharmed({ agent, viewer }: Bystanders): Promise<void> {
  viewer.taken('hosts');
  agent.usage = { ...agent.usage, load1: agent.usage.load1 + 1 };
  agent.sample();
  for (;;) {
    const { rows } = await viewer.next('hosts');
    if (rows.some(({ host, load1 }) => host === 'bystander' && load1 === agent.usage.load1)) return;
  }
}

/** Runs the test body beside an agent and a viewer that must not notice. */
async function besideOthers(t: TestContext, body: (server: TestServer) => Promise<void>): Promise<void> {
  const server = await openServer(t);
  const others = await bystanders(server);
  await body(server);
  await assertUnharmed(others);
}

describe('peer', { timeout: 30_000 }, () => {
  for (const role of ['agent', 'viewer'] as const) {
    it(`ends an ${role}’s connection with 1009 at a frame of 100 MB`, (t) =>
      besideOthers(t, async (server) => {
        const wire = await server.connect(role);
        wire.socket.send(Buffer.alloc(100 * 1024 * 1024, 0x20), { binary: false });
        assert.equal((await wire.closed).code, 1009);
        assert.equal(await server.metric('procmesh_bad_frames_total'), 1);
      }));

    it(`refuses a frame of an ${role} by the length it claims, before it comes`, (t) =>
      besideOthers(t, async (server) => {
        const socket = await rawSocket(server, role);
        const header = Buffer.alloc(14, 0);
        header.writeUInt16BE(0x81ff);
        header.writeBigUInt64BE(100n * 1024n * 1024n, 2);
        socket.write(header);
        assert.equal(await closeCode(socket), 1009);
        socket.destroy();
      }));

    it(`ends an ${role}’s connection with 1002 at bytes that are no frame`, (t) =>
      besideOthers(t, async (server) => {
        const socket = await rawSocket(server, role);
        socket.write(Buffer.concat([Buffer.from([0xff, 0xff]), randomBytes(1_000)]));
        assert.equal(await closeCode(socket), 1002);
        socket.destroy();
      }));

    for (const [what, data, reason] of [
      ['text that is not JSON', '{"type":', 'not JSON'],
      ['a binary frame', Buffer.from('{"type":"beat"}'), 'binary frame'],
      ['JSON without a type', '{"id":1}', 'no type'],
      ['a type that is no text', '{"type":7}', 'no type'],
      ['a list', '[]', 'no type'],
      ['null', 'null', 'no type'],
    ] as const) {
      it(`ends an ${role}’s connection with 4400 and the reason at ${what}`, (t) =>
        besideOthers(t, async (server) => {
          const wire = await server.connect(role);
          wire.socket.send(data);
          assert.deepEqual(await wire.closed, { code: 4400, reason });
          assert.equal(await server.metric('procmesh_bad_frames_total'), 1);
        }));
    }

    it(`counts and drops what it does not know of an ${role}, and goes on`, (t) =>
      besideOthers(t, async (server) => {
        const wire = await server.connect(role);
        for (const type of ['upgraded-v9', 'x'.repeat(10_000), '__proto__']) wire.send({ type });
        await wire.settled();
        assert.equal(await server.metric('procmesh_unknown_messages_total'), 3);
        assert.equal(await server.metric('procmesh_bad_frames_total'), 0);
      }));
  }

  for (const type of ['hello', 'beat', 'interval'] as const)
    it(`ends a viewer’s connection with 4400 when it says ${type} as an agent would, says so and counts it`, (t) =>
      besideOthers(t, async (server) => {
        const refused = once(server.server, 'refused');
        const viewer = await server.connect('viewer');
        viewer.send({ type, host: 'web-1' });
        assert.deepEqual(await viewer.closed, { code: 4400, reason: `${type} is not for viewers to say` });
        assert.deepEqual(await refused, ['127.0.0.1', `a viewer said ${type}, as an agent would`]);
        assert.equal(await server.metric('procmesh_refused_total{reason="verb"}'), 1);
        assert.equal(await server.metric('procmesh_bad_frames_total'), 1);
      }));

  it('names the wrong field of an agent’s message', async (t) => {
    const server = await openServer(t);
    const agent = await server.agent('a');
    agent.beat({ usage: { ...agent.usage, cpuPercent: -1 } });
    const { code, reason } = await agent.wire.closed;
    assert.equal(code, 4400);
    assert.match(reason, /^beat\.usage\.cpuPercent: /);
  });

  it('names the wrong field of a viewer’s message', async (t) => {
    const server = await openServer(t);
    const viewer = await server.viewer({ ...processQuery(), sort: 'colour' } as never);
    const { code, reason } = await viewer.closed;
    assert.equal(code, 4400);
    assert.match(reason, /^subscribe\.query\.sort: /);
  });

  it('takes nothing more from a peer it has turned away', async (t) => {
    const server = await openServer(t);
    const wire = await server.connect('agent');
    wire.send({ type: 'hello' });
    wire.send({ type: 'hello', host: 'late', version: '1', outbox: { waiting: 0, dropped: 0 } });
    wire.send({ type: 'hello' });
    assert.equal((await wire.closed).code, 4400);
    assert.equal(await server.metric('procmesh_bad_frames_total'), 1);
    const { rows } = await (await server.viewer({ view: 'hosts', sort: 'cpu', limit: 10 })).next('hosts');
    assert.deepEqual(rows, []);
  });

  it('ignores fields it does not know', async (t) => {
    const server = await openServer(t);
    const agent = await server.agent('a');
    agent.beat({ usage: { ...agent.usage, gpuPercent: 7 }, colour: 'blue' } as never);
    await agent.wire.settled();
    const viewer = await server.viewer({ view: 'hosts', sort: 'cpu', limit: 10, colour: 'blue' } as never);
    const { rows } = await viewer.next('hosts');
    assert.equal(rows[0]?.cpuPercent, agent.usage.cpuPercent);
    assert.equal('gpuPercent' in (rows[0] ?? {}), false);
  });

  it('ends a connection that does not answer pings, and keeps one that says nothing else', async (t) => {
    const server = await openServer(t, { settings: { heartbeatMs: 30 } });
    const quiet = await server.agent('quiet');
    const viewer = await server.connect('viewer');
    const pings = { quiet: 0, viewer: 0 };
    quiet.wire.socket.on('ping', () => (pings.quiet += 1));
    viewer.socket.on('ping', () => (pings.viewer += 1));
    const silent = await server.agent('silent');
    const silentViewer = await server.connect('viewer');
    for (const { socket } of [silent.wire, silentViewer]) socket.pause();
    const gone = once(server.server, 'disconnected');
    assert.deepEqual(await gone, ['silent']);
    while ((await server.metric('procmesh_viewers')) > 1);
    assert.ok(pings.quiet >= 3 && pings.viewer >= 3);
    await Promise.all([quiet.wire.settled(), viewer.settled()]);
  });

  it('does not take for silent who spoke while this process itself was stopped', async (t) => {
    const server = await openServer(t, { settings: { heartbeatMs: 60 } });
    const agent = await server.agent('web-1');
    const viewer = await server.connect('viewer');
    await Promise.all([agent.wire.settled(), viewer.settled()]);
    // Five times as long as silence may last; both ends are in it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
    await Promise.all([agent.wire.settled(), viewer.settled()]);
    assert.equal(await server.metric('procmesh_agents'), 1);
  });

  it('takes whatever comes for a sign of life', async (t) => {
    const server = await openServer(t, { settings: { heartbeatMs: 30 } });
    const wire = await server.connect('agent', { autoPong: false });
    let sent = 0;
    const talk = setInterval(() => {
      wire.send({ type: 'unknown' });
      sent += 1;
    }, 15);
    t.after(() => clearInterval(talk));
    let ended = false;
    wire.closed.then(() => {
      ended = true;
    });
    while (sent < 12 && !ended) await Promise.race([once(wire.socket, 'ping'), wire.closed]);
    clearInterval(talk);
    assert.equal(ended, false);
    assert.deepEqual(await wire.closed, { code: 4408, reason: 'silent' });
  });
});
