import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type FleetHost, type FleetStore, ISTATE } from '../../src/store/fleet.ts';
import type { Rollout, RolloutStore } from '../../src/store/rollout.ts';

export interface OpenedRollouts {
  fleet: FleetStore;
  rollouts: RolloutStore;
  close: () => Promise<void>;
}

export const ACT: Omit<Rollout, 'serial' | 'releasedMs'> = {
  ...{ version: '0.2.0', hash: 'a'.repeat(64), state: 'running', wave: 0 },
};

/** What every store does about releases, and the one that tests use. */
export function rolloutContract(adapter: string, openEmpty: () => Promise<OpenedRollouts>): void {
  describe(`rollout contract, ${adapter}`, () => {
    let opened: OpenedRollouts;
    let fleet: FleetStore;
    let store: RolloutStore;
    beforeEach(async () => {
      opened = await openEmpty();
      ({ fleet, rollouts: store } = opened);
    });
    afterEach(() => opened.close());

    const released = async (act: Partial<Rollout> = {}): Promise<Rollout> => {
      const [newest] = await store.rollouts(1);
      const made = await store.release({ ...ACT, ...act }, newest?.serial ?? 0);
      assert.ok(made);
      return made;
    };
    const host = async (rshost: string): Promise<FleetHost | undefined> =>
      (await fleet.hosts()).find((row) => row.rshost === rshost);

    describe('an act of releasing', () => {
      it('is what was recorded, now, with a serial of its own', async () => {
        assert.deepEqual(await store.rollouts(10), []);
        const beforeMs = Math.floor(Date.now() / 1000) * 1000;
        const act = await store.release({ ...ACT, reason: 'back from "0.3.0" 企业' }, 0);
        assert.ok(act !== undefined && act.serial >= 1);
        assert.ok(act.releasedMs >= beforeMs && act.releasedMs <= Date.now() && act.releasedMs % 1000 === 0);
        const { serial, releasedMs, ...rest } = act;
        assert.deepEqual(rest, { ...ACT, reason: 'back from "0.3.0" 企业' });
        assert.deepEqual(await store.rollouts(10), [act]);
      });

      it('has a higher serial than all before it, though it releases the same', async () => {
        const acts = [await released(), await released({ state: 'done', wave: 3 }), await released()];
        const serials = acts.map(({ serial }) => serial);
        assert.deepEqual(
          serials,
          [...new Set(serials)].sort((a, b) => a - b),
        );
        assert.deepEqual(await store.rollouts(10), acts.toReversed());
        assert.deepEqual(await store.rollouts(2), acts.toReversed().slice(0, 2));
      });

      it('is none when another one came in between', async () => {
        const first = await released();
        assert.equal(await store.release(ACT, 0), undefined);
        assert.equal(await store.release(ACT, first.serial + 1), undefined);
        assert.ok(await store.release(ACT, first.serial));
        assert.equal(await store.release(ACT, first.serial), undefined);
        assert.equal((await store.rollouts(10)).length, 2);
      });

      it('is of one of many who release at the same time', async () => {
        let after = 0;
        for (let round = 0; round < 5; round += 1) {
          const acts = await Promise.all(Array.from({ length: 8 }, () => store.release(ACT, after)));
          const made = acts.filter((act) => act !== undefined);
          assert.equal(made.length, 1);
          after = made[0]?.serial ?? 0;
        }
        assert.equal((await store.rollouts(100)).length, 5);
      });
    });

    describe('what becomes of an act', () => {
      it('changes only from the state and wave that it is in', async () => {
        const { serial } = await released();
        const to = { state: 'running', wave: 1 } as const;
        assert.equal(await store.advance(serial, { state: 'paused', wave: 0 }, to), false);
        assert.equal(await store.advance(serial, { state: 'running', wave: 1 }, to), false);
        assert.equal(await store.advance(serial + 1, ACT, to), false);
        assert.equal(await store.advance(serial, ACT, to), true);
        assert.equal(await store.advance(serial, ACT, to), false);
        assert.deepEqual(
          (await store.rollouts(1)).map(({ state, wave }) => [state, wave]),
          [['running', 1]],
        );
        // Rows that match count, whether or not they change.
        assert.equal(await store.advance(serial, to, to), true);
      });

      it('leaves the others, and its reason unless one is given', async () => {
        const first = await released({ reason: 'rolled back' });
        const second = await released();
        const running = { state: 'running', wave: 0 } as const;
        await store.advance(first.serial, running, { state: 'running', wave: 1 });
        assert.deepEqual((await store.rollouts(2))[1], { ...first, wave: 1 });
        await store.advance(first.serial, { ...running, wave: 1 }, { state: 'halted', wave: 1, reason: 'db7 died' });
        assert.deepEqual((await store.rollouts(2))[1], { ...first, state: 'halted', wave: 1, reason: 'db7 died' });
        await store.advance(first.serial, { state: 'halted', wave: 1 }, { state: 'done', wave: 3, reason: undefined });
        const { reason: _, ...rest } = first;
        assert.deepEqual(await store.rollouts(2), [second, { ...rest, state: 'done', wave: 3 }]);
      });

      it('is decided by one of many who would change it', async () => {
        const { serial } = await released();
        const changes = Array.from({ length: 8 }, () => store.advance(serial, ACT, { state: 'running', wave: 1 }));
        assert.equal((await Promise.all(changes)).filter(Boolean).length, 1);
      });
    });

    describe('how far a host is', () => {
      it('is noted with the release that it is to run, and forgotten with the next', async () => {
        await fleet.list(['a', 'b'], ISTATE.running);
        await fleet.note('a', { tokenGeneration: 3 });
        await store.want(['a'], 7);
        const wanted = { rshost: 'a', istate: 2, tokenGeneration: 3, wanted: 7 };
        assert.deepEqual(await fleet.hosts(), [wanted, { rshost: 'b', istate: 2 }]);
        await store.noteUpgrade('a', 7, 'receiving');
        assert.deepEqual(await host('a'), { ...wanted, upgrade: 'receiving' });
        await store.noteUpgrade('a', 7, 'failed', 'no room on its disk 企业');
        assert.deepEqual(await host('a'), {
          ...{ ...wanted, upgrade: 'failed', upgradeFailure: 'no room on its disk 企业' },
        });
        await store.noteUpgrade('a', 7, 'waiting');
        assert.deepEqual(await host('a'), { ...wanted, upgrade: 'waiting' });
        await store.noteUpgrade('a', 7, 'failed', 'again');
        await store.want(['a', 'b'], 8);
        assert.deepEqual(await fleet.hosts(), [
          { ...wanted, wanted: 8 },
          { rshost: 'b', istate: 2, wanted: 8 },
        ]);
      });

      it('stays when the same release is wanted again', async () => {
        await fleet.list(['a', 'b'], ISTATE.running);
        await store.want(['a'], 7);
        await store.noteUpgrade('a', 7, 'failed', 'it died');
        await store.want(['b', 'a'], 7);
        const { wanted, upgrade, upgradeFailure } = (await host('a')) ?? {};
        assert.deepEqual([wanted, upgrade, upgradeFailure], [7, 'failed', 'it died']);
      });

      it('is ignored of a release that it is not to run any more, or never was', async () => {
        await fleet.list(['a', 'b'], ISTATE.running);
        await store.want(['a'], 8);
        await store.noteUpgrade('a', 7, 'failed', 'late');
        await store.noteUpgrade('b', 7, 'failed', 'never');
        await store.noteUpgrade('nobody', 7, 'failed', 'never');
        assert.deepEqual(await fleet.hosts(), [
          { rshost: 'a', istate: 2, wanted: 8 },
          { rshost: 'b', istate: 2 },
        ]);
      });

      it('is the last that was noted of those noted at once', async () => {
        await fleet.list(['a'], ISTATE.running);
        await store.want(['a'], 7);
        await Promise.all([
          store.noteUpgrade('a', 7, 'receiving'),
          store.noteUpgrade('a', 7, 'failed', 'it died'),
          store.noteUpgrade('a', 6, 'waiting'),
          store.noteUpgrade('a', 7, 'testing'),
          store.noteUpgrade('a', 7, 'trial'),
        ]);
        const { upgrade, upgradeFailure } = (await host('a')) ?? {};
        assert.deepEqual([upgrade, upgradeFailure], ['trial', undefined]);
      });

      it('may be of one of thousands', async () => {
        const names = Array.from({ length: 2_500 }, (_, index) => `host-${index}`);
        await fleet.list(names, ISTATE.running);
        await store.want([], 6);
        await store.want(names, 7);
        await Promise.all(
          names.map((name, index) => store.noteUpgrade(name, index % 2 ? 7 : 6, 'failed', `of ${name}`)),
        );
        const hosts = await fleet.hosts();
        assert.ok(hosts.every(({ wanted }) => wanted === 7));
        assert.deepEqual(
          hosts.map(({ upgradeFailure }) => upgradeFailure),
          names.map((name, index) => (index % 2 ? `of ${name}` : undefined)),
        );
      });
    });
  });
}
