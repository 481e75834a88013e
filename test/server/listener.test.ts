import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { AGENT_PATH, LIVE_PATH, SUBPROTOCOL } from '../../src/protocol/message.ts';
import { Server } from '../../src/server/server.ts';
import { FakeStore } from '../support/fake-store.ts';
import { openServer, processQuery, SETTINGS, TOKENS } from '../support/test-server.ts';
import { Wire } from '../support/wire.ts';

function serverOn(host: string, port: number): Server {
  const options = { name: 'second', version: '1', settings: SETTINGS, retentionMs: 1, tokens: TOKENS };
  return new Server({ ...options, listen: { host, port }, store: new FakeStore() });
}

describe('listener', { timeout: 30_000 }, () => {
  for (const [what, path, token, status] of [
    ['an agent without a token', AGENT_PATH, undefined, 401],
    ['an agent with a wrong token', AGENT_PATH, 'x'.repeat(40), 401],
    ['an agent with the viewers’ token', AGENT_PATH, TOKENS.viewer, 401],
    ['a viewer without a token', LIVE_PATH, undefined, 401],
    ['a viewer with a wrong token', LIVE_PATH, 'x'.repeat(40), 401],
    ['a viewer with the agents’ token', LIVE_PATH, TOKENS.agent, 401],
    ['an unknown path', '/other', TOKENS.viewer, 404],
  ] as const) {
    it(`refuses ${what} with ${status}, says so and counts it`, async (t) => {
      const server = await openServer(t);
      const refused = once(server.server, 'refused');
      const wire = new Wire(server.url + path, token === undefined ? {} : { token });
      await assert.rejects(wire.opened(), { message: `refused with ${status}` });
      const [address, reason] = await refused;
      assert.equal(address, '127.0.0.1');
      assert.equal(typeof reason, 'string');
      assert.doesNotMatch(reason, /xxxx|viewerviewer/);
      assert.equal(await server.metric('procmesh_refused_total'), 1);
    });
  }

  it('refuses who does not offer the subprotocol', async (t) => {
    const server = await openServer(t);
    for (const protocols of [[], ['procmesh.v2']]) {
      const wire = new Wire(server.url + LIVE_PATH, { token: TOKENS.viewer, protocols });
      await assert.rejects(wire.opened(), { message: 'refused with 400' });
    }
  });

  it('chooses the subprotocol among several, and ignores a query string', async (t) => {
    const server = await openServer(t);
    const wire = new Wire(`${server.url}${LIVE_PATH}?x=1`, { token: TOKENS.viewer, protocols: ['chat', SUBPROTOCOL] });
    await wire.opened();
    assert.equal(wire.socket.protocol, SUBPROTOCOL);
    wire.socket.terminate();
  });

  it('answers for its health', async (t) => {
    const store = new FakeStore();
    store.known = [{ host: 'web-1', lastIntervalEndMs: 1 }];
    const server = await openServer(t, { store });
    const response = await fetch(`http://127.0.0.1:${server.port}/healthz`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'application/json');
    assert.deepEqual(await response.json(), { status: 'ok', name: 'srv-1', version: '1.0.0', hosts: 1 });
  });

  it('gives its metrics in Prometheus text', async (t) => {
    const server = await openServer(t);
    const agent = await server.agent('web-1');
    agent.beat();
    await agent.wire.settled();
    await server.viewer(processQuery());
    const response = await fetch(`http://127.0.0.1:${server.port}/metrics`);
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    for (const line of [
      '# TYPE procmesh_agents gauge',
      'procmesh_agents 1',
      'procmesh_viewers 1',
      '# TYPE procmesh_beats_total counter',
      'procmesh_beats_total 1',
      'procmesh_intervals_total 0',
      '# TYPE process_resident_memory_bytes gauge',
    ])
      assert.ok(text.split('\n').includes(line), line);
    agent.wire.socket.terminate();
    await once(server.server, 'disconnected');
    assert.equal(await server.metric('procmesh_agents'), 0);
  });

  it('has nothing else to read', async (t) => {
    const server = await openServer(t);
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', '/healthz/x'],
      ['POST', '/healthz'],
      ['POST', '/metrics'],
      ['GET', AGENT_PATH],
    ])
      assert.equal(
        (await fetch(`http://127.0.0.1:${server.port}${path}`, { method })).status,
        404,
        `${method} ${path}`,
      );
  });

  it('says that a port is taken, and leaves its owner alone', async (t) => {
    const first = await openServer(t);
    const second = serverOn('127.0.0.1', first.port);
    await assert.rejects(second.start(), {
      name: 'Problem',
      code: 'ERR_LISTEN',
      exitCode: 1,
      message: new RegExp(`^127\\.0\\.0\\.1:${first.port} is in use by another program: `),
    });
    await second.stop();
    assert.equal((await fetch(`http://127.0.0.1:${first.port}/healthz`)).status, 200);
  });

  it('says that an address is not of this machine', async () => {
    const server = serverOn('192.0.2.1', 0);
    await assert.rejects(server.start(), {
      name: 'Problem',
      code: 'ERR_LISTEN',
      message: /EADDRNOTAVAIL.*\[SERVER\] listen/,
    });
    await server.stop();
  });

  it('survives a connection that is reset while it is refused', async (t) => {
    const server = await openServer(t);
    for (let round = 0; round < 20; round += 1) {
      const socket = connect(server.port, '127.0.0.1');
      await once(socket, 'connect');
      socket.write(`GET ${AGENT_PATH} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
      socket.resetAndDestroy();
    }
    assert.equal((await fetch(`http://127.0.0.1:${server.port}/healthz`)).status, 200);
  });

  it('hangs up on everybody when it ends, also on who does not answer', async (t) => {
    const server = await openServer(t);
    const viewer = await server.viewer(processQuery());
    const deaf = await server.connect('agent');
    deaf.socket.pause();
    await server.server.stop();
    assert.deepEqual(await viewer.closed, { code: 1001, reason: 'the server ends' });
    assert.equal(server.store.isClosed, true);
    await assert.rejects(fetch(`http://127.0.0.1:${server.port}/healthz`));
  });
});
