import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Conduct, released, type World } from './simulation.ts';

/** Hosts by what they run, and what was said of those that failed. */
function failures(world: World): string[] {
  return world.fleet.rows.flatMap(({ rshost, upgrade, upgradeFailure }) =>
    upgrade === 'failed' ? `${rshost}: ${upgradeFailure}` : [],
  );
}

/** Every way in which a release can be bad, what is said of it, and how long it takes at most. */
const BAD: [what: string, conduct: Conduct, reason: string, withinMs: number][] = [
  ['that hosts cannot take', { refuses: 'the signature is wrong' }, 'the signature is wrong', 4_000],
  ['that is never fetched', { stalls: true }, 'its agent has said nothing about the release for 60 s', 70_000],
  ['that crashes', { isBackAfterMs: 1_000 }, 'it crashed', 6_000],
  [
    'that goes back without a word',
    { isBackAfterMs: 1_000, isMute: true },
    'it came back with the release before, and gives no reason',
    6_000,
  ],
  ['that never connects', { isBackAfterMs: 60_000 }, 'it crashed', 66_000],
  ['that is not heard of again', { isLost: true }, 'its agent did not come back', 90_000],
  ['that connects and sends nothing', { isSilent: true }, 'it is connected and sends nothing for 7 s', 12_000],
  ['that stores nothing', { storesNothing: true }, 'no interval that it measured was stored within 55 s', 62_000],
  ['that uses a core', { cpuPercent: 98 }, 'it uses 98 % of a core, 25 % is allowed', 14_000],
  ['that uses much memory', { rssBytes: 500e6 }, 'it uses 477 MB of memory, 286 MB is allowed', 6_000],
];

