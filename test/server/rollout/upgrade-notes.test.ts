import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { UpgradeNotes } from '../../../src/server/rollout/upgrade-notes.ts';
import { FakeFleet } from '../../support/fake-fleet.ts';
import { FakeRollouts } from '../../support/fake-rollouts.ts';
import { listed } from './fixture.ts';

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

function opened(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const fleet = new FakeFleet();
  fleet.rows.push(listed('db-1', { wanted: 2, upgrade: undefined }));
  const store = new FakeRollouts(fleet);
  const written: string[] = [];
  const note = store.noteUpgrade.bind(store);
  store.noteUpgrade = async (...args) => {
    await note(...args);
    written.push(args.slice(2).join(' ').trim());
  };
  let readings = 0;
  const refresh = async (): Promise<void> => {
    readings += 1;
  };
  const troubles: string[] = [];
  const notes = new UpgradeNotes({ store, refresh, onTrouble: ({ message }) => troubles.push(message) });
  t.after(() => notes.stop());
  return { fleet, notes, written, troubles, readings: () => readings };
}

describe('notes of upgrades', { timeout: 30_000 }, () => {
  it('are written once each, and read back soon, together', async (t) => {
    const { notes, written, readings } = opened(t);
    for (let times = 0; times < 3; times += 1) notes.note('db-1', { serial: 2, phase: 'receiving' });
    await settled();
    notes.note('db-1', { serial: 2, phase: 'failed', reason: 'bad' });
    await settled();
    assert.deepEqual(written, ['receiving', 'failed bad']);
    assert.equal(readings(), 0);
    t.mock.timers.tick(200);
    assert.equal(readings(), 1);
    assert.deepEqual(notes.last('db-1'), { serial: 2, phase: 'failed', reason: 'bad' });
  });

  it('wait while the store is away, of each host the newest, and trouble is told once', async (t) => {
    const { fleet, notes, written, troubles } = opened(t);
    fleet.onCall = () => Promise.reject(new Error('it is away'));
    notes.note('db-1', { serial: 2, phase: 'receiving' });
    await settled();
    notes.note('db-1', { serial: 2, phase: 'testing' });
    t.mock.timers.tick(1_000);
    await settled();
    notes.note('db-1', { serial: 2, phase: 'trial' });
    fleet.onCall = async () => undefined;
    t.mock.timers.tick(1_000);
    await settled();
    assert.deepEqual([written, troubles], [['trial'], ['it is away']]);
  });

  it('are written again after another server may have noted something else', async (t) => {
    const { notes, written } = opened(t);
    notes.note('db-1', { serial: 2, phase: 'receiving' });
    await settled();
    notes.forget('db-1');
    assert.equal(notes.last('db-1'), undefined);
    notes.note('db-1', { serial: 2, phase: 'receiving' });
    await settled();
    assert.deepEqual(written, ['receiving', 'receiving']);
  });

  it('are not forgotten before they are written', async (t) => {
    const { fleet, notes, written } = opened(t);
    fleet.onCall = () => Promise.reject(new Error('it is away'));
    notes.note('db-1', { serial: 2, phase: 'failed', reason: 'bad' });
    await settled();
    notes.forget('db-1');
    fleet.onCall = async () => undefined;
    t.mock.timers.tick(1_000);
    await settled();
    assert.deepEqual(written, ['failed bad']);
  });
});
