import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { HostRow } from '../../src/protocol/row.ts';
import { interval } from '../store/sample.ts';
import { FakeAgent } from '../support/fake-agent.ts';
import { openServer, processQuery, SETTINGS, type TestServer } from '../support/test-server.ts';

async function hosts(server: TestServer): Promise<HostRow[]> {
  const viewer = await server.viewer({ view: 'hosts', sort: 'cpu', limit: 100 });
  const { rows } = await viewer.next('hosts');
  viewer.socket.terminate();
  return rows;
}

describe('agent session', { timeout: 30_000 }, () => {
  it('is welcomed with the server’s name and the settings', async (t) => {
    const server = await openServer(t);
    const agent = new FakeAgent('web-1', await server.connect('agent'));
    const connected = once(server.server, 'connected');
    agent.hello();
    assert.deepEqual(await agent.wire.next('welcome'), { type: 'welcome', server: 'srv-1', settings: SETTINGS });
    assert.deepEqual(await connected, ['web-1']);
  });

  for (const type of ['beat', 'rows', 'interval'] as const) {
    it(`takes no ${type} before the hello`, async (t) => {
      const server = await openServer(t);
      const agent = new FakeAgent('web-1', await server.connect('agent'));
      const total = { host: 'web-1', at: '2026-01-01T00:00:00Z', ...agent.usage };
      if (type === 'beat') agent.beat();
      else if (type === 'rows') agent.wire.send({ type, id: 1, atMs: 1, total, rows: [] });
      else agent.wire.send({ type, interval: interval(0) });
      assert.deepEqual(await agent.wire.closed, { code: 4409, reason: `${type} before hello` });
      assert.deepEqual(server.store.written, []);
      assert.deepEqual(await hosts(server), []);
    });
  }

  it('takes one hello only', async (t) => {
    const server = await openServer(t);
    const agent = await server.agent('web-1');
    const gone = once(server.server, 'disconnected');
    agent.hello();
    assert.deepEqual(await agent.wire.closed, { code: 4409, reason: 'hello after hello' });
    assert.deepEqual(await gone, ['web-1']);
    const [row] = await hosts(server);
    assert.equal(row?.status, 'offline');
    assert.equal(row?.message, 'hello after hello (4409)');
  });

  it('is refused when it says hello again, which is counted', async (t) => {
    const server = await openServer(t);
    const agent = await server.agent('web-1');
    const refused = once(server.server, 'refused');
    agent.hello();
    assert.deepEqual(await refused, ['127.0.0.1', 'another hello on the connection of web-1']);
    assert.equal(await server.metric('procmesh_refused_total{reason="hello"}'), 1);
  });

  it('does not speak for a host that its token is not for', async (t) => {
    const server = await openServer(t);
    const victim = await server.agent('db-1');
    const thief = new FakeAgent('db-1', await server.connect('agent', { host: 'web-1' }));
    const refused = once(server.server, 'refused');
    thief.hello();
    assert.deepEqual(await thief.wire.closed, { code: 4403, reason: 'this token is for another host' });
    assert.deepEqual(await refused, ['127.0.0.1', 'the token of web-1, used for db-1']);
    assert.equal(await server.metric('procmesh_refused_total{reason="hello"}'), 1);
    await victim.wire.settled();
    assert.equal(victim.wire.socket.readyState, victim.wire.socket.OPEN);
    const rows = await hosts(server);
    assert.deepEqual(
      rows.map(({ host, status }) => [host, status]),
      [['db-1', 'online']],
    );
  });

  it('is replaced by the next one of its host, which is heard from then on', async (t) => {
    const server = await openServer(t);
    const disconnected: string[] = [];
    server.server.on('disconnected', (host) => disconnected.push(host));
    const first = await server.agent('web-1');
    first.sample();
    const second = await server.agent('web-1');
    assert.deepEqual(await first.wire.closed, { code: 4410, reason: 'another connection speaks for this host' });
    second.usage = { ...second.usage, cpuPercent: 7 };
    second.sample();
    await second.wire.settled();

    const rows = await hosts(server);
    assert.equal(rows.length, 1);
    assert.equal(rows[0]?.status, 'online');
    assert.equal(rows[0]?.cpuPercent, 7);
    assert.deepEqual(disconnected, []);
    assert.equal(await server.metric('procmesh_agents'), 1);
  });

  it('that is replaced and well is said to speak for the host too, as long as another does', async (t) => {
    const server = await openServer(t);
    await server.agent('web-1');
    const second = await server.agent('web-1');
    const viewer = await server.viewer({ view: 'hosts', sort: 'cpu', limit: 100 });
    for (;;) {
      const { rows } = await viewer.next('hosts');
      if (rows[0]?.message === 'two agents speak for this host, both from 127.0.0.1') break;
    }
    await second.wire.settled();
  });

  it('that is replaced and does not answer was the same agent’s', async (t) => {
    const server = await openServer(t);
    const first = await server.agent('web-1');
    first.wire.socket.pause();
    await server.agent('web-1');
    // The server cuts off the first one after a while.
    while ((await server.metric('procmesh_agents')) > 1);
    assert.equal((await hosts(server))[0]?.message, undefined);
  });

  it('is asked again what is watched when it replaces another', async (t) => {
    const server = await openServer(t);
    await server.agent('web-1');
    const viewer = await server.viewer(processQuery());
    await viewer.settled();
    const second = await server.agent('web-1');
    const { query } = await second.wire.next('watch');
    assert.deepEqual(query, processQuery());
  });

  it('does not come back to life with what a replaced connection still says', async (t) => {
    const server = await openServer(t);
    const first = await server.agent('web-1');
    first.wire.socket.pause();
    const second = await server.agent('web-1');
    second.usage = { ...second.usage, cpuPercent: 7 };
    second.sample();
    first.usage = { ...first.usage, cpuPercent: 99 };
    first.sample();
    await second.wire.settled();
    first.wire.socket.resume();
    await first.wire.closed;
    assert.equal((await hosts(server))[0]?.cpuPercent, 7);
  });
});
