import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Retention } from '../../src/server/retention.ts';
import { FakeStore } from '../support/fake-store.ts';

const NOW = Date.UTC(2026, 10, 23);
const DAY_MS = 86_400_000;
const CHECK_MS = 600_000;

/** Retention of 30 days over a store from which so many rows are deleted, step by step. */
function opened(t: TestContext, ...deleted: (number | Error)[]) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: NOW });
  const store = new FakeStore();
  store.onPrune = async () => {
    const next = deleted.shift() ?? 0;
    if (next instanceof Error) throw next;
    return next;
  };
  const troubles: string[] = [];
  const retention = new Retention({ store, keepMs: 30 * DAY_MS, onTrouble: ({ message }) => troubles.push(message) });
  /** Lets time pass, and a step that is due end. */
  const pass = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { store, retention, troubles, pass };
}

describe('retention', { timeout: 30_000 }, () => {
  it('begins soon after the start, with what is older than it is kept, in small steps', async (t) => {
    const { store, retention, pass } = opened(t);
    retention.start();
    assert.deepEqual(store.pruned, []);
    await pass(50);
    assert.deepEqual(store.pruned, [{ beforeMs: NOW + 50 - 30 * DAY_MS, maxRows: 2_000 }]);
  });

  it('takes a breath between steps, and rests when nothing is left', async (t) => {
    const { store, retention, pass } = opened(t, 2_000, 2_000, 7);
    retention.start();
    for (let step = 1; step <= 4; step += 1) {
      await pass(49);
      assert.equal(store.pruned.length, step - 1);
      await pass(1);
      assert.equal(store.pruned.length, step);
    }
    await pass(CHECK_MS - 1);
    assert.equal(store.pruned.length, 4);
    await pass(1);
    assert.equal(store.pruned.length, 5);
  });

  it('tells of a failure, and tries again later', async (t) => {
    const { store, retention, troubles, pass } = opened(t, new Error('the disk is full'));
    retention.start();
    await pass(50);
    assert.deepEqual(troubles, ['the disk is full']);
    await pass(CHECK_MS);
    assert.equal(store.pruned.length, 2);
  });

  it('does nothing after it was stopped, also in the middle of a step', async (t) => {
    const { store, retention, pass } = opened(t);
    const held = Promise.withResolvers<number>();
    store.onPrune = () => held.promise;
    retention.start();
    await pass(50);
    retention.stop();
    held.resolve(2_000);
    await pass(0);
    await pass(CHECK_MS);
    assert.equal(store.pruned.length, 1);
  });

  it('does nothing when it is stopped before the first step', async (t) => {
    const { store, retention, pass } = opened(t);
    retention.start();
    retention.stop();
    await pass(CHECK_MS);
    assert.deepEqual(store.pruned, []);
  });
});
