import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Beat } from '../../src/protocol/message.ts';
import { HostList } from '../../src/server/host-list.ts';
import { type AgentConnection, Registry } from '../../src/server/registry.ts';
import { usage } from '../store/sample.ts';
import { FakeFleet } from '../support/fake-fleet.ts';

/** How often it looks at its hosts. */
const REVIEW_MS = 500;
const NOW = Date.UTC(2026, 10, 23, 3, 12);

function connection(host: string, version = '1.0.0', address = '10.0.0.1'): AgentConnection & { replaced: number } {
  const made = {
    address,
    retire: () => undefined,
    expire: () => undefined,
    misbehave: () => undefined,
    unreadBytes: 0,
    hello: { type: 'hello', host, version, outbox: { waiting: 0, dropped: 0 } } as const,
    replaced: 0,
    send: () => undefined,
    replace: () => {
      made.replaced += 1;
    },
  };
  return made;
}

function beat(fields: Partial<Beat> = {}): Beat {
  return { type: 'beat', atMs: NOW, usage: usage(), culprits: {}, agent: { cpuPercent: 1, rssBytes: 2 }, ...fields };
}

/** A registry whose clocks a test sets. */
function registry(t: TestContext) {
  t.mock.timers.enable({ apis: ['Date', 'setInterval'], now: NOW });
  let monotonic = 0;
  t.mock.method(performance, 'now', () => monotonic);
  const hosts = new Registry({ serverName: 'srv-1', sampleMs: 2_000 });
  t.after(() => hosts.close());
  return {
    hosts,
    pass: (ms: number) => {
      for (let passed = 0; passed < ms; ) {
        const step = Math.min(REVIEW_MS, ms - passed);
        passed += step;
        monotonic += step;
        t.mock.timers.tick(step);
      }
    },
    /** Time passes and this process does nothing. */
    stop: (ms: number) => {
      monotonic += ms;
    },
  };
}

