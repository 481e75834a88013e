import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Problem } from '../../src/problem.ts';
import { HostList } from '../../src/server/host-list.ts';
import { Lifecycle } from '../../src/server/lifecycle.ts';
import { Semaphore } from '../../src/server/semaphore.ts';
import type { FleetHost } from '../../src/store/fleet.ts';
import { FakeDeployer } from '../support/fake-deployer.ts';
import { FakeFleet } from '../support/fake-fleet.ts';

/** A lifecycle whose time is the test's, over a store and hosts in memory. */
async function opened(t: TestContext, rows: FleetHost[] = [], parallel = 20) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  t.mock.method(Math, 'random', () => 0);
  const fleet = new FakeFleet(() => 0);
  fleet.rows.push(...rows);
  fleet.alive.set('srv-1', { url: 'wss://srv-1:9300', atMs: 0 });
  const deployer = new FakeDeployer();
  const troubles: string[] = [];
  const server = () => {
    const hosts = new HostList(fleet);
    const lifecycle = new Lifecycle({
      fleet,
      hosts,
      deployer,
      provisioner: {
        provision: async (host, generation) => ({
          ...{ host, token: `${host}.${generation}`, servers: ['wss://srv-1:9300'] },
          ...{ pin: undefined, releaseKey: 'key', alerts: undefined },
        }),
      },
      places: new Semaphore(parallel),
      onTrouble: ({ message }) => troubles.push(message),
    });
    t.after(async () => {
      hosts.stop();
      const stopped = lifecycle.stop();
      t.mock.timers.tick(5_000);
      await stopped;
    });
    return { hosts, lifecycle };
  };
  const settle = async (): Promise<void> => {
    for (let round = 0; round < 10; round += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  const { hosts, lifecycle } = server();
  await hosts.start();
  lifecycle.start();
  await settle();
  return {
    ...{ fleet, deployer, hosts, lifecycle, troubles, settle, server },
    row: (rshost: string) => fleet.rows.find((row) => row.rshost === rshost),
    /** Lets time pass, half a second at a time. */
    pass: async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 500) {
        t.mock.timers.tick(Math.min(500, ms - passed));
        await settle();
      }
    },
    /** The agents of these hosts connect. */
    connect: (...rshosts: string[]) => Promise.all(rshosts.map((host) => fleet.connected(host, 'srv-1', '1.0.0'))),
  };
}

function refusal(): Promise<void> {
  return Promise.reject(new Problem('ERR_DEPLOY_KEY', 'it refuses the key: put it into authorized_keys'));
}

