import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { rolloutSchema } from '../../../src/protocol/release.ts';
import { HostList, type ListedHost } from '../../../src/server/host-list.ts';
import { RolloutList } from '../../../src/server/rollout/rollout-list.ts';
import { RolloutView } from '../../../src/server/rollout/status.ts';
import type { Rollout } from '../../../src/store/rollout.ts';
import { FakeFleet } from '../../support/fake-fleet.ts';
import { FakeRollouts } from '../../support/fake-rollouts.ts';
import { RELEASE_SETTINGS } from '../../support/release-settings.ts';
import { B, BEFORE, listed, rollout } from './fixture.ts';

async function view(t: TestContext, acts: Rollout[], rows: ListedHost[]) {
  const fleet = new FakeFleet();
  await fleet.beat({ name: 'srv-1', url: 'wss://srv-1:9300' });
  const store = new FakeRollouts(fleet);
  fleet.rows.push(...rows);
  store.acts.push(...acts);
  const hosts = new HostList(fleet);
  const rollouts = new RolloutList(store);
  await Promise.all([hosts.refresh(), rollouts.refresh()]);
  t.after(() => rollouts.stop());
  return {
    fleet,
    store,
    hosts,
    rollouts,
    view: new RolloutView({ hosts, rollouts, waves: () => RELEASE_SETTINGS.waves }),
  };
}

const away = { disconnectedMs: 1 };

describe('rollout view', { timeout: 30_000 }, () => {
  it('tells nothing while nothing was released', async (t) => {
    assert.equal((await view(t, [], [listed('db-01')])).view.status(10), undefined);
  });

  it('counts hosts by their phase, and names first those that need an eye', async (t) => {
    const { view: seen } = await view(
      t,
      [BEFORE, rollout({ wave: 2 })],
      [
        listed('db-01', { wanted: 2, release: B, upgrade: 'done' }),
        listed('db-02', { wanted: 2, upgrade: 'receiving' }),
        listed('db-03', { wanted: 2, upgrade: 'failed', upgradeFailure: 'it crashed' }),
        listed('db-04'),
        listed('db-05', away),
        listed('db-06', { wanted: 2, upgrade: 'receiving', ...away }),
        listed('db-07', { wanted: 2, upgrade: 'trial', ...away }),
        listed('db-08', { wanted: 1, release: B }),
        listed('db-09', { istate: -1 }),
      ],
    );
    const status = seen.status(100);
    assert.deepEqual(rolloutSchema.parse(status), status);
    assert.deepEqual(status?.counts, { failed: 1, trial: 1, testing: 0, receiving: 1, waiting: 1, away: 2, done: 2 });
    assert.deepEqual(
      status?.hosts.map(({ host }) => host.slice(-2)),
      ['03', '07', '02', '04', '05', '06', '01', '08'],
    );
    assert.equal(status?.hosts[0]?.reason, 'it crashed');
    assert.deepEqual(status?.previous, { version: '1.2', hash: BEFORE.hash });
    assert.deepEqual([status?.wave, status?.waves], [2, ['1', '10 %', 'all']]);
  });

  it('names as many hosts as were asked for, or the one, and counts all', async (t) => {
    const { view: seen } = await view(t, [BEFORE, rollout()], [listed('db-01'), listed('db-02'), listed('db-03')]);
    assert.deepEqual([seen.status(2)?.hosts.length, seen.status(2)?.counts.waiting], [2, 3]);
    assert.deepEqual(
      seen.status(2, 'db-03')?.hosts.map(({ host }) => host),
      ['db-03'],
    );
  });

  it('names hosts whose agents are left alone, and does not count them', async (t) => {
    const { view: seen } = await view(t, [BEFORE, rollout()], [listed('db-01', { release: undefined })]);
    const { counts, hosts } = seen.status(10) ?? assert.fail();
    assert.equal(counts.waiting, 0);
    assert.match(hosts[0]?.reason ?? '', /started by hand, or is too old/);
  });

  it('shows a return as one wave of all', async (t) => {
    const acts = [BEFORE, rollout({ state: 'halted' }), rollout({ serial: 3, version: '1.2', hash: BEFORE.hash })];
    assert.deepEqual((await view(t, acts, [])).view.status(10)?.waves, ['all']);
  });

  it('says when anything has changed', async (t) => {
    const { view: seen, store, rollouts, hosts, fleet } = await view(t, [BEFORE], [listed('db-01')]);
    let changes = 0;
    seen.on('change', () => {
      changes += 1;
    });
    await Promise.all([rollouts.refresh(), hosts.refresh()]);
    assert.equal(changes, 0);
    store.acts.push(rollout());
    await rollouts.refresh();
    assert.equal(changes, 1);
    Object.assign(fleet.rows[0] ?? assert.fail(), away);
    await hosts.refresh();
    assert.equal(changes, 2);
  });
});
