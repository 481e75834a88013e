import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Duties, type Duty, serverOfHolder } from '../../src/server/duties.ts';
import { FakeFleet } from '../support/fake-fleet.ts';

/** Servers that share a store; their clocks are the test's, and so is the database's. */
function mesh(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  const fleet = new FakeFleet(() => nowMs);
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    fleet,
    settle,
    /** Lets time pass, a second at a time. */
    pass: async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 1_000) {
        nowMs += 1_000;
        t.mock.timers.tick(1_000);
        await settle();
      }
    },
    server: (name: string) => {
      const events: string[] = [];
      const troubles: string[] = [];
      const duty = (of: string): Duty => ({
        start: () => void events.push(`start ${of}`),
        stop: () => void events.push(`stop ${of}`),
      });
      const duties = new Duties({
        fleet,
        server: { name, url: `wss://${name}:9300` },
        duties: [duty('retention'), duty('lifecycle')],
        onTrouble: ({ message }) => troubles.push(message),
      });
      t.after(() => duties.stop());
      return { duties, events, troubles };
    },
  };
}

const STARTED = ['start retention', 'start lifecycle'];
const STOPPED = ['stop lifecycle', 'stop retention'];

describe('duties', { timeout: 30_000 }, () => {
  it('are done by the server that holds the lease, from its start', async (t) => {
    const { server, settle, pass } = mesh(t);
    const one = server('srv-1');
    const two = server('srv-2');
    one.duties.start();
    await settle();
    two.duties.start();
    await pass(60_000);
    assert.deepEqual([one.events, two.events], [STARTED, []]);
    assert.deepEqual([one.duties.isOnDuty, two.duties.isOnDuty], [true, false]);
  });

  it('say every three seconds that the server lives', async (t) => {
    const { fleet, server, settle, pass } = mesh(t);
    server('srv-1').duties.start();
    await settle();
    assert.deepEqual(await fleet.servers(), [{ name: 'srv-1', url: 'wss://srv-1:9300', silentMs: 0 }]);
    await pass(2_000);
    assert.equal((await fleet.servers())[0]?.silentMs, 2_000);
    await pass(1_000);
    assert.equal((await fleet.servers())[0]?.silentMs, 0);
  });

  it('move within 15 seconds when their server dies', async (t) => {
    const { fleet, server, settle, pass } = mesh(t);
    const one = server('srv-1');
    one.duties.start();
    await settle();
    const two = server('srv-2');
    two.duties.start();
    await pass(4_000);
    const lease = fleet.lease.bind(fleet);
    fleet.lease = (name, holder, forMs) =>
      serverOfHolder(holder) === 'srv-1' ? Promise.reject(new Error('dead')) : lease(name, holder, forMs);
    await pass(13_000);
    assert.deepEqual(two.events, STARTED);
  });

  it('are done by one of two servers that were given the same name', async (t) => {
    const { fleet, server, settle, pass } = mesh(t);
    const servers = [server('srv-1'), server('srv-1')] as const;
    for (const { duties } of servers) duties.start();
    await settle();
    await pass(60_000);
    assert.deepEqual(
      servers.map(({ events }) => events),
      [STARTED, []],
    );
    assert.equal(serverOfHolder(fleet.leases.get('duties')?.holder ?? ''), 'srv-1');
    await servers[1].duties.stop();
    await pass(3_000);
    assert.deepEqual(servers[0].events, STARTED);
    await servers[0].duties.stop();
    assert.equal(fleet.leases.size, 0);
  });

  it('move at once when their server ends as it should', async (t) => {
    const { fleet, server, settle, pass } = mesh(t);
    const one = server('srv-1');
    one.duties.start();
    await settle();
    const two = server('srv-2');
    two.duties.start();
    await settle();
    await one.duties.stop();
    assert.deepEqual(one.events, [...STARTED, ...STOPPED]);
    assert.deepEqual(
      (await fleet.servers()).map(({ name }) => name),
      ['srv-2'],
    );
    await pass(3_000);
    assert.deepEqual(two.events, STARTED);
  });

  it('stop when the lease could not be renewed for its length, before another can have it', async (t) => {
    const { fleet, server, settle, pass } = mesh(t);
    const { duties, events, troubles } = server('srv-1');
    duties.start();
    await settle();
    fleet.onCall = () => Promise.reject(new Error('the store is away'));
    await pass(9_000);
    assert.deepEqual(events, STARTED);
    await pass(1_000);
    assert.deepEqual(events, [...STARTED, ...STOPPED]);
    assert.deepEqual(troubles, ['the store is away']);
    fleet.onCall = async () => undefined;
    await pass(3_000);
    assert.deepEqual(events, [...STARTED, ...STOPPED, ...STARTED]);
  });

  it('are not begun on an answer that came later than the lease lasts', async (t) => {
    const { fleet, server, settle, pass } = mesh(t);
    const held = Promise.withResolvers<void>();
    const { duties, events } = server('srv-1');
    fleet.onCall = () => held.promise;
    duties.start();
    await pass(10_000);
    held.resolve();
    await settle();
    assert.deepEqual(events, []);
    await pass(3_000);
    assert.deepEqual(events, STARTED);
  });

  it('stop at once when another server has the lease', async (t) => {
    const { fleet, server, settle, pass } = mesh(t);
    const { duties, events } = server('srv-1');
    duties.start();
    await settle();
    fleet.leases.set('duties', { holder: 'srv-2', untilMs: Number.POSITIVE_INFINITY });
    await pass(3_000);
    assert.deepEqual(events, [...STARTED, ...STOPPED]);
  });

  it('begin again only when what was under way has ended', async (t) => {
    const { fleet, settle, pass } = mesh(t);
    const ended = Promise.withResolvers<void>();
    const events: string[] = [];
    const slow: Duty = {
      start: () => void events.push('start'),
      stop: () => {
        events.push('stop');
        return ended.promise;
      },
    };
    const duties = new Duties({
      fleet,
      server: { name: 'srv-1', url: 'wss://srv-1:9300' },
      duties: [slow],
      onTrouble: assert.fail,
    });
    t.after(() => duties.stop());
    duties.start();
    await settle();
    fleet.leases.set('duties', { holder: 'srv-2', untilMs: 4_000 });
    await pass(9_000);
    assert.deepEqual(events, ['start', 'stop']);
    ended.resolve();
    await pass(3_000);
    assert.deepEqual(events, ['start', 'stop', 'start']);
  });

  it('tell of a duty that cannot stop', async (t) => {
    const { fleet, settle } = mesh(t);
    const troubles: string[] = [];
    const duties = new Duties({
      fleet,
      server: { name: 'srv-1', url: 'wss://srv-1:9300' },
      duties: [{ start: () => undefined, stop: () => Promise.reject(new Error('it sticks')) }],
      onTrouble: ({ message }) => troubles.push(message),
    });
    duties.start();
    await settle();
    await duties.stop();
    assert.deepEqual(troubles, ['it sticks']);
    assert.equal(fleet.leases.size, 0);
  });

  it('give a lease up that is granted after they were stopped', async (t) => {
    const { fleet, server } = mesh(t);
    const held = Promise.withResolvers<void>();
    fleet.onCall = () => held.promise;
    const { duties, events } = server('srv-1');
    duties.start();
    const stopped = duties.stop();
    held.resolve();
    await stopped;
    assert.deepEqual([events, fleet.leases.size, fleet.alive.size], [[], 0, 0]);
  });
});