describe('lifecycle', { timeout: 30_000 }, () => {
  it('deploys a host that is to be brought online, and has it running when its agent is connected', async (t) => {
    const { fleet, deployer, row, pass, connect } = await opened(t);
    fleet.rows.push({ rshost: 'root@web-1:2222', istate: 1, tokenGeneration: 4 });
    await pass(1_000);
    assert.deepEqual(deployer.calls, ['install root@web-1:2222']);
    assert.equal(deployer.installed.get('root@web-1:2222')?.token, 'web-1.4');
    assert.equal(row('root@web-1:2222')?.istate, 1);
    await pass(500);
    assert.equal(row('root@web-1:2222')?.phase, 'waiting for its agent to connect');
    await connect('root@web-1:2222');
    await pass(1_000);
    const { istate, phase, failure, isDeployed } = row('root@web-1:2222') ?? {};
    assert.deepEqual([istate, phase, failure, isDeployed], [2, undefined, undefined, true]);
    await pass(60_000);
    assert.equal(deployer.calls.length, 1);
  });

  it('goes on at its start with what another server has left', async (t) => {
    const { deployer } = await opened(t, [
      { rshost: 'web-1', istate: 1, phase: 'copying the runtime', attempts: 2, failure: 'no route' },
      { rshost: 'web-2', istate: 0, isDeployed: true },
      { rshost: 'web-3', istate: 2 },
      { rshost: 'web-4', istate: -1 },
    ]);
    assert.deepEqual(deployer.calls.toSorted(), ['install web-1', 'remove web-2']);
  });

  it('takes a host offline, and makes the token void that was there', async (t) => {
    const { fleet, deployer, row, pass } = await opened(t, [{ rshost: 'web-1', istate: 2, isDeployed: true }]);
    Object.assign(row('web-1') ?? {}, { istate: 0 });
    await pass(1_000);
    assert.deepEqual(deployer.calls, ['remove web-1']);
    assert.deepEqual(fleet.rows, [{ rshost: 'web-1', istate: -1, tokenGeneration: 1 }]);
  });

  it('does nothing on a host that it never deployed when that is taken offline', async (t) => {
    const { deployer, row } = await opened(t, [{ rshost: 'web-1', istate: 0 }]);
    assert.deepEqual([deployer.calls, row('web-1')?.istate], [[], -1]);
    assert.equal(row('web-1')?.tokenGeneration, undefined);
  });

  it('takes away what a failed deployment left, and nothing where it got no further than connecting', async (t) => {
    const { fleet, deployer, row, pass } = await opened(t);
    deployer.onWork = async (rshost, onPhase) => {
      if (rshost === 'web-2') onPhase('copying the runtime');
      await refusal();
    };
    await fleet.list(['web-1', 'web-2'], 1);
    await pass(1_000);
    assert.deepEqual([row('web-1')?.isDeployed, row('web-2')?.isDeployed], [undefined, true]);
    deployer.onWork = async () => undefined;
    deployer.calls.length = 0;
    await fleet.list(['web-1', 'web-2'], 0);
    await pass(1_000);
    assert.deepEqual(deployer.calls, ['remove web-2']);
    assert.deepEqual([row('web-1')?.istate, row('web-2')?.istate], [-1, -1]);
  });

  it('notes why it failed, leaves the state as it was, and tries again ever more seldom', async (t) => {
    const { deployer, row, pass, troubles, connect } = await opened(t, [{ rshost: 'web-1', istate: 1 }]);
    deployer.calls.length = 0;
    deployer.onWork = refusal;
    await pass(30_000);
    const noted = () => [row('web-1')?.istate, row('web-1')?.failure, row('web-1')?.attempts, row('web-1')?.phase];
    assert.match(row('web-1')?.failure ?? '', /has not connected within 30 s/);
    for (const [attempt, waitMs] of [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 600_000].entries()) {
      await pass(waitMs - 500);
      assert.equal(deployer.calls.length, attempt);
      await pass(500);
      assert.equal(deployer.calls.length, attempt + 1);
      assert.deepEqual(noted(), [1, 'it refuses the key: put it into authorized_keys', attempt + 2, undefined]);
    }
    assert.deepEqual(troubles, [], 'reasons that people can mend are no faults of the server');
    deployer.onWork = async () => undefined;
    await connect('web-1');
    await pass(600_500);
    assert.deepEqual(noted(), [2, undefined, undefined, undefined]);
  });

  it('fails when the agent does not connect within 30 seconds', async (t) => {
    const { row, pass } = await opened(t, [{ rshost: 'web-1', istate: 1 }]);
    await pass(29_500);
    assert.equal(row('web-1')?.failure, undefined);
    await pass(500);
    assert.match(row('web-1')?.failure ?? '', /^its agent was started and has not connected within 30 s: /);
    assert.equal(row('web-1')?.isDeployed, true);
  });

  it('tells of a fault of its own, and tries again all the same', async (t) => {
    const { deployer, fleet, row, pass, troubles } = await opened(t);
    deployer.onWork = () => Promise.reject(new TypeError('x is not a function'));
    await fleet.list(['web-1'], 1);
    await pass(1_000);
    assert.deepEqual(troubles, ['x is not a function']);
    assert.equal(row('web-1')?.failure, 'x is not a function');
    await pass(5_000);
    assert.deepEqual(deployer.calls, ['install web-1', 'install web-1']);
  });

  it('tries at once when somebody takes the failure away, and not when the list is read again', async (t) => {
    const { deployer, fleet, pass } = await opened(t);
    deployer.onWork = refusal;
    await fleet.list(['web-1'], 1);
    await pass(4_000);
    assert.equal(deployer.calls.length, 1);
    await fleet.note('web-1', { failure: undefined, attempts: undefined });
    await pass(1_000);
    assert.equal(deployer.calls.length, 2);
    await pass(1_000);
    assert.equal(fleet.rows[0]?.attempts, 1);
    await pass(4_000);
    assert.equal(deployer.calls.length, 3, 'the waits begin anew');
  });

  it('takes no list that was read before it failed for a wish to try at once', async (t) => {
    const { deployer, fleet, hosts, pass } = await opened(t);
    deployer.onWork = refusal;
    await fleet.list(['web-1'], 1);
    await pass(1_000);
    const after = { host: 'web-1', rshost: 'web-1', istate: 1, version: '1.0.0' } as const;
    hosts.emit('change', [{ host: 'web-1', before: undefined, after }]);
    await pass(2_000);
    assert.equal(deployer.calls.length, 1);
  });

  it('does not begin anew, when it is started again, on a host where its last work has not ended', async (t) => {
    const { deployer, fleet, lifecycle, pass } = await opened(t);
    const ended = Promise.withResolvers<void>();
    deployer.onWork = () => ended.promise;
    await fleet.list(['web-1'], 1);
    await pass(1_000);
    const stopped = lifecycle.stop();
    await pass(5_000);
    await stopped;
    lifecycle.start();
    await pass(2_000);
    assert.equal(deployer.calls.length, 1);
    ended.resolve();
    await pass(1_000);
    assert.equal(deployer.calls.length, 2);
  });

  it('aborts what it does when something else is asked for, and does that', async (t) => {
    const { deployer, fleet, row, pass } = await opened(t);
    deployer.onWork = (_, onPhase, signal) => {
      onPhase('copying the runtime');
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    await fleet.list(['web-1'], 1);
    await pass(1_500);
    assert.deepEqual([row('web-1')?.phase, row('web-1')?.isDeployed], ['copying the runtime', true]);
    deployer.onWork = async () => undefined;
    await fleet.list(['web-1'], 0);
    await pass(1_000);
    assert.deepEqual(deployer.calls, ['install web-1', 'remove web-1']);
    assert.deepEqual([row('web-1')?.istate, row('web-1')?.failure], [-1, undefined]);
  });

  it('never works twice on one host at the same time, however slowly the first work ends', async (t) => {
    const { deployer, fleet, pass, row } = await opened(t);
    const ended = Promise.withResolvers<void>();
    deployer.onWork = () => ended.promise;
    await fleet.list(['web-1'], 1);
    await pass(1_000);
    await fleet.list(['web-1'], 0);
    await pass(3_000);
    assert.deepEqual(deployer.calls, ['install web-1']);
    deployer.onWork = async () => undefined;
    ended.resolve();
    await pass(1_000);
    assert.equal(row('web-1')?.istate, -1);
  });

  it('forgets the failures of a wish that was taken back', async (t) => {
    const { deployer, fleet, row, pass } = await opened(t, [{ rshost: 'web-1', istate: 2, isDeployed: true }]);
    deployer.onWork = refusal;
    await fleet.list(['web-1'], 0);
    await pass(20_000);
    assert.equal(row('web-1')?.attempts, 3);
    deployer.onWork = () => new Promise(() => undefined);
    await fleet.changeState('web-1', 0, 1);
    await pass(1_500);
    assert.deepEqual([row('web-1')?.failure, row('web-1')?.attempts], [undefined, undefined]);
  });

  it('begins anew with a row of another user or port', async (t) => {
    const { deployer, fleet, pass } = await opened(t);
    deployer.onWork = refusal;
    await fleet.list(['web-1'], 1);
    await pass(1_000);
    Object.assign(fleet.rows[0] ?? {}, { rshost: 'ubuntu@web-1' });
    await pass(1_000);
    assert.deepEqual(deployer.calls, ['install web-1', 'install ubuntu@web-1']);
  });

  it('stops working on a host that is taken out of the list', async (t) => {
    const { deployer, fleet, pass } = await opened(t);
    deployer.onWork = refusal;
    await fleet.list(['web-1'], 1);
    await pass(1_000);
    fleet.rows.length = 0;
    await pass(60_000);
    assert.deepEqual(deployer.calls, ['install web-1']);
  });

  it('works on so many hosts at the same time, and those that wait for another try hold no place', async (t) => {
    const { deployer, fleet, pass } = await opened(t, [], 2);
    const ends: (() => void)[] = [];
    deployer.onWork = () => new Promise((_, reject) => ends.push(() => reject(new Problem('ERR_DEPLOY', 'no'))));
    await fleet.list(['web-1', 'web-2', 'web-3', 'web-4', 'web-5'], 1);
    await pass(1_000);
    assert.deepEqual(deployer.calls, ['install web-1', 'install web-2']);
    for (const end of ends.splice(0)) end();
    await pass(500);
    assert.deepEqual(deployer.calls.slice(2), ['install web-3', 'install web-4']);
    assert.equal(deployer.most, 2);
  });

  it('lets a host that waits for its turn be given up', async (t) => {
    const { deployer, fleet, row, pass } = await opened(t, [], 1);
    deployer.onWork = () => new Promise(() => undefined);
    await fleet.list(['web-1', 'web-2'], 1);
    await pass(1_000);
    fleet.rows.splice(1, 1);
    await pass(1_000);
    assert.deepEqual(deployer.calls, ['install web-1']);
    assert.equal(row('web-2'), undefined);
  });

  it('notes of a row that is no host what is wrong with it, and nothing any more when it is mended', async (t) => {
    const { deployer, fleet, row, pass } = await opened(t, [
      { rshost: 'web-1', istate: 2 },
      { rshost: 'root@web-1', istate: 1 },
      { rshost: 'a b', istate: 1 },
    ]);
    assert.match(row('root@web-1')?.failure ?? '', /^web-1 is listed already/);
    assert.match(row('a b')?.failure ?? '', /^this is no host/);
    await fleet.list(['root@web-1', 'a b'], 0);
    await pass(1_000);
    assert.deepEqual([row('root@web-1')?.istate, row('a b')?.istate], [-1, -1]);
    assert.deepEqual(deployer.calls, []);
    fleet.rows.splice(0, 1);
    await pass(1_000);
    assert.equal(row('root@web-1')?.failure, undefined);
  });

  it('does it again, after a while, when it was asked for again in the very moment it was done', async (t) => {
    const { deployer, fleet, row, pass, connect } = await opened(t, [{ rshost: 'web-1', istate: 1 }]);
    const changeState = fleet.changeState.bind(fleet);
    fleet.changeState = async () => true;
    await connect('web-1');
    await pass(1_000);
    assert.match(row('web-1')?.failure ?? '', /^it was asked for again/);
    assert.equal(deployer.calls.length, 1);
    fleet.changeState = changeState;
    await pass(5_000);
    assert.deepEqual([deployer.calls.length, row('web-1')?.istate], [2, 2]);
  });

  it('lives with a store that is away, and ends in the state that was asked for', async (t) => {
    const { deployer, fleet, row, pass, connect } = await opened(t);
    await fleet.list(['web-1'], 1);
    deployer.onWork = async () => {
      fleet.onCall = () => Promise.reject(new Problem('ERR_STORE_AWAY', 'the store is away'));
    };
    await pass(33_000);
    deployer.onWork = async () => undefined;
    fleet.onCall = async () => undefined;
    await connect('web-1');
    await pass(12_000);
    assert.deepEqual([row('web-1')?.istate, row('web-1')?.failure, row('web-1')?.isDeployed], [2, undefined, true]);
  });

  it('ends when it is told to, also what does not listen, and another server goes on', async (t) => {
    const { deployer, fleet, row, lifecycle, settle, pass, server, connect } = await opened(t);
    const signals: AbortSignal[] = [];
    deployer.onWork = (rshost, _, signal) => {
      signals.push(signal);
      return rshost === 'web-1' ? new Promise(() => undefined) : refusal();
    };
    await fleet.list(['web-1', 'web-2'], 1);
    await pass(1_000);
    let isStopped = false;
    void lifecycle.stop().then(() => {
      isStopped = true;
    });
    assert.equal(signals[0]?.aborted, true);
    await pass(2_500);
    assert.equal(isStopped, false);
    await pass(500);
    assert.equal(isStopped, true);
    await pass(60_000);
    assert.equal(deployer.calls.length, 2, 'nothing is tried any more');
    deployer.underWay.clear();
    deployer.onWork = async () => undefined;
    const other = server();
    await other.hosts.start();
    other.lifecycle.start();
    await settle();
    await connect('web-1', 'web-2');
    await pass(1_500);
    assert.deepEqual([row('web-1')?.istate, row('web-2')?.istate], [2, 2]);
  });
});
