import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HostList } from '../../src/server/host-list.ts';
import { Registry } from '../../src/server/registry.ts';
import { followList } from '../../src/server/retirement.ts';
import type { FleetHost } from '../../src/store/fleet.ts';
import { FakeFleet } from '../support/fake-fleet.ts';

describe('retirement', { timeout: 30_000 }, () => {
  it('tells the agents of hosts that are taken offline to end, and hangs up on those whose row is gone', async (t) => {
    const fleet = new FakeFleet();
    for (const host of ['web-1', 'web-2', 'web-3', 'web-4']) fleet.rows.push({ rshost: host, istate: 2 });
    const hosts = new HostList(fleet);
    const registry = new Registry({ serverName: 'srv-1', sampleMs: 2_000 });
    followList(hosts, registry);
    t.after(() => hosts.stop());
    await hosts.start();
    const retired: string[] = [];
    const expired: string[] = [];
    for (const host of ['web-1', 'web-2', 'web-3', 'web-4'])
      registry.connect({
        hello: { type: 'hello', host, version: '1.0.0', outbox: { waiting: 0, dropped: 0 } },
        address: '10.0.0.1',
        send: () => assert.fail(),
        replace: () => assert.fail(),
        misbehave: () => assert.fail(),
        unreadBytes: 0,
        expire: (reason) => expired.push(`${host}: ${reason}`),
        retire: (reason) => retired.push(`${host}: ${reason}`),
      });
    const [first, second] = fleet.rows as [FleetHost, FleetHost];
    Object.assign(first, { istate: 0 });
    Object.assign(second, { istate: 1, phase: 'connecting' });
    fleet.rows.splice(2, 1);
    await hosts.refresh();
    assert.deepEqual(retired, ['web-1: its host is taken offline']);
    assert.deepEqual(expired, ['web-3: its host is not listed any more']);
  });
});
