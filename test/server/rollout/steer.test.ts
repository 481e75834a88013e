import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Steering } from '../../../src/protocol/operator.ts';
import { steer } from '../../../src/server/rollout/steer.ts';
import { openWorld, released, type World } from './simulation.ts';

function steered(world: World, act: Steering): Promise<void> {
  const [server] = world.servers;
  if (server === undefined) throw new RangeError('no server');
  return steer(act, { serverName: 'srv-1', rollouts: server.rollouts, store: world.store, source: server.releases });
}

describe('steering a rollout', { timeout: 120_000 }, () => {
  it('refuses what cannot be done, in plain words', async (t) => {
    const world = openWorld(t);
    await world.server();
    for (const act of ['pause', 'resume', 'rollback'] as const)
      await assert.rejects(steered(world, act), { code: 'ERR_RELEASE', message: 'nothing was released yet' });
    await world.store.release({ version: '1.2', hash: 'a'.repeat(64), state: 'done', wave: 3 }, 0);
    await assert.rejects(steered(world, 'pause'), { message: 'release 1.2 is done' });
    await assert.rejects(steered(world, 'resume'), { message: 'release 1.2 is done' });
    await assert.rejects(steered(world, 'rollback'), {
      message: 'before release 1.2 there was none that all hosts had',
    });
    await world.store.release({ version: '1.3', hash: 'b'.repeat(64), state: 'running', wave: 0 }, 1);
    await assert.rejects(steered(world, 'rollback'), {
      message: 'srv-1 does not have release 1.2 any more: ask a server that has it',
    });
    await steered(world, 'resume');
    assert.equal(world.store.acts.length, 2);
  });

  it('pauses: hosts that are on their way end it, and no other begins', async (t) => {
    const { world, hash } = await released(t, 30);
    await world.until(() => world.newest.wave === 2 && world.fleet.rows.some(({ upgrade }) => upgrade === 'trial'));
    await steered(world, 'pause');
    await steered(world, 'pause');
    await world.pass(60_000);
    assert.deepEqual([world.newest.state, world.running(hash)], ['paused', 3]);
    assert.ok(world.fleet.rows.every(({ upgrade }) => upgrade === undefined || upgrade === 'done'));
    world.agent('db-5').disconnect();
    world.agent('db-5').connect();
    await world.pass(10_000);
    assert.equal(world.running(hash), 3);
    await steered(world, 'resume');
    await world.until(() => world.newest.state === 'done');
    assert.deepEqual([world.running(hash), world.newest.serial], [30, 2]);
  });

  it('resumes what was halted as another act of the same release, in waves', async (t) => {
    const { world, hash } = await released(t, 20);
    world.conduct = (_, of) => (of === hash ? { isBackAfterMs: 500 } : {});
    await world.until(() => world.newest.state === 'halted');
    world.conduct = () => ({});
    await steered(world, 'resume');
    assert.deepEqual([world.newest.serial, world.newest.hash], [3, hash]);
    await world.until(() => world.newest.wave === 2);
    assert.equal(world.running(hash), 1);
    await world.until(() => world.newest.state === 'done');
    assert.equal(world.running(hash), 20);
  });

  it('resumes what hosts have gone back from since', async (t) => {
    const { world, hash } = await released(t, 20);
    await world.until(() => world.newest.wave === 2);
    await steered(world, 'rollback');
    await world.until(() => world.newest.state === 'done');
    await steered(world, 'resume');
    assert.deepEqual([world.newest.serial, world.newest.hash], [4, hash]);
    await world.until(() => world.newest.state === 'done');
    assert.equal(world.running(hash), 20);
  });

  it('rolls back, wherever hosts are on their way, and forth again', async (t) => {
    const { world, before, hash } = await released(t, 40);
    await world.until(() => world.newest.wave === 3 && world.fleet.rows.some(({ upgrade }) => upgrade === 'trial'));
    await steered(world, 'rollback');
    assert.equal(world.newest.reason, 'an operator rolled release 1.3 back');
    await world.until(() => world.newest.state === 'done');
    assert.deepEqual([world.running(before), world.newest.serial], [40, 3]);
    await assert.rejects(steered(world, 'rollback'), /before release 1.2 there was none/);
    await steered(world, 'resume');
    await world.until(() => world.newest.state === 'done');
    await steered(world, 'rollback');
    await world.until(() => world.newest.state === 'done');
    await steered(world, 'rollback');
    await world.until(() => world.newest.state === 'done');
    assert.deepEqual([world.running(hash), world.newest.serial], [40, 6]);
  });

  it('rolls back what is still received', async (t) => {
    const { world, before, hash } = await released(t, 5);
    world.conduct = (_, of) => (of === hash ? { stalls: true } : {});
    await world.until(() => world.fleet.rows.some(({ upgrade }) => upgrade === 'receiving'));
    const [row] = world.fleet.rows.filter(({ upgrade }) => upgrade === 'receiving');
    await steered(world, 'rollback');
    await world.until(() => world.newest.state === 'done');
    assert.equal(world.agent(row?.rshost ?? '').heard.at(-1), 'revert');
    assert.deepEqual([world.running(before), row?.upgrade], [5, 'done']);
  });

  it('is told when somebody else was faster', async (t) => {
    const { world } = await released(t, 3);
    const { store } = world;
    store.advance = async () => false;
    await assert.rejects(steered(world, 'pause'), { code: 'ERR_RELEASE', message: /has gone on meanwhile/ });
  });
});
