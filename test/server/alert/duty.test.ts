import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Channel } from '../../../src/alert-channel/channel.ts';
import type { Notice } from '../../../src/alert-channel/notice.ts';
import { AlertBook } from '../../../src/server/alert/book.ts';
import { AlertDuty } from '../../../src/server/alert/duty.ts';
import { Outlet } from '../../../src/server/alert/outlet.ts';
import { HostList } from '../../../src/server/host-list.ts';
import { ISTATE } from '../../../src/store/fleet.ts';
import type { Rollout } from '../../../src/store/rollout.ts';
import { FakeFleet } from '../../support/fake-fleet.ts';
import { BEFORE, rollout } from '../rollout/fixture.ts';
import { clock, NOW } from './clock.ts';

class FakeChannel implements Channel {
  readonly perMinute = 60;
  readonly name: string;
  /** Each message, a line for each of its notices. */
  readonly messages: string[][] = [];
  isAway = false;

  constructor(name: string) {
    this.name = name;
  }

  async tell(notices: readonly Notice[]): Promise<readonly Notice[]> {
    if (this.isAway) throw new Error(`${this.name} is away`);
    this.messages.push(notices.map(({ host, kind, istate }) => `${host} ${kind} ${istate}`));
    return notices;
  }
}

/** A mesh of two servers with hosts on the other one; several servers of this process may do the duty. */
async function opened(t: TestContext, hosts = ['web-1']) {
  const { pass } = clock(t);
  const fleet = new FakeFleet();
  const troubles: string[] = [];
  const channels = [new FakeChannel('WeCom'), new FakeChannel('webhook')] as const;
  for (const rshost of hosts) fleet.rows.push({ rshost, istate: ISTATE.running, server: 'srv-2' });
  const list = new HostList(fleet);
  list.on('trouble', () => undefined);
  t.after(() => list.stop());
  await list.start();
  const silent = new Set<string>();
  /** Servers that are not silent say that they live. */
  const live = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      for (const name of ['srv-1', 'srv-2'])
        if (!silent.has(name)) fleet.alive.set(name, { url: `wss://${name}:9300`, atMs: Date.now() });
      await pass(1_000, 1_000);
    }
  };
  /** The newest first. */
  const released: Rollout[] = [];
  const server = async (used: readonly Channel[] = channels) => {
    const onTrouble = ({ message }: Error) => void troubles.push(message);
    const book = new AlertBook({ fleet, onTrouble });
    const outlets = used.map((channel) => new Outlet(channel, onTrouble));
    const own = { server: 'srv-1', has: () => true };
    const duty = new AlertDuty({ fleet, list, book, outlets, own, rollouts: () => released, onTrouble });
    const stop = () => {
      duty.stop();
      book.stop();
      for (const outlet of outlets) outlet.close();
    };
    t.after(stop);
    await book.start();
    duty.start();
    return { duty, book, stop };
  };
  /** The database is away for so long; servers find it again within their next turn. */
  const away = async (ms: number): Promise<void> => {
    fleet.onCall = async () => {
      throw new Error('away');
    };
    for (const name of ['srv-1', 'srv-2']) silent.add(name);
    await live(ms);
    fleet.onCall = async () => undefined;
    await live(3_000);
    silent.clear();
  };
  const gone = (rshost: string) => fleet.disconnected(rshost, 'srv-2');
  return { fleet, released, troubles, channels, silent, live, away, server, gone };
}

