import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Alert, FleetStore } from '../../src/store/fleet.ts';
import { T0 } from './sample.ts';

function alertAt(second: number, fields: Partial<Alert> = {}): Alert {
  return { host: 'a', kind: 'cpu', istate: 1, remarks: 'CPU at 95 %', atMs: T0 + second * 1000, ...fields };
}

/** What every store of a fleet does with alerts; the one that is open, and empty, when each test begins. */
export function alertsContract(opened: () => FleetStore): void {
  describe('alerts', () => {
    let fleet: FleetStore;
    beforeEach(() => {
      fleet = opened();
    });

    it('are kept once for a host, kind and second, and the first stays', async () => {
      const first = alertAt(0, { remarks: "o'brien's job 🐬" });
      assert.equal(await fleet.alert(first), true);
      assert.equal(await fleet.alert(alertAt(0, { istate: 0, remarks: 'later' })), false);
      assert.deepEqual(await fleet.unsentAlerts(0, 10), [first]);
      const others = [alertAt(1), alertAt(0, { kind: 'mem' }), alertAt(0, { host: 'b' })];
      for (const other of others) assert.equal(await fleet.alert(other), true);
      assert.equal((await fleet.unsentAlerts(0, 10)).length, 4);
    });

    it('let one of many be the first', async () => {
      const told = await Promise.all(Array.from({ length: 10 }, () => fleet.alert(alertAt(0))));
      assert.equal(told.filter(Boolean).length, 1);
    });

    it('tell the last word on each host and kind since then, by time', async () => {
      const words = [
        alertAt(0, { host: 'z' }),
        alertAt(30, { host: 'b', istate: 0, remarks: 'it is back' }),
        alertAt(10),
        alertAt(20, { istate: 0, remarks: 'CPU at 20 %' }),
        alertAt(15, { kind: 'offline' }),
        alertAt(25, { host: 'b' }),
      ];
      for (const word of words) await fleet.alert(word);
      const since = async (second: number): Promise<unknown[]> =>
        (await fleet.lastAlerts(T0 + second * 1000)).map(({ host, kind, istate, atMs }) => [
          host,
          kind,
          istate,
          (atMs - T0) / 1000,
        ]);
      assert.deepEqual(await since(0), [
        ['z', 'cpu', 1, 0],
        ['a', 'offline', 1, 15],
        ['a', 'cpu', 0, 20],
        ['b', 'cpu', 0, 30],
      ]);
      assert.deepEqual(await since(15), [
        ['a', 'offline', 1, 15],
        ['a', 'cpu', 0, 20],
        ['b', 'cpu', 0, 30],
      ]);
      assert.deepEqual(await fleet.lastAlerts(T0 + 30_000), [words[1]]);
      assert.deepEqual(await fleet.lastAlerts(T0 + 30_001), []);
    });

    it('are to be sent, the oldest first, until they were', async () => {
      const all = [3, 0, 2, 1].map((second) => alertAt(second));
      for (const one of all) await fleet.alert(one);
      const seconds = (alerts: Alert[]): number[] => alerts.map(({ atMs }) => (atMs - T0) / 1000);
      assert.deepEqual(seconds(await fleet.unsentAlerts(T0, 3)), [0, 1, 2]);
      assert.deepEqual(seconds(await fleet.unsentAlerts(T0 + 2_000, 3)), [2, 3]);
      await fleet.sent([alertAt(1), alertAt(0), alertAt(3, { kind: 'mem' })]);
      await fleet.sent([]);
      assert.deepEqual(seconds(await fleet.unsentAlerts(T0, 3)), [2, 3]);
      assert.equal(await fleet.alert(alertAt(1)), false);
      assert.deepEqual(seconds(await fleet.unsentAlerts(T0, 3)), [2, 3]);
      assert.equal((await fleet.lastAlerts(T0)).length, 1);
    });

    it('may be sent by the hundred', async () => {
      const all = Array.from({ length: 250 }, (_, second) => alertAt(second));
      for (const one of all) await fleet.alert(one);
      await fleet.sent(all.slice(0, 249));
      assert.deepEqual(await fleet.unsentAlerts(T0, 1_000), all.slice(249));
    });
  });
}
