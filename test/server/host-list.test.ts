import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type HostChange, HostList } from '../../src/server/host-list.ts';
import type { FleetHost } from '../../src/store/fleet.ts';
import { FakeFleet } from '../support/fake-fleet.ts';

/** A list that is read every second of the test's time. */
async function opened(t: TestContext, rows: FleetHost[] = []) {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const fleet = new FakeFleet(() => 0);
  fleet.rows.push(...rows);
  const hosts = new HostList(fleet);
  const changes: HostChange[] = [];
  const troubles: string[] = [];
  hosts.on('change', (some) => changes.push(...some));
  hosts.on('trouble', ({ message }) => troubles.push(message));
  t.after(() => hosts.stop());
  await hosts.start();
  return { fleet, hosts, changes, troubles, pass: (ms: number) => pass(t, ms) };
}

/** Lets time pass, and a reading that is due end. */
async function pass(t: TestContext, ms: number): Promise<void> {
  t.mock.timers.tick(ms);
  await new Promise((resolve) => setImmediate(resolve));
}

function names(changes: readonly HostChange[]): string[] {
  return changes.map(({ host, before, after }) => `${host} ${before?.istate ?? '-'} ${after?.istate ?? '-'}`);
}

describe('host list', { timeout: 30_000 }, () => {
  it('knows the hosts by their names, from the start', async (t) => {
    const { hosts, changes } = await opened(t, [
      { rshost: 'web-1', istate: 2 },
      { rshost: 'root@[2001:db8::1]:2222', istate: 1, phase: 'connecting' },
    ]);
    assert.deepEqual(names(changes), ['web-1 - 2', '2001:db8::1 - 1']);
    assert.deepEqual(hosts.get('2001:db8::1'), {
      ...{ host: '2001:db8::1', rshost: 'root@[2001:db8::1]:2222', istate: 1, phase: 'connecting' },
    });
  });

  it('tells of a row that is added, changed or taken out within a second, and of no other', async (t) => {
    const { fleet, changes, pass } = await opened(t, [
      { rshost: 'web-1', istate: 2 },
      { rshost: 'web-2', istate: 2 },
      { rshost: 'web-3', istate: 2 },
    ]);
    changes.length = 0;
    await pass(1_000);
    assert.deepEqual(changes, []);
    fleet.rows.splice(0, 1);
    Object.assign(fleet.rows[0] as FleetHost, { istate: 0 });
    fleet.rows.push({ rshost: 'web-4', istate: 1 });
    await pass(999);
    assert.deepEqual(changes, []);
    await pass(1);
    assert.deepEqual(names(changes), ['web-2 2 0', 'web-4 - 1', 'web-1 2 -']);
  });

  it('tells of what is noted of a host', async (t) => {
    const { fleet, changes, pass } = await opened(t, [{ rshost: 'web-1', istate: 1 }]);
    for (const detail of [{ phase: 'connecting' }, { failure: 'no route' }, { attempts: 1 }, { server: 'srv-2' }]) {
      changes.length = 0;
      await fleet.note('web-1', detail);
      await pass(1_000);
      assert.deepEqual(
        changes.map(({ after }) => ({ ...after, ...detail })),
        changes.map(({ after }) => after),
      );
      assert.equal(changes.length, 1);
    }
  });

  it('takes the first of two rows of one host, and says of the other what is wrong with it', async (t) => {
    const { fleet, hosts, pass } = await opened(t, [
      { rshost: 'web-1', istate: 2 },
      { rshost: 'root@web-1:2222', istate: 1 },
    ]);
    assert.equal(hosts.get('web-1')?.istate, 2);
    assert.match(hosts.get('root@web-1:2222')?.fault ?? '', /^web-1 is listed already, as web-1: remove one of them$/);
    fleet.rows.splice(0, 1);
    await pass(1_000);
    assert.deepEqual([hosts.get('web-1')?.istate, hosts.get('root@web-1:2222')], [1, undefined]);
  });

  it('lets a row that has been taken offline make room for another one of its host', async (t) => {
    const { fleet, hosts, changes, pass } = await opened(t, [{ rshost: 'web-1', istate: -1, tokenGeneration: 3 }]);
    changes.length = 0;
    fleet.rows.push({ rshost: 'root@web-1:2222', istate: 1 });
    await pass(1_000);
    assert.deepEqual(names(changes), ['web-1 -1 1']);
    assert.equal(hosts.get('web-1')?.rshost, 'root@web-1:2222');
    assert.equal(hosts.generationOf('web-1'), 3, 'its old tokens stay void');
    assert.deepEqual([...hosts.all()].length, 1);
  });

  it('knows what is installed on a host whose row is written in another way', async (t) => {
    const { fleet, hosts, changes, pass } = await opened(t, [
      { rshost: 'web-1', istate: 2, isDeployed: true, tokenGeneration: 2 },
    ]);
    fleet.rows.splice(0, 1, { rshost: 'root@web-1', istate: 0 });
    await pass(1_000);
    assert.deepEqual(hosts.get('web-1'), {
      ...{ host: 'web-1', rshost: 'root@web-1', istate: 0, isDeployed: true, tokenGeneration: 2 },
    });
    changes.length = 0;
    await pass(1_000);
    assert.deepEqual([fleet.rows[0]?.isDeployed, fleet.rows[0]?.tokenGeneration, changes], [true, 2, []]);
    await fleet.note('root@web-1', { isDeployed: undefined });
    await pass(1_000);
    assert.equal(hosts.get('web-1')?.isDeployed, undefined);
  });

  it('says what is wrong with a row that is no host', async (t) => {
    const { hosts } = await opened(t, [{ rshost: '; rm -rf /', istate: 1 }]);
    assert.match(hosts.get('; rm -rf /')?.fault ?? '', /^this is no host/);
    assert.equal(hosts.generationOf('; rm -rf /'), undefined);
  });

  it('has a token generation for hosts that run or are brought online, and for no others', async (t) => {
    const { hosts } = await opened(t, [
      { rshost: 'web-1', istate: 1 },
      { rshost: 'web-2', istate: 2, tokenGeneration: 3 },
      { rshost: 'web-3', istate: 0 },
      { rshost: 'web-4', istate: -1 },
    ]);
    const asked = ['web-1', 'web-2', 'web-3', 'web-4', 'web-5'].map((host) => hosts.generationOf(host));
    assert.deepEqual(asked, [0, 3, undefined, undefined, undefined]);
  });

  it('raises a generation at once, and notes it until the store has it', async (t) => {
    const { fleet, hosts, changes, pass } = await opened(t, [{ rshost: 'root@web-1', istate: 2 }]);
    changes.length = 0;
    fleet.onCall = () => Promise.reject(new Error('away'));
    hosts.rotated('web-1', 1);
    assert.equal(hosts.generationOf('web-1'), 1);
    assert.deepEqual(names(changes), ['web-1 2 2']);
    await pass(1_000);
    fleet.onCall = async () => undefined;
    assert.equal(fleet.rows[0]?.tokenGeneration, undefined);
    await pass(1_000);
    assert.equal(hosts.generationOf('web-1'), 1);
    assert.equal(fleet.rows[0]?.tokenGeneration, 1);
    await pass(1_000);
    await fleet.note('root@web-1', { tokenGeneration: 0 });
    await pass(1_000);
    assert.equal(hosts.generationOf('web-1'), 0, 'once the store had it the store counts');
    changes.length = 0;
    hosts.rotated('web-1', 0);
    hosts.rotated('unknown', 7);
    assert.deepEqual(changes, []);
    assert.equal(hosts.generationOf('web-1'), 0);
    assert.equal(hosts.generationOf('unknown'), undefined);
  });

  it('keeps the last copy while the store is away, and tells of it once', async (t) => {
    const { fleet, hosts, troubles, changes, pass } = await opened(t, [{ rshost: 'web-1', istate: 2 }]);
    fleet.onCall = () => Promise.reject(new Error('away'));
    await pass(1_000);
    await pass(1_000);
    assert.deepEqual(troubles, ['away']);
    assert.equal(hosts.get('web-1')?.istate, 2);
    fleet.onCall = async () => undefined;
    changes.length = 0;
    fleet.rows.push({ rshost: 'web-2', istate: 1 });
    await pass(1_000);
    assert.deepEqual(names(changes), ['web-2 - 1']);
    fleet.onCall = () => Promise.reject(new Error('away again'));
    await pass(1_000);
    assert.deepEqual(troubles, ['away', 'away again']);
  });

  it('rejects its start when the store is away, and reads on', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const fleet = new FakeFleet();
    fleet.rows.push({ rshost: 'web-1', istate: 2 });
    fleet.onCall = () => Promise.reject(new Error('away'));
    const hosts = new HostList(fleet);
    t.after(() => hosts.stop());
    await assert.rejects(hosts.start(), /away/);
    fleet.onCall = async () => undefined;
    await pass(t, 1_000);
    assert.equal(hosts.get('web-1')?.istate, 2);
  });

  it('answers a refresh with a reading that began after it was asked, however many ask', async (t) => {
    const { fleet, hosts } = await opened(t);
    let readings = 0;
    const held: (() => void)[] = [];
    fleet.hosts = () => {
      readings += 1;
      const rows = structuredClone(fleet.rows);
      return new Promise((resolve) => held.push(() => resolve(rows)));
    };
    const first = hosts.refresh();
    fleet.rows.push({ rshost: 'web-1', istate: 1 });
    const others = [hosts.refresh(), hosts.refresh(), hosts.refresh()];
    held.shift()?.();
    await first;
    assert.equal(hosts.get('web-1'), undefined);
    await new Promise((resolve) => setImmediate(resolve));
    held.shift()?.();
    await Promise.all(others);
    assert.equal(hosts.get('web-1')?.istate, 1);
    assert.equal(readings, 2);
  });

  it('waits with the next reading for one that takes long', async (t) => {
    const { fleet, pass } = await opened(t);
    let readings = 0;
    fleet.hosts = () => {
      readings += 1;
      return new Promise(() => undefined);
    };
    for (let second = 0; second < 5; second += 1) await pass(1_000);
    assert.equal(readings, 1);
  });

  it('has an agent connected while its server says that it lives', async (t) => {
    const { fleet, hosts, pass } = await opened(t, [{ rshost: 'web-1', istate: 2 }]);
    const isConnected = () => hosts.isConnected(hosts.get('web-1') as never);
    assert.equal(isConnected(), false);
    await fleet.connected('web-1', 'srv-2', '1.0.0');
    await pass(1_000);
    assert.equal(isConnected(), false, 'nobody knows that server');
    fleet.alive.set('srv-2', { url: 'wss://srv-2:9300', atMs: -10_000 });
    await pass(1_000);
    assert.equal(isConnected(), true);
    fleet.alive.set('srv-2', { url: 'wss://srv-2:9300', atMs: -10_001 });
    await pass(1_000);
    assert.equal(isConnected(), false);
    fleet.alive.set('srv-2', { url: 'wss://srv-2:9300', atMs: 0 });
    await fleet.disconnected('web-1', 'srv-2');
    await pass(1_000);
    assert.equal(isConnected(), false);
  });

  it('lets a host be waited for until it is so, is gone, or nobody waits any more', async (t) => {
    const { fleet, hosts, pass } = await opened(t, [{ rshost: 'web-1', istate: 1 }]);
    const { signal } = new AbortController();
    const running = hosts.until('web-1', ({ istate }) => istate === 2, signal);
    const retired = hosts.until('web-1', ({ istate }) => istate === -1, signal);
    const impatient = new AbortController();
    const never = hosts.until('web-1', () => false, impatient.signal);
    impatient.abort(new Error('enough'));
    await assert.rejects(never, /enough/);
    await assert.rejects(
      hosts.until('web-1', () => true, impatient.signal),
      /enough/,
    );
    await fleet.changeState('web-1', 1, 2);
    await pass(1_000);
    await running;
    fleet.rows.length = 0;
    await pass(1_000);
    await retired;
    assert.equal(hosts.listenerCount('change'), 1);
  });

  it('says what it read, when, and since when without a break', async (t) => {
    let nowMs = 1_000;
    t.mock.method(performance, 'now', () => nowMs);
    const { fleet, hosts, pass } = await opened(t, [{ rshost: 'root@web-1', istate: 2 }]);
    await fleet.beat({ name: 'srv-1', url: 'wss://srv-1:9300' });
    const times = async (ms: number) => {
      nowMs += ms;
      await pass(ms);
      const { readAt, steadySince } = hosts.reading ?? {};
      return [readAt, steadySince];
    };
    assert.deepEqual(await times(1_000), [2_000, 1_000]);
    assert.equal(hosts.reading?.hosts[0]?.host, 'web-1');
    assert.equal(hosts.reading?.servers[0]?.name, 'srv-1');
    fleet.onCall = () => Promise.reject(new Error('away'));
    assert.deepEqual(await times(4_000), [2_000, 1_000]);
    fleet.onCall = async () => undefined;
    assert.deepEqual(await times(1_000), [7_000, 1_000]);
    assert.deepEqual(await times(5_001), [12_001, 12_001]);
  });

  it('has read nothing before the first reading succeeded', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const fleet = new FakeFleet(() => 0);
    fleet.onCall = () => Promise.reject(new Error('away'));
    const hosts = new HostList(fleet);
    hosts.on('trouble', () => undefined);
    t.after(() => hosts.stop());
    await assert.rejects(hosts.start(), /away/);
    assert.deepEqual([hosts.isRead, hosts.reading], [false, undefined]);
    fleet.onCall = async () => undefined;
    await hosts.refresh();
    assert.deepEqual([hosts.isRead, hosts.reading?.hosts], [true, []]);
  });
});
