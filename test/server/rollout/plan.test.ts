import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ListedHost } from '../../../src/server/host-list.ts';
import { nextStep, type Situation, type Step } from '../../../src/server/rollout/plan.ts';
import type { Rollout } from '../../../src/store/rollout.ts';
import { RELEASE_SETTINGS } from '../../support/release-settings.ts';
import { A, B, BEFORE, C, listed, rollout } from './fixture.ts';

const WANTED = { wanted: 2, upgrade: undefined, upgradeFailure: undefined };
const DONE = { wanted: 2, release: B, upgrade: 'done' } as const;
const AWAY = { disconnectedMs: 1 };

function step(newest: Rollout, hosts: ListedHost[], fields: Partial<Situation> = {}): Step | undefined {
  return nextStep({
    rollouts: [newest, BEFORE],
    hosts,
    isConnected: ({ disconnectedMs }) => disconnectedMs === undefined,
    waves: RELEASE_SETTINGS.waves,
    servers: ['srv-1'],
    isOverdue: () => false,
    isSettled: true,
    ...fields,
  });
}

function hosts(count: number, fields: Partial<ListedHost> = {}): ListedHost[] {
  return Array.from({ length: count }, (_, index) => listed(`db-${index}`, fields));
}

/** Those that are wanted, of what is a step that wants some. */
function wanted(of: Step | undefined): string[] {
  assert.equal(of?.do, 'want');
  return of.hosts.map(({ host }) => host);
}

/** Plays a rollout in which every host does as it should. @returns hosts after each wave. */
function play(count: number, from: Rollout = rollout()): number[] {
  const fleet = hosts(count);
  const sizes: number[] = [];
  let newest = from;
  for (let steps = 0; steps < 20; steps += 1) {
    const next = step(newest, fleet, { rollouts: [newest, ...(from.serial === 3 ? [rollout()] : []), BEFORE] });
    if (next?.do === 'begin') newest = { ...newest, wave: next.wave };
    else if (next?.do === 'want') {
      for (const { host } of next.hosts)
        Object.assign(fleet.find((one) => one.host === host) ?? assert.fail(), {
          wanted: newest.serial,
          release: newest.hash,
          upgrade: 'done',
        });
      sizes.push(fleet.filter(({ wanted }) => wanted === newest.serial).length);
    } else {
      assert.deepEqual(next, { do: 'finish' });
      return sizes;
    }
  }
  return assert.fail('it does not end');
}