describe('a bad release', { timeout: 120_000 }, () => {
  for (const [what, conduct, reason, withinMs] of BAD)
    it(`${what} is stopped at the first host`, async (t) => {
      const { world, before, hash } = await released(t, 20);
      world.conduct = (_, of) => (of === hash ? conduct : {});
      await world.until(() => world.newest.state === 'halted', withinMs);
      await world.pass(10_000);
      const [failed] = failures(world);
      assert.match(failed ?? '', /^db-\d+: /);
      assert.equal(failed?.replace(/^db-\d+: /, ''), reason);
      assert.deepEqual([world.newest.serial, world.newest.reason], [2, failed]);
      assert.equal(world.running(before), conduct.isLost ? 19 : 20);
      assert.deepEqual(world.troubles, []);
    });

  it('that shows it late sends all back that have it', async (t) => {
    const { world, before, hash } = await released(t, 50);
    await world.until(() => world.newest.wave === 2);
    const [canary] = [...world.agents.values()].filter(({ release }) => release?.hash === hash);
    world.conduct = (host, of) => (of === hash && host !== canary?.host ? { cpuPercent: 60 } : {});
    await world.until(() => world.newest.serial === 3);
    assert.equal(world.store.acts[1]?.state, 'halted');
    assert.equal(world.newest.reason, `release 1.3 halted at ${world.store.acts[1]?.reason}`);
    await world.until(() => world.newest.state === 'done');
    assert.equal(world.running(before), 50);
    assert.deepEqual([world.newest.hash, world.newest.version], [before, '1.2']);
    assert.deepEqual(failures(world), []);
    assert.deepEqual(canary?.starts, [hash, before]);
    const begun = [...world.agents.values()].filter(({ starts }) => starts.includes(hash)).length;
    assert.equal(begun, 5, 'only the second wave ever had it');
  });

  for (const [what, isFirst] of [
    ['and no such host has failed', false],
    ['also when there is none to go back to', true],
  ] as const)
    it(`is called off where it is still received, ${what}`, async (t) => {
      const { world, hash } = await released(t, 50);
      if (isFirst) world.store.acts.shift();
      world.conduct = (_, of) => (of === hash && world.running(hash) > 0 ? { stalls: true } : {});
      const receiving = (): string[] =>
        world.fleet.rows.filter(({ upgrade }) => upgrade === 'receiving').map(({ rshost }) => rshost);
      await world.until(() => receiving().length === 4);
      const [failing = '', ...rest] = receiving();
      const { server, connection = assert.fail() } = world.agent(failing);
      server.registry.upgrade(connection, { type: 'upgraded', serial: 2, state: 'failed', reason: 'bad' });
      await world.until(() => (isFirst ? world.newest.state === 'halted' : world.newest.serial === 3));
      await world.pass(10_000);
      for (const host of rest) {
        assert.equal(world.agent(host).heard.at(-1), 'revert', host);
        const { upgrade, upgradeFailure } = world.row(host);
        assert.deepEqual([upgrade, upgradeFailure], [isFirst ? 'waiting' : 'done', undefined]);
      }
    });

  it('is taken back where it is on trial, and waits there, when there is none to go back to', async (t) => {
    const { world, before, hash } = await released(t, 50);
    world.store.acts.shift();
    await world.until(
      () => world.newest.wave === 2 && world.fleet.rows.filter(({ upgrade }) => upgrade === 'trial').length === 4,
    );
    const [failing, ...rest] = world.fleet.rows
      .filter(({ upgrade }) => upgrade === 'trial')
      .map(({ rshost }) => rshost);
    world.conduct = (host, of) => (host === failing && of === hash ? { rssBytes: 1e9 } : {});
    await world.until(() => world.newest.state === 'halted');
    await world.pass(20_000);
    assert.equal(world.newest.serial, 2);
    for (const host of rest) {
      assert.equal(world.agent(host).release?.hash, before);
      assert.equal(world.agent(host).release?.failed?.reason, 'release 1.3 is halted');
      assert.equal(world.row(host).upgrade, 'waiting');
    }
    assert.deepEqual(failures(world), [`${failing}: it uses 954 MB of memory, 286 MB is allowed`]);
  });

  it('is not offered to a host again that it failed on, whoever comes back', async (t) => {
    const { world, hash } = await released(t, 5);
    world.conduct = (_, of) => (of === hash ? { isBackAfterMs: 500 } : {});
    await world.until(() => world.newest.state === 'halted');
    for (const agent of world.agents.values()) {
      agent.disconnect();
      agent.connect();
    }
    await world.pass(20_000);
    const offers = [...world.agents.values()].flatMap(({ heard }) => heard.filter((type) => type === 'upgrade'));
    assert.equal(offers.length, 1);
  });

  it('is noted of a host that comes back when all others have it, and halts nothing', async (t) => {
    const { world, hash } = await released(t, 5);
    world.agent('db-3').disconnect();
    world.conduct = (host, of) => (host === 'db-3' && of === hash ? { isBackAfterMs: 500 } : {});
    await world.until(() => world.newest.state === 'done');
    world.agent('db-3').connect();
    await world.until(() => world.row('db-3').upgrade === 'failed');
    await world.pass(10_000);
    assert.deepEqual([world.newest.serial, world.newest.state, failures(world)], [2, 'done', ['db-3: it crashed']]);
  });

  it('does not keep the others from going back when one cannot', async (t) => {
    const { world, before, hash } = await released(t, 50);
    await world.until(() => world.newest.wave === 2);
    const has = [...world.agents.values()].find(({ release }) => release?.hash === hash)?.host ?? assert.fail();
    world.conduct = (host, of) => {
      if (of === before && host === has) return { refuses: 'the disk is full' };
      return of === hash && host !== has ? { refuses: 'bad' } : {};
    };
    await world.until(() => world.newest.serial === 3 && world.newest.state === 'done');
    assert.deepEqual(failures(world), [`${has}: the disk is full`]);
    assert.equal(world.running(before), 49);
  });
});

