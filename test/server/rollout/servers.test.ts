import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HostList } from '../../../src/server/host-list.ts';
import { Rollouts } from '../../../src/server/rollout/duty.ts';
import { FakeReleases } from '../../support/fake-releases.ts';
import { openWorld, released, type World } from './simulation.ts';

/** Two servers with half of the hosts each; the second one may lack 1.3. */
async function pair(world: World, count: number, { secondHas = true } = {}) {
  const options = { runtime: Buffer.alloc(1_000, 'node') };
  const [first, second] = [new FakeReleases('1.3', options), new FakeReleases('1.3', options)];
  const before = first.add('1.2');
  second.add('1.2');
  const { hash } = first.own;
  if (!secondHas) second.has = (asked) => asked === before;
  const one = await world.server('srv-1', first);
  const two = await world.server('srv-2', second);
  await world.store.release({ version: '1.2', hash: before, state: 'done', wave: 1 }, 0);
  await world.add(count, before, one);
  await world.add(count, before, two, count);
  await world.pass(2_000);
  await world.store.release({ version: '1.3', hash, state: 'running', wave: 0 }, 1);
  return { one, two, before, hash, secondReleases: second };
}

describe('several servers', { timeout: 120_000 }, () => {
  it('work as one: the one on duty decides, each gives it to its own agents', async (t) => {
    const world = openWorld(t);
    const { one, hash } = await pair(world, 20);
    one.duty.start();
    const most: number[] = [];
    await world.until(() => {
      most[world.newest.wave] = Math.max(most[world.newest.wave] ?? 0, world.running(hash));
      return world.newest.state === 'done';
    });
    assert.deepEqual([most[1], most[2], most[3]], [1, 4, 40]);
  });

  it('go on in the middle, whoever stops and after whatever step', async (t) => {
    for (let stopAfter = 1; stopAfter <= 8; stopAfter += 1) {
      await t.test(`after write ${stopAfter}`, async (t) => {
        const world = openWorld(t);
        const { one, two, hash } = await pair(world, 10);
        let writes = 0;
        const { store } = world;
        for (const name of ['advance', 'want', 'release'] as const) {
          const write = store[name].bind(store) as (...args: never[]) => Promise<never>;
          store[name] = async (...args: never[]) => {
            const answer = await write(...args);
            writes += 1;
            // It was killed the moment that this was written, and never read the answer.
            if (writes === stopAfter) {
              world.dead.add('srv-1');
              void one.duty.stop();
              throw new Error('killed');
            }
            return answer;
          };
        }
        one.duty.start();
        await world.until(() => writes >= Math.min(stopAfter, 6) || world.newest.state === 'done');
        world.dead.clear();
        void one.duty.stop();
        await world.pass(5_000);
        two.duty.start();
        await world.until(() => world.newest.state === 'done');
        assert.deepEqual([world.running(hash), world.newest.serial], [20, 2]);
      });
    }
  });

  it('halt and go back in the middle, too', async (t) => {
    for (const stopAt of ['halted', 'returned'] as const) {
      await t.test(`when it is ${stopAt}`, async (t) => {
        const world = openWorld(t);
        const { one, two, before, hash } = await pair(world, 20);
        one.duty.start();
        await world.until(() => world.newest.wave === 2);
        const has = [...world.agents.values()].find(({ release }) => release?.hash === hash)?.host;
        world.conduct = (host, of) => (of === hash && host !== has ? { cpuPercent: 60 } : {});
        const release = world.store.release.bind(world.store);
        let isStopped = false;
        world.store.release = async (act, after) => {
          if (isStopped) return release(act, after);
          isStopped = true;
          void one.duty.stop();
          if (stopAt === 'halted') throw new Error('killed');
          return release(act, after);
        };
        await world.until(() => isStopped);
        await world.pass(2_000);
        assert.equal(world.newest.serial, stopAt === 'halted' ? 2 : 3);
        two.duty.start();
        await world.until(() => world.newest.serial === 3 && world.newest.state === 'done');
        assert.equal(world.running(before), 40);
      });
    }
  });

  it('are two on duty for a moment and do no harm', async (t) => {
    const world = openWorld(t);
    const { one, two, hash } = await pair(world, 20);
    one.duty.start();
    two.duty.start();
    await world.until(() => world.newest.state === 'done');
    assert.equal(world.running(hash), 40);
    const offers = [...world.agents.values()].map(({ heard }) => heard.filter((type) => type === 'upgrade').length);
    assert.deepEqual(new Set(offers), new Set([1]));
  });

  it('of which one lacks the release leave its hosts waiting, and say why', async (t) => {
    const world = openWorld(t);
    const { one, hash, secondReleases } = await pair(world, 10, { secondHas: false });
    one.duty.start();
    await world.pass(60_000);
    assert.deepEqual([world.newest.state, world.running(hash)], ['running', 10]);
    const waiting = world.fleet.rows.filter(({ wanted, upgrade }) => wanted === 2 && upgrade === 'waiting');
    assert.deepEqual(
      waiting.map(({ server, upgradeFailure }) => [server, upgradeFailure]),
      [['srv-2', 'its server srv-2 does not have release 1.3']],
    );
    secondReleases.has = () => true;
    const [host = ''] = waiting.map(({ rshost }) => rshost);
    world.agent(host).disconnect();
    world.agent(host).connect();
    await world.until(() => world.newest.state === 'done');
    assert.equal(world.running(hash), 20);
  });

  it('of which the one on duty lacks it begin with hosts of the others', async (t) => {
    const world = openWorld(t);
    const { two, one, hash } = await pair(world, 10, { secondHas: false });
    two.duty.start();
    await world.until(() => world.running(hash) > 0);
    assert.equal([...world.agents.values()].find(({ release }) => release?.hash === hash)?.server, one);
    await world.pass(60_000);
    assert.deepEqual([world.newest.state, world.running(hash)], ['running', 10]);
  });

  it('look at the hosts before they do anything about them', async (t) => {
    const world = openWorld(t);
    const { one } = await pair(world, 3);
    const { name, releases, rollouts } = one;
    await rollouts.refresh();
    const options = {
      serverName: name,
      rollouts,
      store: world.store,
      source: releases,
      settings: () => world.settings,
    };
    const duty = new Rollouts({ ...options, hosts: new HostList(world.fleet), onTrouble: () => undefined });
    duty.start();
    await world.settle();
    await duty.stop();
    assert.equal(world.newest.state, 'running');
  });

  it('do not hold against agents what they were too busy to hear', async (t) => {
    const world = openWorld(t);
    const { one, hash } = await pair(world, 1);
    one.duty.start();
    await world.until(() => [...world.agents.values()].some(({ release }) => release?.isOnTrial === true));
    await world.pass(3_500);
    t.mock.timers.setTime(Date.now() + 20_000);
    await world.settle();
    await world.until(() => world.newest.state === 'done');
    assert.equal(world.running(hash), 2);
  });

  it('take over an agent that comes to another one while it is on trial', async (t) => {
    const world = openWorld(t);
    const { one, two, hash } = await pair(world, 1);
    one.duty.start();
    await world.until(() => [...world.agents.values()].some(({ release }) => release?.isOnTrial === true));
    const agent = [...world.agents.values()].find(({ release }) => release?.isOnTrial === true) ?? assert.fail();
    await world.pass(3_000);
    agent.disconnect();
    agent.connect(agent.server === one ? two : one);
    await world.until(() => world.newest.state === 'done');
    assert.deepEqual([world.running(hash), agent.starts], [2, [hash]]);
  });
});

describe('a store that is away', { timeout: 120_000 }, () => {
  it('is waited for, at whatever moment, and told of once', async (t) => {
    const { world, hash } = await released(t, 30);
    const [server] = world.servers;
    await world.until(() => world.newest.wave === 2);
    world.fleet.onCall = () => Promise.reject(new Error('it is away'));
    const { beat } = world.fleet;
    world.fleet.beat = async () => undefined;
    await world.pass(8_000);
    world.fleet.beat = beat;
    world.fleet.onCall = async () => undefined;
    await world.until(() => world.newest.state === 'done');
    assert.equal(world.running(hash), 30);
    assert.ok(world.troubles.length <= 4 && new Set(world.troubles).size === 1, `${world.troubles}`);
    assert.equal(server?.rollouts.newest?.state, 'done');
  });
});
