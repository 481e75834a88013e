import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Query } from '../../src/protocol/query.ts';
import type { LiveAnswer } from '../../src/server/live-query.ts';
import { LiveRelease } from '../../src/server/live-release.ts';
import { counts, FakeRolloutView, standing } from '../support/fake-rollout-view.ts';
import { openServer } from '../support/test-server.ts';

const QUERY: Query = { view: 'release', sort: 'cpu', limit: 2 };

/** Done hosts of each answer that was delivered. */
function watched(t: TestContext, view = new FakeRolloutView(standing({ counts: counts({ done: 0 }) }))) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const told: (number | undefined)[] = [];
  const live = new LiveRelease(QUERY, view, (answer) => told.push(doneOf(answer)));
  const done = (hosts: number): void => view.becomes(standing({ counts: counts({ done: hosts }) }));
  return { view, told, live, done };
}

function doneOf(answer: LiveAnswer): number | undefined {
  return answer.type === 'release' ? answer.rollout?.counts.done : undefined;
}

describe('live release', { timeout: 30_000 }, () => {
  it('looks at the hosts no more often than it tells', (t) => {
    const { view, done } = watched(t);
    done(1);
    const before = view.asked.length;
    for (const hosts of [2, 3, 4]) done(hosts);
    assert.equal(view.asked.length, before);
    t.mock.timers.tick(1_000);
    assert.equal(view.asked.length, before + 1);
  });

  it('tells what changes at once, and then at most once a second', (t) => {
    const { told, done } = watched(t);
    done(1);
    assert.deepEqual(told, [1]);
    done(2);
    done(3);
    t.mock.timers.tick(999);
    assert.deepEqual(told, [1]);
    t.mock.timers.tick(1);
    assert.deepEqual(told, [1, 3]);
    done(4);
    t.mock.timers.tick(1_000);
    assert.deepEqual(told, [1, 3, 4]);
    t.mock.timers.tick(10_000);
    done(5);
    assert.deepEqual(told, [1, 3, 4, 5]);
  });

  it('tells that it is over, or halted, without a rest, and rests after that', (t) => {
    const { view, told, done } = watched(t);
    done(1);
    t.mock.timers.tick(900);
    view.becomes(standing({ state: 'halted', counts: counts({ done: 2 }) }));
    assert.deepEqual(told, [1, 2]);
    view.becomes(standing({ state: 'halted', counts: counts({ done: 3 }) }));
    t.mock.timers.tick(999);
    assert.deepEqual(told, [1, 2]);
    t.mock.timers.tick(1);
    assert.deepEqual(told, [1, 2, 3]);
  });

  it('says nothing when what has changed is nothing to it', (t) => {
    const { told, done } = watched(t);
    done(0);
    t.mock.timers.tick(1_000);
    done(1);
    t.mock.timers.tick(1_000);
    done(1);
    t.mock.timers.tick(1_000);
    assert.deepEqual(told, [1]);
  });

  it('is up to date for who asks while it rests', (t) => {
    const { live, done } = watched(t);
    done(1);
    done(2);
    assert.equal(doneOf(live.latest), 2);
  });

  it('leaves nothing behind when nobody asks any more', (t) => {
    const { view, told, live, done } = watched(t);
    done(1);
    done(2);
    live.close();
    t.mock.timers.tick(1_000);
    assert.deepEqual([told, view.listenerCount('change')], [[1], 0]);
  });
});

describe('a viewer who asks how a rollout stands', { timeout: 30_000 }, () => {
  it('is answered at once, of as many hosts as it asks for, and told of changes', async (t) => {
    const rollouts = new FakeRolloutView(standing());
    const server = await openServer(t, { rollouts });
    const viewer = await server.viewer(QUERY);
    const { rollout } = await viewer.next('release');
    assert.deepEqual(rollout, { ...standing(), hosts: standing().hosts.slice(0, 2) });
    rollouts.becomes(standing({ state: 'done' }));
    assert.equal((await viewer.next('release')).rollout?.state, 'done');
  });

  it('may ask of one host', async (t) => {
    const server = await openServer(t, { rollouts: new FakeRolloutView(standing()) });
    const viewer = await server.viewer({ ...QUERY, host: 'db-05' });
    assert.deepEqual((await viewer.next('release')).rollout?.hosts, [{ host: 'db-05', phase: 'away' }]);
  });

  it('hears that there is none, before the first and of a server that knows of none', async (t) => {
    for (const options of [{ rollouts: new FakeRolloutView() }, {}]) {
      const viewer = await (await openServer(t, options)).viewer(QUERY);
      const { id, at: _, ...answer } = await viewer.next('release');
      assert.deepEqual([id, answer], [1, { type: 'release' }]);
    }
  });

  it('is told of changes that come when the first release does', async (t) => {
    const rollouts = new FakeRolloutView();
    const viewer = await (await openServer(t, { rollouts })).viewer(QUERY);
    await viewer.next('release');
    rollouts.becomes(standing());
    assert.equal((await viewer.next('release')).rollout?.version, '1.3');
  });

  it('cannot ask how one stood in the past', async (t) => {
    const viewer = await (await openServer(t)).viewer({ ...QUERY, atMs: 1_000 });
    const { code, message } = await viewer.next('error');
    assert.deepEqual([code, message], ['ERR_QUERY', 'release is asked of now']);
  });

  it('leaves nothing that listens when it takes the question back', async (t) => {
    const rollouts = new FakeRolloutView(standing());
    const server = await openServer(t, { rollouts });
    const viewer = await server.viewer(QUERY);
    await viewer.next('release');
    viewer.send({ type: 'unsubscribe', id: 1 });
    await viewer.settled();
    assert.equal(rollouts.listenerCount('change'), 0);
  });
});