describe('plan of a rollout', { timeout: 30_000 }, () => {
  it('has nothing to do while nothing was released', () => {
    assert.equal(step(rollout(), [], { rollouts: [] }), undefined);
  });

  it('goes from one host to a tenth to all, without waves that would add none', () => {
    assert.deepEqual(play(0), []);
    assert.deepEqual(play(1), [1]);
    assert.deepEqual(play(5), [1, 5]);
    assert.deepEqual(play(100), [1, 10, 100]);
    assert.deepEqual(play(2_000), [1, 200, 2_000]);
  });

  it('takes shares of what cannot be halved as they are meant', () => {
    const waves = [
      { label: '7 %', share: 0.07 },
      { label: 'all', share: 1 },
    ];
    assert.equal(wanted(step(rollout({ wave: 1 }), hosts(100), { waves })).length, 7);
    assert.equal(wanted(step(rollout({ wave: 1 }), hosts(101), { waves })).length, 8);
  });

  it('takes other hosts first for each rollout, and the same ones whoever asks', () => {
    const first = (serial: number): string[] => wanted(step(rollout({ wave: 1, serial }), hosts(50)));
    assert.deepEqual(first(2), first(2));
    assert.ok(new Set([2, 3, 4, 5, 6].flatMap(first)).size > 2);
    assert.deepEqual(wanted(step(rollout({ wave: 1 }), hosts(50).reverse())), first(2));
  });

  it('waits for hosts that are on their way before another wave', () => {
    for (const upgrade of ['waiting', 'receiving', 'testing', 'trial'] as const)
      assert.equal(step(rollout({ wave: 1 }), [...hosts(9), listed('x', { ...WANTED, upgrade })]), undefined, upgrade);
    assert.deepEqual(step(rollout({ wave: 1 }), [...hosts(19), listed('x', DONE)]), { do: 'begin', wave: 2 });
  });

  it('goes on in the middle of a wave', () => {
    const some = hosts(100).map((host, index) => (index < 4 ? { ...host, ...DONE } : host));
    assert.equal(wanted(step(rollout({ wave: 2 }), some)).length, 6);
  });

  it('does not wait for hosts that are away, and has them run it when they are back, also afterwards', () => {
    const fleet = [listed('x', DONE), listed('y', AWAY), listed('z', { ...WANTED, upgrade: 'receiving', ...AWAY })];
    assert.deepEqual(step(rollout({ wave: 3 }), fleet), { do: 'finish' });
    const done = rollout({ state: 'done', wave: 3 });
    assert.equal(step(done, fleet), undefined);
    assert.deepEqual(wanted(step(done, [listed('x', DONE), listed('y')])), ['y']);
  });

  it('waits for hosts that left to begin with it, until they should be back', () => {
    for (const upgrade of ['testing', 'trial'] as const) {
      const fleet = [listed('x', { ...WANTED, upgrade, ...AWAY }), listed('y')];
      assert.equal(step(rollout({ wave: 1 }), fleet), undefined);
      const late = step(rollout({ wave: 1 }), fleet, { isOverdue: ({ host }) => host === 'x' });
      assert.deepEqual(late, { do: 'fail', host: fleet[0], reason: 'its agent did not come back' });
    }
  });

  it('leaves nobody out who may not be back since servers were restarted', () => {
    const fresh = { isSettled: false };
    assert.equal(step(rollout(), hosts(3, AWAY), fresh), undefined);
    assert.equal(step(rollout(), hosts(3, AWAY)), undefined);
    const fleet = [listed('x'), listed('y', AWAY)];
    assert.deepEqual(step(rollout(), fleet, fresh), { do: 'begin', wave: 1 });
    const canary = [listed('x', DONE), listed('y', AWAY)];
    assert.equal(step(rollout({ wave: 1 }), canary, fresh), undefined);
    assert.deepEqual(step(rollout({ wave: 1 }), canary), { do: 'finish' });
    assert.deepEqual(step(rollout({ wave: 1 }), [...canary.slice(0, 1), listed('y')], fresh), { do: 'begin', wave: 3 });
  });

  it('halts when a host has failed, wherever it is, and with all the others where they are', () => {
    const failed = listed('db-07', { ...WANTED, upgrade: 'failed', upgradeFailure: 'it crashed', ...AWAY });
    for (const state of ['running', 'paused'] as const)
      assert.deepEqual(step(rollout({ state, wave: 2 }), [listed('x', DONE), failed]), {
        do: 'halt',
        reason: 'db-07: it crashed',
      });
    assert.equal(step(rollout({ state: 'done', wave: 3 }), [listed('x', DONE), failed]), undefined);
  });

  it('goes back when other hosts run what was halted, or are about to', () => {
    const halted = rollout({ state: 'halted', wave: 2, reason: 'db-07: it crashed' });
    const failed = listed('db-07', { ...WANTED, release: B, upgrade: 'failed' });
    assert.equal(
      step(halted, [failed, listed('x', WANTED), listed('y', { ...WANTED, upgrade: 'receiving' })]),
      undefined,
    );
    const back = { do: 'return', to: BEFORE, reason: 'release 1.3 halted at db-07: it crashed' };
    for (const other of [DONE, { ...DONE, ...AWAY }, { ...WANTED, upgrade: 'testing' as const }])
      assert.deepEqual(step(halted, [failed, listed('x', other)]), back);
    assert.equal(step(halted, [failed, listed('x', DONE)], { rollouts: [halted] }), undefined);
  });

  it('goes back with all at once, and is not stopped by the host that cannot', () => {
    const back = rollout({ serial: 3, version: '1.2', hash: A });
    const rollouts = [back, rollout({ state: 'halted' }), BEFORE];
    const fleet = hosts(20, { ...DONE });
    assert.deepEqual(step(back, fleet, { rollouts }), { do: 'begin', wave: 1 });
    const begun = { ...back, wave: 1 };
    assert.equal(wanted(step(begun, fleet, { rollouts: [begun, ...rollouts.slice(1)] })).length, 20);
    const gone = hosts(20, { wanted: 3, release: A, upgrade: 'done' });
    Object.assign(gone[3] ?? assert.fail(), { upgrade: 'failed', release: B });
    assert.deepEqual(step(begun, gone, { rollouts: [begun, ...rollouts.slice(1)] }), { do: 'finish' });
    assert.deepEqual(play(50, back), [50]);
  });

  it('does nothing while it is paused but halt', () => {
    assert.equal(step(rollout({ state: 'paused', wave: 2 }), [listed('x', DONE), ...hosts(40)]), undefined);
  });

  it('takes no host whose agent says no release, was not deployed or is taken offline', () => {
    const others = [{ release: undefined }, { isDeployed: undefined }, { istate: 0 as const }, { fault: 'no host' }];
    assert.deepEqual(
      step(
        rollout(),
        others.map((fields, index) => listed(`db-${index}`, fields)),
      ),
      { do: 'finish' },
    );
  });

  it('begins with hosts whose server has it, and asks each of the others with one host', () => {
    const fleet = [...hosts(20, { server: 'srv-2' }), listed('x'), listed('y', { server: 'srv-3' })];
    assert.deepEqual(wanted(step(rollout({ wave: 1 }), fleet)), ['x']);
    const next = [...fleet.filter(({ host }) => host !== 'x'), listed('x', DONE)];
    const asked = wanted(step(rollout({ wave: 3 }), next));
    assert.deepEqual([asked.length, asked.includes('y')], [2, true]);
    const waits = next.map((host) => (asked.includes(host.host) ? { ...host, ...WANTED } : host));
    assert.equal(step(rollout({ wave: 3 }), waits), undefined);
  });

  it('waits for servers that lack it, and gives it to no more of their hosts meanwhile', () => {
    const lacking = listed('x', { ...WANTED, server: 'srv-2', upgradeFailure: 'its server srv-2 does not have it' });
    const others = hosts(20, { server: 'srv-2' });
    for (const wave of [1, 2, 3])
      assert.equal(step(rollout({ wave }), [lacking, ...others], { servers: [] }), undefined, `wave ${wave}`);
    assert.deepEqual(step(rollout({ wave: 1 }), [lacking, ...others, listed('y', DONE)]), { do: 'begin', wave: 2 });
    assert.equal(step(rollout({ wave: 2 }), [lacking, ...others, listed('y', DONE)]), undefined);
    const has = listed('x', { ...WANTED, server: 'srv-2', upgrade: 'receiving' });
    assert.equal(wanted(step(rollout({ wave: 3 }), [has, ...others], { servers: [] })).length, 20);
  });

  it('asks another server when its first host waits in vain', () => {
    const lacking = listed('x', { ...WANTED, server: 'srv-2', upgradeFailure: 'its server srv-2 does not have it' });
    const fleet = [lacking, listed('y', { server: 'srv-2' }), listed('z', { server: 'srv-3' })];
    assert.deepEqual(wanted(step(rollout({ wave: 1 }), fleet, { servers: [] })), ['z']);
  });

  it('takes a newer release for all hosts, whatever they are on their way to', () => {
    const newest = rollout({ serial: 3, version: '1.4', hash: C, wave: 3 });
    const fleet = [listed('x', DONE), listed('y', { ...WANTED, upgrade: 'failed' }), listed('z')];
    assert.equal(wanted(step(newest, fleet, { rollouts: [newest, rollout(), BEFORE] })).length, 3);
  });
});