describe('registry', { timeout: 30_000 }, () => {
  it('has a connected host online, before its first beat and after', (t) => {
    const { hosts } = registry(t);
    const agent = connection('web-1');
    hosts.connect(agent);
    const lastSeenAt = '2026-11-23T03:12:00.000Z';
    const connected = { host: 'web-1', status: 'online', version: '1.0.0', server: 'srv-1', lastSeenAt } as const;
    assert.deepEqual(hosts.row('web-1'), connected);
    const culprits = { cpu: [{ instance: 'mysqld:3307', pid: 7, value: 99 }] };
    hosts.beat(agent, beat({ culprits, netSource: 'bpf', message: 'disk use is hidden' }));
    assert.deepEqual(hosts.row('web-1'), {
      ...connected,
      ...usage(),
      agent: { cpuPercent: 1, rssBytes: 2 },
      culprits,
      netSource: 'bpf',
      message: 'disk use is hidden',
    });
  });

  it('has a host late after three sample periods without a beat, and online again with the next', (t) => {
    const { hosts, pass } = registry(t);
    const agent = connection('web-1');
    hosts.connect(agent);
    pass(6_000);
    assert.equal(hosts.row('web-1')?.status, 'online');
    pass(1);
    assert.equal(hosts.row('web-1')?.status, 'late');
    hosts.beat(agent, beat());
    assert.equal(hosts.row('web-1')?.status, 'online');
    pass(6_001);
    assert.equal(hosts.row('web-1')?.status, 'late');
    assert.equal(hosts.row('web-1')?.cpuPercent, usage().cpuPercent);
  });

  it('has a host offline when its connection is gone, with the reason, the time, and no figures of then', (t) => {
    const { hosts, pass } = registry(t);
    const agent = connection('web-1');
    hosts.connect(agent);
    pass(1_000);
    hosts.beat(agent, beat());
    pass(1_000);
    hosts.disconnect(agent, 'silent (4408)');
    assert.deepEqual(hosts.row('web-1'), {
      host: 'web-1',
      status: 'offline',
      version: '1.0.0',
      lastSeenAt: '2026-11-23T03:12:01.000Z',
      message: 'silent (4408)',
    });
  });

  it('forgets the reason and the figures of before when a host comes back', (t) => {
    const { hosts } = registry(t);
    const agent = connection('web-1');
    hosts.connect(agent);
    hosts.beat(agent, beat());
    hosts.disconnect(agent, 'silent (4408)');
    hosts.connect(connection('web-1', '1.0.1'));
    const row = hosts.row('web-1');
    assert.equal(row?.version, '1.0.1');
    assert.equal(row?.message, undefined);
    assert.equal(row?.cpuPercent, undefined);
  });

  it('remembers hosts from history as offline, without overwriting what it knows better', (t) => {
    const { hosts } = registry(t);
    hosts.connect(connection('web-1'));
    hosts.remember('web-1', NOW - 1_000);
    hosts.remember('web-2', NOW - 60_000);
    assert.deepEqual(hosts.row('web-2'), { host: 'web-2', status: 'offline', lastSeenAt: '2026-11-23T03:11:00.000Z' });
    assert.equal(hosts.row('web-1')?.lastSeenAt, '2026-11-23T03:12:00.000Z');
    assert.deepEqual(hosts.hostNames(), ['web-1', 'web-2']);
  });

  it('knows nothing of a host it never heard of', (t) => {
    const { hosts } = registry(t);
    assert.equal(hosts.row('web-1'), undefined);
    assert.equal(hosts.has('web-1'), false);
    assert.equal(hosts.connectionOf('web-1'), undefined);
    assert.equal(hosts.beatOf('web-1'), undefined);
  });

  it('lets the second connection of a host replace the first, and hears the first no more', (t) => {
    const { hosts } = registry(t);
    const events: string[] = [];
    hosts.on('connected', (host) => events.push(`connected ${host}`));
    hosts.on('disconnected', (host) => events.push(`disconnected ${host}`));
    hosts.on('rows', (host) => events.push(`rows ${host}`));
    const first = connection('web-1');
    const second = connection('web-1');
    hosts.connect(first);
    hosts.connect(second);
    assert.equal(first.replaced, 1);
    assert.equal(second.replaced, 0);
    hosts.beat(first, beat());
    hosts.rows(first, {} as never);
    hosts.disconnect(first, 'replaced');
    assert.equal(hosts.row('web-1')?.status, 'online');
    assert.equal(hosts.beatOf('web-1'), undefined);
    assert.equal(hosts.connectionOf('web-1'), second);
    assert.deepEqual(events, ['connected web-1', 'connected web-1']);
    hosts.rows(second, {} as never);
    hosts.disconnect(second, 'gone');
    assert.deepEqual(events.slice(2), ['rows web-1', 'disconnected web-1']);
  });

  it('tells once that a host has become late, within half a second, and that it is not any more', (t) => {
    const { hosts, pass } = registry(t);
    const agent = connection('web-1');
    hosts.remember('gone', NOW);
    hosts.connect(agent);
    const told: string[] = [];
    hosts.on('change', (host) => told.push(`${host} ${hosts.row(host)?.status}`));
    pass(6_000);
    assert.deepEqual(told, []);
    pass(500);
    assert.deepEqual(told.splice(0), ['web-1 late']);
    pass(60_000);
    assert.deepEqual(told, []);
    hosts.beat(agent, beat());
    assert.deepEqual(told.splice(0), ['web-1 online']);
    pass(6_500);
    hosts.connect(connection('web-1'));
    assert.deepEqual(told.splice(0), ['web-1 late', 'web-1 online']);
    pass(6_500);
    assert.deepEqual(told, ['web-1 late']);
  });

  it('calls nobody late when it was itself stopped, before it has read what came meanwhile', (t) => {
    const { hosts, pass, stop } = registry(t);
    const agent = connection('web-1');
    hosts.connect(agent);
    const told: string[] = [];
    hosts.on('change', (host) => told.push(`${host} ${hosts.row(host)?.status}`));
    stop(20_000);
    pass(500);
    hosts.beat(agent, beat());
    pass(500);
    assert.deepEqual(told, ['web-1 online']);
  });

  it('tells nothing more once it is closed', (t) => {
    const { hosts, pass } = registry(t);
    hosts.connect(connection('web-1'));
    hosts.close();
    hosts.on('change', () => assert.fail());
    pass(60_000);
  });

  it('says that two agents speak for a host when one that was replaced was well, until none was for a minute', (t) => {
    const { hosts, pass } = registry(t);
    const [first, second] = [connection('web-1', '1', '10.0.0.2'), connection('web-1', '1', '10.0.0.1')];
    hosts.connect(first);
    hosts.connect(second);
    assert.equal(hosts.row('web-1')?.message, undefined);
    hosts.contest(first);
    const both = 'two agents speak for this host: from 10.0.0.1 and 10.0.0.2';
    assert.equal(hosts.row('web-1')?.message, both);
    hosts.beat(second, beat({ message: 'disk use is hidden' }));
    assert.equal(hosts.row('web-1')?.message, both);
    pass(40_000);
    hosts.connect(first);
    hosts.contest(second);
    pass(40_000);
    assert.equal(hosts.row('web-1')?.message, both);
    hosts.beat(first, beat({ message: 'disk use is hidden' }));
    const told: (string | undefined)[] = [];
    hosts.on('change', (host) => told.push(hosts.row(host)?.message));
    pass(20_500);
    assert.equal(told.at(-1), 'disk use is hidden');
  });

  it('says of two agents of one address that it is the same', (t) => {
    const { hosts } = registry(t);
    const first = connection('web-1');
    hosts.connect(first);
    hosts.connect(connection('web-1'));
    hosts.contest(first);
    assert.equal(hosts.row('web-1')?.message, 'two agents speak for this host, both from 10.0.0.1');
  });

  it('contests no host whose agent has gone meanwhile', (t) => {
    const { hosts } = registry(t);
    const [first, second] = [connection('web-1'), connection('web-1')];
    hosts.connect(first);
    hosts.connect(second);
    hosts.disconnect(second, 'closed (1006)');
    hosts.contest(first);
    assert.equal(hosts.row('web-1')?.message, 'closed (1006)');
  });

  it('passes on which servers an agent could not reach', (t) => {
    const { hosts } = registry(t);
    const told: unknown[] = [];
    hosts.on('unreachable', (host, server) => told.push([host, server]));
    const agent = connection('web-1');
    const unreachable = [
      { server: 'wss://10.0.0.5:9300', reason: 'it does not answer' },
      { server: 'wss://10.0.0.6:9300', reason: 'nothing listens there' },
    ];
    hosts.connect({ ...agent, hello: { ...agent.hello, unreachable } });
    assert.deepEqual(told, [
      ['web-1', unreachable[0]],
      ['web-1', unreachable[1]],
    ]);
    hosts.connect(connection('web-2'));
    assert.equal(told.length, 2);
  });

  it('knows the hosts of the list, and forgets one that is taken out and was never seen', async (t) => {
    const { hosts } = registry(t);
    const fleet = new FakeFleet();
    fleet.rows.push({ rshost: 'web-1', istate: 1 }, { rshost: 'web-2', istate: 2 }, { rshost: 'web-3', istate: 2 });
    const list = new HostList(fleet);
    t.after(() => list.stop());
    hosts.follow(list);
    const changed: string[] = [];
    hosts.on('change', (host) => changed.push(host));
    await list.start();
    assert.deepEqual(hosts.hostNames(), ['web-1', 'web-2', 'web-3']);
    assert.deepEqual(hosts.row('web-1'), { host: 'web-1', status: 'deploying', message: 'waits for its turn' });
    hosts.remember('web-2', NOW);
    hosts.connect(connection('web-3'));
    changed.length = 0;
    fleet.rows.length = 0;
    await list.refresh();
    assert.deepEqual(changed, ['web-1', 'web-2', 'web-3']);
    assert.deepEqual(hosts.hostNames(), ['web-2', 'web-3']);
    assert.equal(hosts.row('web-2')?.status, 'offline');
    assert.equal(hosts.row('web-3')?.status, 'online');
  });
});
