import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { AGENT_PATH, LIVE_PATH, SUBPROTOCOL } from '../../src/protocol/message.ts';
import { Server } from '../../src/server/server.ts';
import { FakeStore } from '../support/fake-store.ts';
import { FakeHostList, openServer, processQuery, SECRETS, SETTINGS, tokenOf } from '../support/test-server.ts';
import { Wire } from '../support/wire.ts';

function serverOn(host: string, port: number): Server {
  const options = { name: 'second', version: '1', settings: SETTINGS, retentionMs: 1, certificate: undefined };
  const mesh = { secrets: SECRETS, hostList: new FakeHostList() };
  return new Server({ ...options, ...mesh, listen: { host, port }, store: new FakeStore() });
}

describe('listener', { timeout: 30_000 }, () => {
  for (const [what, path, token, status, reason] of [
    ['an agent with a wrong token', AGENT_PATH, 'x'.repeat(40), 401, 'token'],
    ['a viewer without a token', LIVE_PATH, undefined, 401, 'token'],
    ['an agent of a host that is not listed', AGENT_PATH, tokenOf('gone'), 403, 'host'],
    ['an agent with a token that is void', AGENT_PATH, tokenOf('web-1', 5), 403, 'generation'],
    ['an unknown path', '/other', SECRETS.viewer, 404, 'path'],
  ] as const) {
    it(`refuses ${what} with ${status}, says so once and counts it`, async (t) => {
      const server = await openServer(t);
      server.hostList.generations.set('gone', undefined);
      const said: string[] = [];
      server.server.on('refused', (address, message) => said.push(`${address} ${message}`));
      for (let times = 0; times < 3; times += 1) {
        const wire = new Wire(server.url + path, token === undefined ? {} : { token });
        await assert.rejects(wire.opened(), { message: `refused with ${status}` });
      }
      assert.equal(said.length, 1);
      assert.match(said[0] ?? '', /^127\.0\.0\.1 \w/);
      assert.doesNotMatch(said[0] ?? '', /xxxx|viewerviewer/);
      assert.equal(await server.metric(`procmesh_refused_total{reason="${reason}"}`), 3);
    });
  }

  it('hands over each role, an agent with its host, and closes on an operator that nobody listens to', async (t) => {
    const server = await openServer(t);
    const deaf = await server.connect('operator');
    assert.deepEqual(await deaf.closed, { code: 4409, reason: 'this server takes no commands' });
    const operator = once(server.server, 'operator');
    const wire = await server.connect('operator');
    const [socket] = await operator;
    socket.send('{"type":"error"}');
    await wire.next('error');
    const agent = await server.agent('db-7');
    assert.equal(agent.wire.socket.readyState, agent.wire.socket.OPEN);
  });

  it('refuses who does not offer the subprotocol', async (t) => {
    const server = await openServer(t);
    for (const protocols of [[], ['procmesh.v2']]) {
      const wire = new Wire(server.url + LIVE_PATH, { token: SECRETS.viewer, protocols });
      await assert.rejects(wire.opened(), { message: 'refused with 400' });
    }
  });

  it('chooses the subprotocol among several, and ignores a query string', async (t) => {
    const server = await openServer(t);
    const wire = new Wire(`${server.url}${LIVE_PATH}?x=1`, { token: SECRETS.viewer, protocols: ['chat', SUBPROTOCOL] });
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
    await assert.rejects(fetch(`http://127.0.0.1:${server.port}/healthz`));
  });
});