describe('duty of alerts', { timeout: 30_000 }, () => {
  it('sends that a host is offline, and that it is back, to every channel, once, and notes that it did', async (t) => {
    const { fleet, channels, live, server, gone } = await opened(t);
    await server();
    await live(60_000);
    await gone('web-1');
    await live(20_000);
    await fleet.connected('web-1', 'srv-2', '1.0.0');
    await live(20_000);
    for (const { messages } of channels) assert.deepEqual(messages, [['web-1 offline 1'], ['web-1 offline 0']]);
    assert.deepEqual(await fleet.unsentAlerts(0, 10), []);
    assert.match(fleet.alerts[1]?.remarks ?? '', /^online again, it took \d+ s$/);
  });

  it('sends once that a rollout is halted, though hosts go back meanwhile, and that all are back', async (t) => {
    const { fleet, released, channels, live, server } = await opened(t);
    released.push(rollout({ state: 'halted', reason: 'web-1: it crashed' }), BEFORE);
    await server();
    await live(10_000);
    const back = rollout({ serial: 3, version: '1.2', hash: BEFORE.hash, reason: 'release 1.3 halted' });
    released.unshift(back);
    await live(400_000);
    assert.deepEqual(channels[0].messages, [['procmesh release 1']]);
    assert.equal(fleet.alerts[0]?.remarks, 'release 1.3 halted at web-1: it crashed; all others stay on 1.2');
    back.state = 'done';
    await live(10_000);
    assert.deepEqual(channels[0].messages.slice(1), [['procmesh release 0']]);
    assert.match(fleet.alerts[1]?.remarks ?? '', /^release 1\.2 is on all hosts, it took \d+ min$/);
  });

  it('sends many that go at once in one message', async (t) => {
    const hosts = Array.from({ length: 300 }, (_, index) => `web-${index}`);
    const { channels, live, server, gone, fleet } = await opened(t, hosts);
    // A store that takes its time.
    let calls = 0;
    fleet.onCall = async () => {
      calls += 1;
      if (calls % 15 === 0) await new Promise((resolve) => setImmediate(resolve));
    };
    await server();
    await live(60_000);
    for (const host of hosts) await gone(host);
    await live(20_000);
    assert.deepEqual(
      channels[0].messages.map((message) => message.length),
      [300],
    );
  });

  it('does not hold up one channel while another is away, and notes as sent what both have', async (t) => {
    const { fleet, channels, live, server, gone, troubles } = await opened(t);
    channels[0].isAway = true;
    await server();
    await live(60_000);
    await gone('web-1');
    await live(60_000);
    assert.deepEqual(channels[1].messages, [['web-1 offline 1']]);
    assert.equal((await fleet.unsentAlerts(0, 10)).length, 1);
    assert.deepEqual(troubles, ['WeCom is away']);
    channels[0].isAway = false;
    await live(90_000);
    assert.deepEqual(channels[0].messages, [['web-1 offline 1']]);
    assert.deepEqual(channels[1].messages, [['web-1 offline 1']]);
    assert.deepEqual(await fleet.unsentAlerts(0, 10), []);
  });

  it('tells of a silent server, and of its hosts that find no other', async (t) => {
    const { channels, live, server, silent, fleet } = await opened(t, ['web-1', 'web-2']);
    await server();
    await live(60_000);
    silent.add('srv-2');
    await live(15_000);
    await fleet.connected('web-2', 'srv-1', '1.0.0');
    await live(30_000);
    assert.deepEqual(channels[0].messages, [['srv-2 server 1'], ['web-1 offline 1']]);
    silent.clear();
    await live(10_000);
    assert.deepEqual(new Set(channels[0].messages.slice(2).flat()), new Set(['srv-2 server 0', 'web-1 offline 0']));
  });

  it('tells at once of the server whose duty it has taken over', async (t) => {
    const { channels, live, server, silent } = await opened(t, []);
    await live(60_000);
    silent.add('srv-2');
    await live(12_000);
    await server();
    await live(8_000);
    assert.deepEqual(channels[0].messages, [['srv-2 server 1']]);
  });

  it('tells neither of servers nor of hosts that are silent as the database was away', async (t) => {
    const { channels, live, away, server } = await opened(t);
    await live(1_000);
    await away(60_000);
    await server();
    await live(60_000);
    assert.deepEqual(channels[0].messages, []);
  });

  it('judges nothing by what it read before the database went away, and no server right after', async (t) => {
    const { channels, live, away, server, fleet, gone } = await opened(t);
    await server();
    await live(60_000);
    for (const ms of [8_000, 20_000, 300_000]) {
      await away(ms);
      await live(20_000);
    }
    await gone('web-1');
    await live(4_000);
    // It comes back just as the database goes away.
    delete fleet.rows[0]?.disconnectedMs;
    await away(300_000);
    await live(60_000);
    assert.deepEqual([fleet.alerts, channels[0].messages], [[], []]);
  });

  it('judges no hosts by a list that was read before it began', async (t) => {
    const { channels, live, away, server, fleet } = await opened(t);
    await fleet.list(['new-1'], ISTATE.bringOnline);
    await fleet.note('new-1', { failure: 'disk full', attempts: 1 });
    await live(2_000);
    await fleet.note('new-1', { failure: undefined, attempts: undefined });
    const { book } = await server();
    await away(60_000);
    await live(60_000);
    assert.deepEqual([channels[0].messages, book.openHosts('deploy')], [[], []]);
  });

  it('asks the database for no list of hosts or servers of its own', async (t) => {
    const { live, server, fleet } = await opened(t);
    const reads = [t.mock.method(fleet, 'hosts'), t.mock.method(fleet, 'servers')];
    await server();
    await live(60_000);
    for (const { mock } of reads) assert.ok(mock.callCount() <= 61, `${mock.callCount()} reads in 60 s`);
  });

  it('tells once why a deployment fails, and when it is done', async (t) => {
    const { channels, live, server, fleet } = await opened(t);
    await server();
    await fleet.list(['new-1'], ISTATE.bringOnline);
    await fleet.note('new-1', { failure: 'disk full', attempts: 1 });
    await live(600_000);
    await fleet.note('new-1', { failure: 'disk full', attempts: 9 });
    await live(60_000);
    await fleet.note('new-1', { failure: undefined, attempts: undefined });
    await fleet.changeState('new-1', ISTATE.bringOnline, ISTATE.running);
    await live(10_000);
    assert.deepEqual(channels[0].messages, [['new-1 deploy 1'], ['new-1 deploy 0']]);
  });

  it('settles what is open of a host, or a server, that is listed no more', async (t) => {
    const { channels, live, server, gone, fleet, silent } = await opened(t);
    await server();
    await live(60_000);
    await gone('web-1');
    silent.add('srv-2');
    await live(60_000);
    await fleet.list(['web-1'], ISTATE.takeOffline);
    await fleet.leave('srv-2');
    await live(10_000);
    assert.deepEqual(channels[0].messages.at(-1)?.toSorted(), ['srv-2 server 0', 'web-1 offline 0']);
  });

  it('goes on on another server where it was left: what was sent stays sent, what is open is closed once', async (t) => {
    const { channels, live, server, gone, fleet } = await opened(t);
    const first = await server();
    await live(60_000);
    await gone('web-1');
    await live(20_000);
    first.stop();
    const next = await server();
    await live(100_000);
    assert.deepEqual(channels[0].messages, [['web-1 offline 1']]);
    await fleet.connected('web-1', 'srv-2', '1.0.0');
    await live(10_000);
    assert.deepEqual(channels[0].messages, [['web-1 offline 1'], ['web-1 offline 0']]);
    next.stop();
  });

  it('leaves to the next server what waits for a channel when it ends', async (t) => {
    const { channels, live, server, gone } = await opened(t);
    const { duty } = await server();
    await live(60_000);
    channels[0].isAway = true;
    await gone('web-1');
    await live(30_000);
    duty.stop();
    channels[0].isAway = false;
    await live(90_000);
    assert.deepEqual(channels[0].messages, []);
    await server();
    await live(10_000);
    assert.deepEqual(channels[0].messages, [['web-1 offline 1']]);
    duty.start();
    await live(10_000);
    assert.equal(channels[0].messages.length, 1);
  });

  it('sends what another server has alerted, and not what was told directly', async (t) => {
    const { channels, live, server, fleet } = await opened(t);
    await server();
    const atMs = NOW - 1_000;
    const alert = { istate: 1, remarks: 'x', atMs } as const;
    await fleet.alert({ ...alert, host: 'web-1', kind: 'cpu' });
    await fleet.alert({ ...alert, host: 'srv-2', kind: 'store' });
    await live(10_000);
    assert.deepEqual(channels[0].messages, [['web-1 cpu 1']]);
    assert.deepEqual(await fleet.unsentAlerts(0, 10), []);
  });

  it('announces that a server can be reached again, after agents had told that none could', async (t) => {
    const { channels, live, server, fleet } = await opened(t);
    await fleet.alert({ host: 'procmesh', kind: 'server', istate: 1, remarks: 'says web-1', atMs: NOW - 60_000 });
    await server();
    await live(10_000);
    assert.deepEqual(channels[0].messages, [['procmesh server 0']]);
  });

  it('does not announce that while no agent is connected', async (t) => {
    const { channels, live, server, fleet, gone } = await opened(t);
    await gone('web-1');
    await fleet.alert({ host: 'procmesh', kind: 'server', istate: 1, remarks: 'says web-1', atMs: NOW - 60_000 });
    await server();
    await live(120_000);
    assert.deepEqual(channels[0].messages, [['web-1 offline 1']]);
    await fleet.connected('web-1', 'srv-2', '1.0.0');
    await live(5_000);
    assert.deepEqual(channels[0].messages.slice(1).flat().toSorted(), ['procmesh server 0', 'web-1 offline 0']);
  });

  it('notes alerts as sent where no channel is set', async (t) => {
    const { live, server, gone, fleet } = await opened(t);
    await server([]);
    await live(60_000);
    await gone('web-1');
    await live(20_000);
    assert.equal(fleet.alerts.length, 1);
    assert.deepEqual(await fleet.unsentAlerts(0, 10), []);
  });

  it('does not send what is older than an hour', async (t) => {
    const { channels, live, server, fleet } = await opened(t);
    await fleet.alert({ host: 'web-1', kind: 'cpu', istate: 1, remarks: 'x', atMs: NOW - 3_700_000 });
    await server();
    await live(10_000);
    assert.deepEqual(channels[0].messages, []);
  });

  it('survives that the store fails, and does nothing after it was stopped', async (t) => {
    const { channels, live, server, gone, fleet, troubles } = await opened(t);
    const { duty } = await server();
    await live(40_000);
    fleet.onCall = async () => {
      throw new Error('away');
    };
    await live(10_000);
    assert.ok(troubles.includes('away'));
    fleet.onCall = async () => undefined;
    await gone('web-1');
    await live(40_000);
    assert.equal(channels[0].messages.length, 1);
    duty.stop();
    await fleet.connected('web-1', 'srv-2', '1.0.0');
    await live(20_000);
    assert.equal(channels[0].messages.length, 1);
  });
});
