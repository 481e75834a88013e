import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { scratchFolder } from '../support/scratch.ts';
import { ACT, rolloutContract } from './contract-rollout.ts';

rolloutContract('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'procmesh-rollout-'));
  const store = await openSqliteStore(join(folder, 'store.db'));
  return {
    fleet: store.fleet,
    rollouts: store.rollouts,
    close: async () => {
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
});

describe('rollouts in sqlite', () => {
  it('lets one of two processes that share a file release the next', async (t) => {
    const file = join(scratchFolder(t), 'store.db');
    const stores = [await openSqliteStore(file), await openSqliteStore(file)];
    t.after(() => Promise.all(stores.map((store) => store.close())));
    let after = 0;
    for (let round = 0; round < 50; round += 1) {
      const acts = await Promise.all(stores.map(({ rollouts }) => rollouts.release(ACT, after)));
      const made = acts.filter((act) => act !== undefined);
      assert.equal(made.length, 1);
      after = made[0]?.serial ?? 0;
    }
  });

  it('leaves out rows of an older schema, whose ids are not given again', async (t) => {
    const file = join(scratchFolder(t), 'store.db');
    const store = await openSqliteStore(file);
    t.after(() => store.close());
    const { rollouts } = store;
    const hand = new DatabaseSync(file);
    hand.exec("INSERT INTO tb_monitor_version (id, version, a_time) VALUES (7, '0.1.0', 1000)");
    hand.close();
    assert.deepEqual(await rollouts.rollouts(10), []);
    assert.equal((await rollouts.release(ACT, 0))?.serial, 8);
    assert.equal(await rollouts.release(ACT, 7), undefined);
    assert.equal(await rollouts.advance(7, ACT, { state: 'done', wave: 3 }), false);
  });

  it('finishes what was asked before it is closed, and rejects what is asked later', async (t) => {
    const file = join(scratchFolder(t), 'store.db');
    const store = await openSqliteStore(file);
    const names = Array.from({ length: 2_500 }, (_, index) => `host-${index}`);
    const asked = [store.rollouts.want(names, 1), ...names.map((name) => store.rollouts.noteUpgrade(name, 1, 'done'))];
    await store.close();
    await Promise.all(asked);
    await assert.rejects(store.rollouts.rollouts(1), { name: 'Problem', code: 'ERR_STORE_CLOSED' });
    await assert.rejects(store.rollouts.noteUpgrade('a', 1, 'done'), { code: 'ERR_STORE_CLOSED' });
    const db = new DatabaseSync(file);
    t.after(() => db.close());
    assert.equal(db.prepare("SELECT count(*) AS n FROM tb_monitor_host_detail WHERE upgrade = 'done'").get()?.n, 2_500);
  });
});
