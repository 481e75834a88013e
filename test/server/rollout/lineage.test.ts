import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lastDone } from '../../../src/server/rollout/lineage.ts';
import { A, B, BEFORE, C, rollout } from './fixture.ts';

describe('what all hosts had', { timeout: 30_000 }, () => {
  it('is the newest release that was done and the other one before it, whatever halted since', () => {
    const done = { state: 'done', wave: 3 } as const;
    const halted = rollout({ serial: 5, hash: C, state: 'halted' });
    const again = rollout({ serial: 4, hash: B, ...done });
    assert.deepEqual(lastDone([halted, again, rollout({ serial: 3, hash: B, ...done }), BEFORE]), [B, A]);
    assert.deepEqual(lastDone([rollout({ serial: 6, hash: C, ...done }), halted, again, BEFORE]), [C, B]);
    assert.deepEqual(lastDone([rollout()]), []);
  });
});
