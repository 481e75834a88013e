import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Beat } from '../../src/protocol/message.ts';
import { type AgentConnection, Registry } from '../../src/server/registry.ts';
import { usage } from '../store/sample.ts';

const NOW = Date.UTC(2026, 10, 23, 3, 12);

function connection(host: string, version = '1.0.0'): AgentConnection & { replaced: number } {
  const made = {
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
  t.mock.timers.enable({ apis: ['Date'], now: NOW });
  let monotonic = 0;
  t.mock.method(performance, 'now', () => monotonic);
  return {
    hosts: new Registry({ serverName: 'srv-1', sampleMs: 2_000 }),
    pass: (ms: number) => {
      monotonic += ms;
      t.mock.timers.setTime(NOW + monotonic);
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
});