describe('a release that is not to be had', { timeout: 120_000 }, () => {
  it('is tried again after a while, and is no failure of the host', async (t) => {
    const { world, hash } = await released(t, 1);
    const { releases } = world.servers[0] ?? assert.fail();
    const manifest = releases.manifest.bind(releases);
    let asked = 0;
    releases.manifest = async () => {
      asked += 1;
      throw new Error('the disk is full');
    };
    await world.pass(25_000);
    assert.deepEqual([asked, world.newest.state, world.row('db-0').upgrade], [1, 'running', 'waiting']);
    assert.equal(world.row('db-0').upgradeFailure, 'its server srv-1 cannot give it: the disk is full');
    releases.manifest = manifest;
    await world.until(() => world.newest.state === 'done', 30_000);
    assert.equal(world.running(hash), 1);
  });
});

describe('hosts that are away', { timeout: 120_000 }, () => {
  it('get it when they are back, during the rollout and afterwards', async (t) => {
    const { world, hash } = await released(t, 6);
    for (const host of ['db-1', 'db-2']) world.agent(host).disconnect();
    await world.until(() => world.newest.wave === 3);
    world.agent('db-1').connect();
    await world.until(() => world.newest.state === 'done');
    assert.equal(world.row('db-1').upgrade, 'done');
    assert.equal(world.running(hash), 5);
    world.agent('db-2').connect();
    await world.until(() => world.running(hash) === 6, 15_000);
    await world.until(() => world.row('db-2').upgrade === 'done', 15_000);
    assert.equal(world.newest.serial, 2);
  });

  it('are waited for as long as agents take to find a server after its start, by the first waves alone', async (t) => {
    const { world } = await released(t, 6);
    world.agent('db-1').disconnect();
    const startedMs = Date.now();
    await world.until(() => world.newest.wave === 3);
    const tookMs = Date.now() - startedMs;
    assert.ok(tookMs >= 11_000 && tookMs <= 15_000, `the next wave began after ${tookMs} ms`);
  });

  it('go on where they were when they leave while they receive', async (t) => {
    const { world, hash } = await released(t, 1);
    world.conduct = () => ({ stalls: true });
    await world.until(() => world.row('db-0').upgrade === 'receiving');
    world.agent('db-0').disconnect();
    await world.pass(90_000);
    assert.deepEqual([world.newest.state, world.row('db-0').upgradeFailure], ['running', undefined]);
    world.conduct = () => ({});
    world.agent('db-0').connect();
    await world.until(() => world.newest.state === 'done', 15_000);
    assert.equal(world.running(hash), 1);
  });

  it('are offered nothing when they come back while it is paused, or another one is newer', async (t) => {
    const { world, hash } = await released(t, 1);
    world.conduct = () => ({ stalls: true });
    const agent = world.agent('db-0');
    await world.until(() => world.row('db-0').upgrade === 'receiving');
    agent.disconnect();
    await world.store.advance(2, { state: 'running', wave: 1 }, { state: 'paused', wave: 1 });
    await world.pass(2_000);
    agent.connect();
    await world.pass(5_000);
    assert.equal(world.row('db-0').upgrade, 'waiting');
    await world.store.advance(2, { state: 'paused', wave: 1 }, { state: 'running', wave: 1 });
    await world.servers[0]?.duty.stop();
    await world.store.release({ version: '1.4', hash: 'f'.repeat(64), state: 'running', wave: 0 }, 2);
    await world.pass(2_000);
    agent.disconnect();
    agent.connect();
    await world.pass(5_000);
    assert.equal(agent.heard.filter((type) => type === 'upgrade').length, 1);
    assert.equal(world.running(hash), 0);
  });

  it('are let alone when their agents say no release', async (t) => {
    const { world, hash } = await released(t, 3);
    const old = world.agent('db-1');
    old.disconnect();
    old.release = undefined;
    old.connect();
    await world.until(() => world.newest.state === 'done');
    await world.pass(5_000);
    assert.deepEqual([world.running(hash), old.heard, world.row('db-1').wanted], [2, [], 1]);
  });
});
