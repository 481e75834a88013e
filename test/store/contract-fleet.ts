import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type FleetHost, type FleetStore, ISTATE } from '../../src/store/fleet.ts';
import { alertsContract } from './contract-alerts.ts';
import { T0 } from './sample.ts';

export interface OpenedFleet {
  fleet: FleetStore;
  /** A row of the list as somebody writes it. */
  addByHand: (rshost: string, istate: number) => void | Promise<void>;
  /** Makes all that the store holds so much older. */
  pass: (ms: number) => void | Promise<void>;
  close: () => Promise<void>;
}

/** What every store of a fleet does, and the one that tests use; an adapter's tests call this with a way to open an empty one. */
export function fleetContract(adapter: string, openEmpty: () => Promise<OpenedFleet>): void {
  describe(`fleet contract, ${adapter}`, () => {
    let opened: OpenedFleet;
    let fleet: FleetStore;
    beforeEach(async () => {
      opened = await openEmpty();
      fleet = opened.fleet;
    });
    afterEach(() => opened.close());

    const states = async (): Promise<[string, number][]> =>
      (await fleet.hosts()).map(({ rshost, istate }) => [rshost, istate]);
    const only = async (): Promise<FleetHost | undefined> => {
      const hosts = await fleet.hosts();
      assert.equal(hosts.length, 1);
      return hosts[0];
    };

    describe('the list of hosts', () => {
      it('has nothing to say of a host but its state until something is noted', async () => {
        await fleet.list(['a'], ISTATE.bringOnline);
        assert.deepEqual(await fleet.hosts(), [{ rshost: 'a', istate: 1 }]);
      });

      it('is in the order of listing, however many', async () => {
        const names = Array.from({ length: 2_500 }, (_, index) => `host-${2_500 - index}`);
        await fleet.list(names, ISTATE.bringOnline);
        assert.deepEqual(
          (await fleet.hosts()).map(({ rshost }) => rshost),
          names,
        );
        await fleet.list([], ISTATE.takeOffline);
        await fleet.list(names, ISTATE.takeOffline);
        assert.ok((await fleet.hosts()).every(({ istate }) => istate === ISTATE.takeOffline));
      });

      it('gives a host that is listed the new state, but leaves one that runs running', async () => {
        for (const [name, istate] of Object.entries(ISTATE)) await fleet.list([name], istate);
        await fleet.list(['new', 'new', ...Object.keys(ISTATE)], ISTATE.bringOnline);
        assert.deepEqual(await states(), [
          ...Object.keys(ISTATE).map((name) => [name, name === 'running' ? 2 : 1]),
          ['new', 1],
        ]);
        await fleet.list(['running'], ISTATE.takeOffline);
        assert.deepEqual((await states())[1], ['running', 0]);
      });

      it('takes rows as people write them, and leaves out those whose state is none', async () => {
        const odd = ["o'brien@db 7:2222", 'DB7', 'db7', 'root@db7', '主机', '[2001:db8::1]:22'];
        for (const rshost of odd) await opened.addByHand(rshost, 1);
        await opened.addByHand('seven', 7);
        await opened.addByHand('minus-two', -2);
        assert.deepEqual(
          await states(),
          odd.map((rshost) => [rshost, 1]),
        );
        assert.equal(await fleet.changeState('DB7', ISTATE.bringOnline, ISTATE.running), true);
        await fleet.note("o'brien@db 7:2222", { failure: 'no such host' });
        const hosts = await fleet.hosts();
        assert.deepEqual(hosts.slice(0, 3), [
          { rshost: "o'brien@db 7:2222", istate: 1, failure: 'no such host' },
          { rshost: 'DB7', istate: 2 },
          { rshost: 'db7', istate: 1 },
        ]);
        await fleet.list(['seven'], ISTATE.bringOnline);
        assert.deepEqual((await states()).at(-1), ['seven', 1]);
      });

      it('changes a state only from the one that it is in', async () => {
        await fleet.list(['a', 'b'], ISTATE.bringOnline);
        assert.equal(await fleet.changeState('a', ISTATE.bringOnline, ISTATE.running), true);
        assert.equal(await fleet.changeState('a', ISTATE.bringOnline, ISTATE.offline), false);
        assert.equal(await fleet.changeState('nobody', ISTATE.bringOnline, ISTATE.running), false);
        assert.deepEqual(await states(), [
          ['a', 2],
          ['b', 1],
        ]);
      });

      it('lets one of many change a state', async () => {
        await fleet.list(['a'], ISTATE.bringOnline);
        const changes = Array.from({ length: 10 }, () => fleet.changeState('a', ISTATE.bringOnline, ISTATE.running));
        assert.equal((await Promise.all(changes)).filter(Boolean).length, 1);
      });
    });

    describe('details', () => {
      it('keep what is noted, leave the rest and forget what is undefined', async () => {
        await fleet.list(['a'], ISTATE.bringOnline);
        const all = {
          ...{ phase: 'copying the runtime', failure: `no "room" on its disk 企业 ${'x'.repeat(1_000)}`, attempts: 3 },
          ...{ isDeployed: true, tokenGeneration: 4, server: 'mesh-1', disconnectedMs: T0 + 123, version: '0.1.0' },
        };
        await fleet.note('a', all);
        assert.deepEqual(await only(), { rshost: 'a', istate: 1, ...all });
        await fleet.note('a', {});
        await fleet.note('a', { phase: 'starting', failure: undefined, attempts: 0, isDeployed: false });
        const { failure: _, ...rest } = all;
        assert.deepEqual(await only(), {
          ...{ rshost: 'a', istate: 1, ...rest },
          ...{ phase: 'starting', attempts: 0, isDeployed: false },
        });
        await fleet.note('a', Object.fromEntries(Object.keys(all).map((field) => [field, undefined])));
        assert.deepEqual(await only(), { rshost: 'a', istate: 1 });
      });

      it('survive a change of state', async () => {
        await fleet.list(['a'], ISTATE.running);
        await fleet.note('a', { tokenGeneration: 2 });
        await fleet.list(['a'], ISTATE.takeOffline);
        assert.deepEqual(await only(), { rshost: 'a', istate: 0, tokenGeneration: 2 });
      });
    });

    describe('the agent of a host', () => {
      beforeEach(() => fleet.list(['a'], ISTATE.running));

      it('is at the server it connected to last, whatever the former one says', async () => {
        await fleet.connected('a', 'mesh-1', '0.1.0');
        await fleet.connected('a', 'mesh-2', '0.2.0');
        await fleet.disconnected('a', 'mesh-1');
        assert.deepEqual(await only(), { rshost: 'a', istate: 2, server: 'mesh-2', version: '0.2.0' });
      });

      it('is gone since it first was, until it comes back', async () => {
        await fleet.connected('a', 'mesh-1', '0.1.0');
        await fleet.disconnected('a', 'mesh-1');
        const { disconnectedMs, ...rest } = (await only()) ?? { disconnectedMs: undefined };
        assert.deepEqual(rest, { rshost: 'a', istate: 2, server: 'mesh-1', version: '0.1.0' });
        assert.ok(Number.isInteger(disconnectedMs));
        await opened.pass(5_000);
        const agedMs = (await only())?.disconnectedMs;
        await fleet.disconnected('a', 'mesh-1');
        assert.equal((await only())?.disconnectedMs, agedMs);
        await fleet.connected('a', 'mesh-1', '0.1.0');
        assert.deepEqual(await only(), { rshost: 'a', istate: 2, server: 'mesh-1', version: '0.1.0' });
      });

      it('is where it went last when all is told in one go', async () => {
        const told = [
          fleet.connected('a', 'mesh-1', '0.1.0'),
          fleet.disconnected('a', 'mesh-1'),
          fleet.connected('a', 'mesh-1', '0.1.1'),
          fleet.disconnected('a', 'mesh-2'),
        ];
        await Promise.all(told);
        assert.deepEqual(await only(), { rshost: 'a', istate: 2, server: 'mesh-1', version: '0.1.1' });
        await Promise.all([
          fleet.connected('a', 'mesh-2', '0.1.1'),
          fleet.disconnected('a', 'mesh-2'),
          fleet.disconnected('a', 'mesh-1'),
        ]);
        const host = await only();
        assert.deepEqual([host?.server, Number.isInteger(host?.disconnectedMs)], ['mesh-2', true]);
      });

      it('may be one of thousands that come and go at once', async () => {
        const names = Array.from({ length: 2_500 }, (_, index) => `host-${index}`);
        await fleet.list(names, ISTATE.running);
        await Promise.all(names.map((name) => fleet.connected(name, 'mesh-1', '0.1.0')));
        await Promise.all(names.slice(0, 1_500).map((name) => fleet.disconnected(name, 'mesh-1')));
        const hosts = (await fleet.hosts()).slice(1);
        assert.equal(hosts.filter(({ server }) => server === 'mesh-1').length, 2_500);
        assert.equal(hosts.filter(({ disconnectedMs }) => disconnectedMs !== undefined).length, 1_500);
      });
    });

    describe('a lease', () => {
      it('has one holder, who keeps it as long as he renews it', async () => {
        assert.equal(await fleet.lease('duties', 'mesh-1', 10_000), true);
        assert.equal(await fleet.lease('duties', 'mesh-2', 10_000), false);
        assert.equal(await fleet.lease('other', 'mesh-2', 10_000), true);
        await opened.pass(6_000);
        assert.equal(await fleet.lease('duties', 'mesh-1', 10_000), true);
        await opened.pass(6_000);
        assert.equal(await fleet.lease('duties', 'mesh-2', 10_000), false);
      });

      it('is taken by another when it has run out, and its former holder does not get it back', async () => {
        await fleet.lease('duties', 'mesh-1', 10_000);
        await opened.pass(10_001);
        assert.equal(await fleet.lease('duties', 'mesh-2', 10_000), true);
        assert.equal(await fleet.lease('duties', 'mesh-1', 10_000), false);
      });

      it('may be taken at once when its holder gives it up, and only he can', async () => {
        await fleet.lease('duties', 'mesh-1', 10_000);
        await fleet.release('duties', 'mesh-2');
        await fleet.release('unknown', 'mesh-2');
        assert.equal(await fleet.lease('duties', 'mesh-2', 10_000), false);
        await fleet.release('duties', 'mesh-1');
        assert.equal(await fleet.lease('duties', 'mesh-2', 10_000), true);
      });

      it('is told of to who only asks, while it lasts', async () => {
        assert.equal(await fleet.holder('duties'), undefined);
        await fleet.lease('duties', 'mesh-1', 10_000);
        await fleet.lease('other', 'mesh-2', 10_000);
        assert.equal(await fleet.holder('duties'), 'mesh-1');
        await opened.pass(10_001);
        assert.equal(await fleet.holder('duties'), undefined);
        await fleet.lease('duties', 'mesh-1', 10_000);
        await fleet.release('duties', 'mesh-1');
        assert.equal(await fleet.holder('duties'), undefined);
      });

      it('goes to one of many who want it', async () => {
        const holders = Array.from({ length: 20 }, (_, index) => `mesh-${index}`);
        for (let round = 0; round < 5; round += 1) {
          const taken = await Promise.all(holders.map((holder) => fleet.lease('duties', holder, 60_000)));
          assert.equal(taken.filter(Boolean).length, 1);
          await fleet.release('duties', holders[taken.indexOf(true)] ?? '');
        }
      });
    });

    describe('servers', () => {
      it('are those that beat, with the time since, until they leave', async () => {
        assert.deepEqual(await fleet.servers(), []);
        await fleet.beat({ name: 'mesh-2', url: 'wss://10.0.0.2:9300' });
        await fleet.beat({ name: 'mesh-1', url: 'wss://10.0.0.1:9300' });
        await opened.pass(60_000);
        await fleet.beat({ name: 'mesh-2', url: 'wss://10.0.0.9:9300' });
        const [first, second, ...more] = await fleet.servers();
        assert.deepEqual(more, []);
        assert.deepEqual([first?.name, second?.name], ['mesh-1', 'mesh-2']);
        assert.deepEqual([first?.url, second?.url], ['wss://10.0.0.1:9300', 'wss://10.0.0.9:9300']);
        assert.ok((first?.silentMs ?? 0) >= 60_000);
        assert.ok((second?.silentMs ?? -1) >= 0 && (second?.silentMs ?? 60_000) < 60_000);
        await fleet.leave('mesh-1');
        await fleet.leave('unknown');
        assert.deepEqual(
          (await fleet.servers()).map(({ name }) => name),
          ['mesh-2'],
        );
      });
    });

    alertsContract(() => fleet);
  });
}
