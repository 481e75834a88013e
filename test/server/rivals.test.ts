import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ConnectionNotes } from '../../src/server/connection-notes.ts';
import { HostList } from '../../src/server/host-list.ts';
import { type AgentConnection, Registry } from '../../src/server/registry.ts';
import { Rivals } from '../../src/server/rivals.ts';
import { usage } from '../store/sample.ts';
import { FakeFleet } from '../support/fake-fleet.ts';

const HOST = 'web-1';

/** Two servers of a mesh, and agents that say that they are the same host. */
async function opened(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
  t.mock.method(performance, 'now', () => Date.now());
  const fleet = new FakeFleet();
  fleet.rows.push({ rshost: HOST, istate: 2 });
  const beating = new Map<Registry, AgentConnection>();
  const server = async (serverName: string) => {
    const hosts = new HostList(fleet);
    const registry = new Registry({ serverName, sampleMs: 2_000 });
    const notes = new ConnectionNotes({ fleet, hosts, registry, serverName, onTrouble: () => undefined });
    const rivals = new Rivals({ hosts, registry, notes, serverName });
    registry.follow(hosts);
    await hosts.start();
    t.after(() => {
      hosts.stop();
      rivals.stop();
    });
    const message = (): string | undefined => registry.row(HOST)?.message;
    const connect = (address: string): AgentConnection => {
      const nothing = () => undefined;
      const hello = { type: 'hello', host: HOST, version: '1.0.0', outbox: { waiting: 0, dropped: 0 } } as const;
      const ends = { replace: nothing, retire: nothing, expire: nothing, misbehave: nothing };
      const agent = { hello, address, unreadBytes: 0, send: nothing, ...ends };
      registry.connect(agent);
      beating.set(registry, agent);
      return agent;
    };
    return { registry, message, connect };
  };
  /** Both servers live, and agents beat every second, until they fall silent. */
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      for (const name of ['srv-1', 'srv-2']) fleet.alive.set(name, { url: `wss://${name}:9300`, atMs: Date.now() });
      const figures = { usage: usage(), culprits: {}, agent: { cpuPercent: 1, rssBytes: 1 } };
      for (const [registry, agent] of beating) registry.beat(agent, { type: 'beat', atMs: Date.now(), ...figures });
      t.mock.timers.tick(1_000);
      for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { fleet, beating, pass, one: await server('srv-1'), two: await server('srv-2') };
}

describe('two agents of one host at two servers', { timeout: 30_000 }, () => {
  it('are named by both servers, as long as there are two', async (t) => {
    const { pass, one, two, fleet } = await opened(t);
    one.connect('10.0.0.1');
    await pass(2_000);
    const second = two.connect('10.0.0.2');
    await pass(60_000);
    const messages = [
      'two agents speak for this host: from 10.0.0.1, and another one at srv-2',
      'two agents speak for this host: from 10.0.0.2, and another one at srv-1',
    ];
    assert.deepEqual([one.message(), two.message()], messages);
    await pass(120_000);
    assert.deepEqual([one.message(), two.message()], messages);
    two.registry.disconnect(second, 'gone');
    await pass(90_000);
    assert.equal(one.message(), undefined);
    assert.deepEqual([fleet.rows[0]?.server, fleet.rows[0]?.disconnectedMs], ['srv-1', undefined]);
  });

  it('are not taken for one that has moved and left a connection behind', async (t) => {
    const { pass, one, two, beating } = await opened(t);
    const left = one.connect('10.0.0.1');
    await pass(2_000);
    beating.delete(one.registry);
    two.connect('10.0.0.1');
    await pass(12_000);
    one.registry.disconnect(left, 'silent');
    await pass(60_000);
    assert.deepEqual([one.message(), two.message()], ['connected to srv-2', undefined]);
  });

  it('are not taken for one whose server was slow to notice that it had moved', async (t) => {
    const { pass, one, two, beating } = await opened(t);
    one.connect('10.0.0.1');
    await pass(2_000);
    beating.delete(one.registry);
    two.connect('10.0.0.1');
    await pass(60_000);
    assert.deepEqual([one.message(), two.message()], [undefined, undefined]);
  });
});
