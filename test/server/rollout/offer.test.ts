import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { offerOwn } from '../../../src/server/rollout/offer.ts';
import type { Rollout } from '../../../src/store/rollout.ts';
import { FakeFleet } from '../../support/fake-fleet.ts';
import { FakeRollouts } from '../../support/fake-rollouts.ts';
import { A, B, BEFORE, C, rollout } from './fixture.ts';

function offered(acts: Rollout[], own: { hash: string; version: string }) {
  const fleet = new FakeFleet();
  const store = new FakeRollouts(fleet);
  store.acts.push(...structuredClone(acts));
  const offer = (serverName = 'srv-1', signal = new AbortController().signal): Promise<string | undefined> =>
    offerOwn({ serverName, fleet, store, source: { own } }, signal);
  return { fleet, store, offer };
}

const DONE = rollout({ state: 'done', wave: 3 });

describe('offering the own release', { timeout: 30_000 }, () => {
  it('releases code that nobody had before, first of all or after others', async () => {
    const first = offered([], { hash: A, version: '1.2' });
    assert.equal(await first.offer(), `release 1.2 (${'a'.repeat(12)}) is the first one`);
    const { serial, version, hash, state, wave } = first.store.acts[0] ?? assert.fail();
    assert.deepEqual(
      { serial, version, hash, state, wave },
      { ...{ serial: 1, version: '1.2', hash: A }, state: 'running', wave: 0 },
    );
    const next = offered([BEFORE], { hash: B, version: '1.3' });
    assert.match((await next.offer()) ?? '', /^release 1\.3 \(b+\) begins its way to the hosts, after 1\.2 \(a+\)$/);
    assert.equal(next.store.acts.length, 2);
  });

  it('says that the version is an old one when the code is new', async () => {
    const { store, offer } = offered([BEFORE], { hash: B, version: '1.2' });
    assert.match((await offer()) ?? '', /; the agents' code is not that of the other 1\.2 \(a+\)$/);
    assert.deepEqual([store.acts[1]?.version, store.acts[1]?.hash], ['1.2', B]);
  });

  it('does nothing when the newest one is its own, and says so when the version is another', async () => {
    const same = offered([BEFORE, DONE], { hash: B, version: '1.3' });
    assert.equal(await same.offer(), undefined);
    const renamed = offered([BEFORE, DONE], { hash: B, version: '1.4' });
    const said = "the version is 1.4 now, the agents' code is still that of 1.3: there is nothing to release";
    assert.equal(await renamed.offer(), said);
    assert.deepEqual([same.store.acts.length, renamed.store.acts.length], [2, 2]);
  });

  it('says that the fleet is on a newer one, and how to change that, and changes nothing', async () => {
    const { store, offer } = offered([BEFORE, DONE], { hash: A, version: '1.2' });
    assert.match(
      (await offer()) ?? '',
      /code of 1\.2 .* the fleet is on release 1\.3 .*: to go back, procmesh release rollback$/,
    );
    assert.equal(store.acts.length, 2);
    const oldest = offered([BEFORE, DONE, rollout({ serial: 3, hash: C, version: '1.4', state: 'done' })], {
      hash: A,
      version: '1.2',
    });
    assert.match((await oldest.offer()) ?? '', /the fleet is on release 1\.4 \(c+\)$/);
  });

  it('does not release again by itself what was halted', async () => {
    const halted = rollout({ state: 'halted', reason: 'db-07: it crashed' });
    const { store, offer } = offered([BEFORE, halted], { hash: B, version: '1.3' });
    assert.equal(await offer(), 'release 1.3 is halted at db-07: it crashed; to try it again, procmesh release resume');
    const back = offered([BEFORE, halted, rollout({ serial: 3, version: '1.2', hash: A, state: 'done' })], {
      hash: B,
      version: '1.3',
    });
    assert.match((await back.offer()) ?? '', /: to begin it again, procmesh release resume$/);
    assert.deepEqual([store.acts.length, back.store.acts.length], [2, 3]);
  });

  it('is done once by servers that start together, which take turns', async (t: TestContext) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { fleet, store, offer } = offered([BEFORE], { hash: B, version: '1.3' });
    await fleet.lease('release', 'srv-2', 60_000);
    const waiting = offer('srv-1');
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(store.acts.length, 1);
    await fleet.release('release', 'srv-2');
    t.mock.timers.tick(1_000);
    assert.match((await waiting) ?? '', /begins its way/);
    assert.equal(await offer('srv-2'), undefined);
    assert.deepEqual([store.acts.length, fleet.leases.size], [2, 0]);
  });

  it('looks again when something else was released meanwhile', async () => {
    const { store, offer } = offered([BEFORE], { hash: B, version: '1.3' });
    const release = store.release.bind(store);
    let isFirst = true;
    store.release = async (act, after) => {
      if (isFirst) await release({ version: '1.4', hash: C, state: 'running', wave: 0 }, after);
      isFirst = false;
      return release(act, after);
    };
    assert.match((await offer()) ?? '', /after 1\.4/);
    assert.deepEqual(
      store.acts.map(({ hash }) => hash),
      [A, C, B],
    );
  });

  it('gives the lease back when the store fails, or the server ends', async () => {
    const { fleet, store, offer } = offered([BEFORE], { hash: B, version: '1.3' });
    store.rollouts = () => Promise.reject(new Error('it is away'));
    await assert.rejects(offer(), /it is away/);
    assert.equal(fleet.leases.size, 0);
    await assert.rejects(offer('srv-1', AbortSignal.abort()), { name: 'AbortError' });
    assert.equal(fleet.leases.size, 0);
  });
});
