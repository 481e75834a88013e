import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeReleases } from '../../../src/server/alert/release-rule.ts';
import type { FleetHost } from '../../../src/store/fleet.ts';
import type { Rollout } from '../../../src/store/rollout.ts';
import { A, BEFORE, C, listed, rollout } from '../rollout/fixture.ts';

/** `+` well, `!` to be alerted. */
function judged(acts: Rollout[], hosts: FleetHost[] = []): string[] {
  const verdicts = judgeReleases(acts, hosts, 'procmesh');
  return verdicts.map(({ host, isWell, text }) => `${isWell ? '+' : '!'} ${host} ${text}`);
}

const HALTED = rollout({ state: 'halted', wave: 2, reason: 'db-07: it crashed' });
const BACK = rollout({ serial: 3, version: '1.2', hash: A, reason: 'release 1.3 halted at db-07: it crashed' });

describe('release rule', { timeout: 30_000 }, () => {
  it('has nothing to say while nothing was released, or all goes well', () => {
    assert.deepEqual(judged([]), []);
    assert.deepEqual(judged([rollout({ wave: 2 }), BEFORE]), []);
    assert.deepEqual(judged([rollout({ state: 'paused' }), BEFORE]), []);
  });

  it('alerts a rollout that is halted, with the host, the reason and what becomes of the others', () => {
    assert.deepEqual(judged([HALTED, BEFORE]), [
      '! procmesh release 1.3 halted at db-07: it crashed; all others stay on 1.2',
    ]);
    assert.deepEqual(judged([HALTED]), ['! procmesh release 1.3 halted at db-07: it crashed']);
    assert.deepEqual(judged([BACK, HALTED, BEFORE]), [
      '! procmesh release 1.3 halted at db-07: it crashed; all go back to 1.2',
    ]);
    const [first, second] = [judgeReleases([HALTED, BEFORE], [], 'x'), judgeReleases([BACK, HALTED, BEFORE], [], 'x')];
    assert.equal(first[0]?.reason, second[0]?.reason, 'it is one word');
    const [third] = judgeReleases([{ ...HALTED, serial: 3, version: '1.4', hash: C }, HALTED, BEFORE], [], 'x');
    assert.notEqual(third?.reason, first[0]?.reason, 'it is another release that fails for the same reason');
    assert.equal(third?.isOfAct, true);
  });

  it('recovers when another one is done, or all are back', () => {
    const done = { ...BACK, state: 'done' as const };
    assert.deepEqual(judged([done, HALTED, BEFORE]), ['+ procmesh release 1.2 is on all hosts']);
  });

  it('does not alert what an operator did', () => {
    const rolledBack = { ...BACK, reason: 'an operator rolled release 1.3 back' };
    assert.deepEqual(judged([rolledBack, rollout({ wave: 2 }), BEFORE]), []);
  });

  it('alerts a host that cannot follow the others, and tells when it has', () => {
    const failed = listed('db-07', { wanted: 2, upgrade: 'failed', upgradeFailure: 'the disk is full' });
    const done = [rollout({ state: 'done' }), BEFORE];
    assert.deepEqual(judged(done, [failed]).slice(1), ['! db-07 could not get release 1.3: the disk is full']);
    assert.deepEqual(judged(done, [{ ...failed, upgrade: 'done' }]).slice(1), ['+ db-07 runs release 1.3']);
    assert.deepEqual(judged([rollout({ wave: 2 }), BEFORE], [failed]), []);
    const inReturn = judged([BACK, HALTED, BEFORE], [{ ...failed, wanted: 3 }]);
    assert.deepEqual(inReturn.slice(1), ['! db-07 could not get release 1.2: the disk is full']);
  });
});
