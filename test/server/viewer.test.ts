import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Query } from '../../src/protocol/query.ts';
import { openServer, processQuery, type TestServer } from '../support/test-server.ts';

const HOSTS: Query = { view: 'hosts', sort: 'cpu', limit: 100 };

/** A beat of another host reaches a new viewer. */
async function assertUnharmed(server: TestServer): Promise<void> {
  await server.agent('bystander');
  const viewer = await server.viewer(HOSTS);
  while (!(await viewer.next('hosts')).rows.some(({ host }) => host === 'bystander'));
}

describe('viewer', { timeout: 30_000 }, () => {
  it('may ask several questions at once, told apart by their ids', async (t) => {
    const server = await openServer(t);
    const viewer = await server.connect('viewer');
    for (const id of [7, 3]) viewer.send({ type: 'subscribe', id, query: HOSTS });
    assert.deepEqual([(await viewer.next('hosts')).id, (await viewer.next('hosts')).id], [7, 3]);
  });

  it('hears no more of a question it has taken back', async (t) => {
    const server = await openServer(t);
    const viewer = await server.viewer(HOSTS);
    await viewer.next('hosts');
    viewer.send({ type: 'unsubscribe', id: 1 });
    viewer.send({ type: 'unsubscribe', id: 99 });
    await viewer.settled();
    await server.agent('web-1');
    const other = await server.viewer(HOSTS);
    await other.next('hosts');
    await viewer.settled();
    assert.deepEqual(viewer.received, []);
  });

  it('may use an id again after it was taken back, not before', async (t) => {
    const server = await openServer(t);
    const viewer = await server.viewer(HOSTS);
    viewer.send({ type: 'subscribe', id: 1, query: HOSTS });
    assert.deepEqual(await viewer.next('error'), {
      type: 'error',
      id: 1,
      code: 'ERR_ID',
      message: 'the id 1 is in use',
    });
    viewer.send({ type: 'unsubscribe', id: 1 });
    await viewer.settled();
    viewer.taken('hosts');
    viewer.send({ type: 'subscribe', id: 1, query: HOSTS });
    assert.equal((await viewer.next('hosts')).id, 1);
  });

  for (const when of [undefined, 1]) {
    it(`is told that a filter about the ${when === undefined ? 'present' : 'past'} cannot be read, and stays`, async (t) => {
      const server = await openServer(t);
      const viewer = await server.viewer(processQuery({ filter: '(mysqld', atMs: when }));
      const { id, code, message } = await viewer.next('error');
      assert.deepEqual([id, code], [1, 'ERR_FILTER']);
      assert.match(message, /^the filter "\(mysqld" cannot be read/);
      viewer.send({ type: 'subscribe', id: 1, query: HOSTS });
      await viewer.next('hosts');
      assert.deepEqual(server.store.questions, []);
    });
  }

  it('is refused a thirty-third question at once', async (t) => {
    const server = await openServer(t);
    const viewer = await server.connect('viewer');
    for (let id = 1; id <= 33; id += 1) viewer.send({ type: 'subscribe', id, query: HOSTS });
    const { id, code } = await viewer.next('error');
    assert.deepEqual([id, code], [33, 'ERR_LIMIT']);
    await viewer.settled();
    assert.equal(viewer.taken('hosts').length, 32);
    await assertUnharmed(server);
  });

  it('takes its questions with it when it goes', async (t) => {
    const server = await openServer(t);
    const agent = await server.agent('web-1');
    const viewer = await server.viewer(processQuery());
    const { id } = await agent.wire.next('watch');
    viewer.socket.terminate();
    assert.deepEqual(await agent.wire.next('unwatch'), { type: 'unwatch', id });
  });

  for (const [what, query] of [
    ['a limit of nothing', { limit: 0 }],
    ['a limit beyond measure', { limit: 10_001 }],
    ['a filter beyond measure', { filter: 'x'.repeat(501) }],
    ['a window beyond measure', { windowMs: 367 * 86_400_000 }],
  ] as const) {
    it(`is turned away with ${what}`, async (t) => {
      const server = await openServer(t);
      const viewer = await server.viewer(processQuery(query));
      assert.equal((await viewer.closed).code, 4400);
      await assertUnharmed(server);
    });
  }
});
