import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ConnectionNotes } from '../../src/server/connection-notes.ts';
import { HostList } from '../../src/server/host-list.ts';
import { type AgentConnection, Registry } from '../../src/server/registry.ts';
import type { FleetHost } from '../../src/store/fleet.ts';
import { FakeFleet } from '../support/fake-fleet.ts';

function connection(host: string, version = '1.0.0'): AgentConnection {
  const nothing = () => undefined;
  const hello = { type: 'hello', host, version, outbox: { waiting: 0, dropped: 0 } } as const;
  return {
    hello,
    address: '10.0.0.1',
    send: nothing,
    replace: nothing,
    retire: nothing,
    expire: nothing,
    misbehave: nothing,
    unreadBytes: 0,
  };
}

async function opened(t: TestContext, rows: FleetHost[]) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const fleet = new FakeFleet(() => 7);
  fleet.rows.push(...rows);
  const hosts = new HostList(fleet);
  const registry = new Registry({ serverName: 'srv-1', sampleMs: 2_000 });
  const troubles: string[] = [];
  const onTrouble = ({ message }: Error) => void troubles.push(message);
  const notes = new ConnectionNotes({ fleet, hosts, registry, serverName: 'srv-1', onTrouble });
  await hosts.start();
  t.after(() => hosts.stop());
  const settle = async () => {
    for (let round = 0; round < 5; round += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  await settle();
  const pass = async (ms: number) => {
    t.mock.timers.tick(ms);
    await settle();
  };
  return { ...{ fleet, hosts, registry, notes, troubles, settle, pass }, row: (index = 0) => fleet.rows[index] };
}

describe('connection notes', { timeout: 30_000 }, () => {
  it('tell where an agent is connected, and since when it is gone, under the name of its row', async (t) => {
    const { registry, row, settle } = await opened(t, [{ rshost: 'root@web-1', istate: 2 }]);
    const agent = connection('web-1', '1.2.3');
    registry.connect(agent);
    await settle();
    assert.deepEqual([row()?.server, row()?.version, row()?.disconnectedMs], ['srv-1', '1.2.3', undefined]);
    registry.disconnect(agent, 'gone');
    await settle();
    assert.deepEqual([row()?.server, row()?.disconnectedMs], ['srv-1', 7]);
  });

  it('keep the release of an agent that came here before another server noted that it was gone from there', async (t) => {
    const { fleet, hosts, registry, row, settle } = await opened(t, [{ rshost: 'web-1', istate: 2 }]);
    const hash = 'a'.repeat(64);
    const agent = connection('web-1', '1.2.3');
    const release = { hash, serial: 1, architecture: 'x64' };
    registry.connect({ ...agent, hello: { ...agent.hello, release } });
    await settle();
    assert.equal(row()?.release, hash);
    await fleet.connected('web-1', 'srv-2', '1.2.3', hash);
    await fleet.disconnected('web-1', 'srv-2');
    await hosts.refresh();
    await settle();
    assert.deepEqual([row()?.server, row()?.disconnectedMs, row()?.release], ['srv-1', undefined, hash]);
  });

  it('write the newest state of a host, after what is being written', async (t) => {
    const { fleet, registry, row, settle } = await opened(t, [{ rshost: 'web-1', istate: 2 }]);
    const held: (() => void)[] = [];
    fleet.onCall = () => new Promise((resolve) => held.push(resolve));
    const [first, second] = [connection('web-1', '1.0.0'), connection('web-1', '2.0.0')];
    registry.connect(first);
    registry.disconnect(first, 'gone');
    registry.connect(second);
    await settle();
    assert.equal(held.length, 1);
    held[0]?.();
    await settle();
    assert.equal(held.length, 2);
    held[1]?.();
    await settle();
    assert.deepEqual([row()?.version, row()?.disconnectedMs, held.length], ['2.0.0', undefined, 2]);
  });

  it('keep what happened while the store refused an older state', async (t) => {
    const { fleet, registry, row, settle, pass } = await opened(t, [{ rshost: 'web-1', istate: 2 }]);
    const held = Promise.withResolvers<void>();
    fleet.onCall = () => held.promise;
    const agent = connection('web-1');
    registry.connect(agent);
    registry.disconnect(agent, 'gone');
    registry.connect(connection('web-1', '2.0.0'));
    held.reject(new Error('away'));
    await settle();
    fleet.onCall = async () => undefined;
    await pass(500);
    assert.equal(row()?.version, '2.0.0');
  });

  it('wait for a store that is away, told once, with the newest state of each host', async (t) => {
    const { fleet, registry, row, troubles, settle, pass } = await opened(t, [
      { rshost: 'web-1', istate: 2 },
      { rshost: 'web-2', istate: 2 },
    ]);
    fleet.onCall = () => Promise.reject(new Error('away'));
    const agent = connection('web-1');
    registry.connect(agent);
    await settle();
    registry.disconnect(agent, 'gone');
    registry.connect(connection('web-1', '2.0.0'));
    registry.connect(connection('web-2', '2.0.0'));
    for (const waitMs of [500, 1_000, 2_000, 4_000, 8_000, 10_000]) await pass(waitMs);
    assert.deepEqual(troubles, ['away']);
    fleet.onCall = async () => undefined;
    await pass(9_999);
    assert.equal(row()?.server, undefined);
    await pass(1);
    assert.deepEqual([row(0)?.version, row(1)?.version], ['2.0.0', '2.0.0']);
  });

  it('say of agents that a killed server of this name left behind that they are gone', async (t) => {
    const { registry, row } = await opened(t, [
      { rshost: 'web-1', istate: 2, server: 'srv-1' },
      { rshost: 'web-2', istate: 2, server: 'srv-2' },
      { rshost: 'web-3', istate: 2, server: 'srv-1', disconnectedMs: 3 },
    ]);
    assert.deepEqual([row(0)?.disconnectedMs, row(1)?.disconnectedMs, row(2)?.disconnectedMs], [7, undefined, 3]);
    assert.equal(registry.connectionOf('web-1'), undefined);
  });

  it('leave out a host that was taken out of the list meanwhile', async (t) => {
    const { fleet, registry, hosts, troubles, settle } = await opened(t, [{ rshost: 'web-1', istate: 2 }]);
    fleet.rows.length = 0;
    await hosts.refresh();
    registry.connect(connection('web-1'));
    await settle();
    assert.deepEqual([fleet.rows, troubles], [[], []]);
  });

  it('are written before the server ends, if the store takes them in time', async (t) => {
    const { fleet, registry, row, notes, settle, pass } = await opened(t, [{ rshost: 'web-1', istate: 2 }]);
    const held = Promise.withResolvers<void>();
    fleet.onCall = () => held.promise;
    const agent = connection('web-1');
    registry.connect(agent);
    registry.disconnect(agent, 'the server ends');
    let isStopped = false;
    const stopped = notes.stop().then(() => {
      isStopped = true;
    });
    await settle();
    assert.equal(isStopped, false);
    held.resolve();
    await stopped;
    assert.equal(row()?.disconnectedMs, 7);
    fleet.onCall = () => Promise.reject(new Error('away'));
    registry.connect(connection('web-1'));
    const late = notes.stop();
    await pass(2_000);
    await late;
  });

  it('say again that an agent is connected here, when another one of its host leaves another server', async (t) => {
    const { fleet, registry, row, settle, pass } = await opened(t, [{ rshost: 'web-1', istate: 2 }]);
    registry.connect(connection('web-1', '1.2.3'));
    await settle();
    await fleet.connected('web-1', 'srv-2', '2.0.0');
    await fleet.disconnected('web-1', 'srv-2');
    await pass(1_000);
    assert.deepEqual([row()?.server, row()?.version, row()?.disconnectedMs], ['srv-1', '1.2.3', undefined]);
  });
});
