import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { scratchFolder } from '../support/scratch.ts';
import { fleetContract } from './contract-fleet.ts';
import { interval, T0 } from './sample.ts';

fleetContract('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'procmesh-fleet-'));
  const file = join(folder, 'store.db');
  const store = await openSqliteStore(file);
  const hand = new DatabaseSync(file);
  return {
    fleet: store.fleet,
    addByHand: (rshost, istate) =>
      void hand.prepare('INSERT INTO tb_monitor_host_config SELECT 0, ?, ?').run(rshost, istate),
    pass: (ms) =>
      hand.exec(`UPDATE tb_monitor_lease SET expires = expires - ${ms}; UPDATE tb_monitor_server SET beat = beat - ${ms};
        UPDATE tb_monitor_host_detail SET disconnected = disconnected - ${ms};`),
    close: async () => {
      hand.close();
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
});

describe('fleet in sqlite', () => {
  it('lets one of two processes that share a file hold a lease', async (t) => {
    const file = join(scratchFolder(t), 'store.db');
    const stores = [await openSqliteStore(file), await openSqliteStore(file)];
    t.after(() => Promise.all(stores.map((store) => store.close())));
    for (let round = 0; round < 50; round += 1) {
      const taken = await Promise.all(
        stores.map(({ fleet }, index) => fleet.lease(`duty-${round}`, `${index}`, 60_000)),
      );
      assert.equal(taken.filter(Boolean).length, 1);
    }
  });

  it('forgets alerts as old as the history that goes', async (t) => {
    const store = await openSqliteStore(join(scratchFolder(t), 'store.db'));
    t.after(() => store.close());
    await store.write([{ host: 'a', interval: interval(0) }]);
    for (const atMs of [T0 - 1_000, T0])
      await store.fleet.alert({ host: 'a', kind: 'cpu', istate: 1, remarks: '', atMs });
    assert.equal(await store.prune(T0, 1_000), 1);
    assert.deepEqual(
      (await store.fleet.lastAlerts(0)).map(({ atMs }) => atMs),
      [T0],
    );
  });

  it('finishes what was asked before it is closed, and rejects what is asked later', async (t) => {
    const store = await openSqliteStore(join(scratchFolder(t), 'store.db'));
    const names = Array.from({ length: 2_500 }, (_, index) => `host-${index}`);
    const asked = names.map((name) => store.fleet.connected(name, 'mesh-1', '0.1.0'));
    asked.push(store.fleet.beat({ name: 'mesh-1', url: '' }));
    await store.close();
    await Promise.all(asked);
    await assert.rejects(store.fleet.hosts(), { name: 'Problem', code: 'ERR_STORE_CLOSED' });
    await assert.rejects(store.fleet.disconnected('a', 'mesh-1'), { code: 'ERR_STORE_CLOSED' });
  });
});
