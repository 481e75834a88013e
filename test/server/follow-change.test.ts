import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { followChange } from '../../src/server/follow-change.ts';
import { HostList } from '../../src/server/host-list.ts';
import { FakeFleet } from '../support/fake-fleet.ts';

describe('follow change', { timeout: 30_000 }, () => {
  it('tells each phase once, and ends with the last outcome, listening no more', async () => {
    const fleet = new FakeFleet();
    const hosts = new HostList(fleet);
    const told: string[] = [];
    const listener = {
      onPhase: (host: string, phase: string) => told.push(`${host} ${phase}`),
      onOutcome: ({ host, state }: { host: string; state: string }) => told.push(`${host} ${state}`),
    };
    await fleet.list(['web-1', 'web-2'], 1);
    await hosts.refresh();
    const targets = ['web-1', 'web-2'].map((host) => ({ host, rshost: host }));
    const followed = followChange('running', targets, hosts, listener, new AbortController().signal);
    const steps = [
      () => fleet.note('web-1', { phase: 'connecting' }),
      () => fleet.note('web-1', { server: 'srv-1' }),
      () => fleet.note('web-1', { phase: 'copying' }),
      () => fleet.note('web-1', { phase: undefined }),
      () => fleet.changeState('web-1', 1, 2),
      () => fleet.note('web-1', { failure: 'of what came after' }),
      () => fleet.note('web-2', { failure: 'no route' }),
    ];
    for (const step of steps) {
      await step();
      await hosts.refresh();
    }
    await followed;
    assert.deepEqual(told, ['web-1 connecting', 'web-1 copying', 'web-1 running', 'web-2 failed']);
    assert.equal(hosts.listenerCount('change'), 0);
  });

  it('ends at once when nobody listens any more, or nothing is to be waited for', async () => {
    const hosts = new HostList(new FakeFleet());
    const listener = { onPhase: () => assert.fail(), onOutcome: () => assert.fail() };
    await followChange('running', [], hosts, listener, new AbortController().signal);
    const fleet = new FakeFleet();
    await fleet.list(['web-1'], 1);
    const listed = new HostList(fleet);
    await listed.refresh();
    const gone = new AbortController();
    const followed = followChange('running', [{ host: 'web-1', rshost: 'web-1' }], listed, listener, gone.signal);
    gone.abort();
    await followed;
    assert.equal(listed.listenerCount('change'), 0);
  });
});
