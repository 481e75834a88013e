import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { PhaseNotes } from '../../src/server/phase-notes.ts';
import type { HostDetail } from '../../src/store/fleet.ts';
import { FakeFleet } from '../support/fake-fleet.ts';

/** Notes on one host, of which every one that is written is kept. */
function opened(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const fleet = new FakeFleet();
  fleet.rows.push({ rshost: 'web-1', istate: 1 });
  const written: HostDetail[] = [];
  const note = fleet.note.bind(fleet);
  fleet.note = async (rshost, detail) => {
    await note(rshost, detail);
    written.push(detail);
  };
  const pass = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { fleet, written, pass, notes: new PhaseNotes(fleet, 'web-1') };
}

describe('phase notes', { timeout: 30_000 }, () => {
  it('write the first phase at once, and of those that follow within half a second the last one', async (t) => {
    const { notes, written, pass } = opened(t);
    for (const phase of ['connecting', 'looking', 'copying']) notes.note({ phase });
    await pass(499);
    assert.deepEqual(written, [{ phase: 'connecting' }]);
    await pass(1);
    assert.deepEqual(written, [{ phase: 'connecting' }, { phase: 'copying' }]);
    await pass(500);
    notes.note({ phase: 'starting' });
    await pass(0);
    assert.equal(written.length, 3);
  });

  it('write what ends the work after everything else, with what was not written yet', async (t) => {
    const { fleet, notes, written, pass } = opened(t);
    const held = Promise.withResolvers<void>();
    fleet.onCall = () => held.promise;
    notes.note({ phase: 'connecting' });
    notes.note({ phase: 'copying', isDeployed: true });
    const ended = notes.end({ phase: undefined, failure: 'no route' });
    await pass(0);
    fleet.onCall = async () => undefined;
    held.resolve();
    await ended;
    assert.deepEqual(written, [{ phase: 'connecting' }, { phase: undefined, isDeployed: true, failure: 'no route' }]);
    await pass(1_000);
    assert.equal(written.length, 2);
  });

  it('try again, until the end, what the store did not take, and reject an end that it does not take', async (t) => {
    const { fleet, notes, written, pass } = opened(t);
    fleet.onCall = () => Promise.reject(new Error('away'));
    notes.note({ phase: 'copying', isDeployed: true });
    await pass(0);
    await assert.rejects(notes.end({ failure: 'no route' }), /away/);
    notes.note({ phase: 'starting', isDeployed: true });
    await pass(0);
    fleet.onCall = async () => undefined;
    await pass(500);
    assert.deepEqual(written, [{ phase: 'starting', isDeployed: true }]);
  });
});
