import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { missing } from '../../support/requirements.ts';
import { until } from '../../support/test-host/test-host.ts';
import { assertTakenBack, ended, Launched, NEW, OLD, SHELLS } from './launched.ts';

/** What takes a release back, in this order. */
const STEPS = ['rm', 'ln', 'mv', 'mv', 'sync', 'rm'];
/** With this one it is written why. */
const SAID = 4;
const CUT_SHORT = 'its trial was cut short, as launcher or machine stopped';
const BROKE = 'it ended with 1: Error: it broke';

before(() => {
  const wanted = missing(['busybox']);
  if (wanted !== undefined) throw new Error(wanted);
});

for (const shell of SHELLS) {
  describe(`what is left of a trial in ${shell}`, { timeout: 120_000 }, () => {
    /** Every change that the launcher makes is noted, and may be its last. */
    const observe = (launched: Launched): void => {
      for (const name of new Set(STEPS))
        launched.program(
          name,
          `PATH=/usr/bin:/bin
          real='${shell === 'busybox' ? 'busybox ' : ''}${name}'
          echo ${name} >>data/calls
          now=$(cat data/calls | wc -l)
          if [ "before $now" = "$(cat data/kill)" ]; then kill -9 $PPID; exit 1; fi
          $real "$@"
          status=$?
          if [ "after $now" = "$(cat data/kill)" ]; then kill -9 $PPID; fi
          exit $status`,
        );
      launched.write('data/kill', 'never');
      launched.agent(NEW, "throw new Error('it broke')");
    };

    it('is taken back in steps', async (t) => {
      const launched = new Launched(t, shell);
      observe(launched);
      launched.start();
      await launched.started(1);
      launched.upgrade();
      await assertTakenBack(launched, BROKE, [OLD, NEW, OLD]);
      assert.deepEqual(launched.read('data/calls').trim().split('\n'), STEPS);
    });

    for (const [index, name] of STEPS.entries())
      for (const when of ['before', 'after'] as const) {
        const step = index + 1;
        it(`is taken back when the launcher is killed ${when} step ${step}, ${name}`, async (t) => {
          const launched = new Launched(t, shell);
          observe(launched);
          launched.write('data/kill', `${when} ${step}`);
          const launcher = launched.start();
          await launched.started(1);
          launched.upgrade();
          assert.equal(await ended(launcher), 'SIGKILL');
          launched.write('data/kill', 'never');
          launched.start();
          const isSaid = step > SAID || (step === SAID && when === 'after');
          await assertTakenBack(launched, isSaid ? BROKE : CUT_SHORT, [OLD, NEW, OLD]);
          assert.equal(existsSync(launched.at('data/failed.partial')), false);
        });
      }

    for (const killed of ['everything', 'the launcher'] as const) {
      for (const step of ['trial', 'flip'] as const)
        it(`is taken back when ${killed} is killed after the agent's ${step}`, async (t) => {
          const launched = new Launched(t, shell);
          launched.write('data/until', step);
          const launcher = launched.start();
          const first = await launched.started(1);
          launched.upgrade();
          await until(() => launched.read('data/told') === `${step} `);
          if (killed === 'everything') await launched.killAll();
          else launcher.kill('SIGKILL');
          await ended(launcher);
          launched.start();
          await assertTakenBack(launched, CUT_SHORT, [OLD, OLD]);
          assert.equal(launched.pids.includes(first), false);
        });

      it(`is taken back when ${killed} is killed while the new release runs`, async (t) => {
        const launched = new Launched(t, shell);
        launched.program('sleep', 'echo >data/counts; while [ ! -e data/late ]; do tail -c 1 /dev/null; done');
        const launcher = launched.start();
        const first = await launched.started(1);
        launched.upgrade();
        await launched.started(2);
        await until(() => existsSync(launched.at('data/counts')));
        if (killed === 'everything') await launched.killAll();
        else launcher.kill('SIGKILL');
        await ended(launcher);
        launched.program('sleep', 'exec /bin/busybox sleep "$@"');
        launched.start();
        await assertTakenBack(launched, CUT_SHORT, [OLD, NEW, OLD]);
        assert.equal(launched.pids.includes(first), false);
        // What counted the time for the launcher that was killed has nothing to kill any more.
        launched.write('data/late', '');
        await until(() => launched.pids.length === 2);
        assert.equal(launched.pids.includes(launched.starts[2]?.[1] ?? 0), true);
      });
    }

    it('is nothing when everything is killed before the trial', async (t) => {
      const launched = new Launched(t, shell);
      const launcher = launched.start();
      await launched.started(1);
      await launched.killAll();
      await ended(launcher);
      launched.start();
      await launched.started(2);
      assert.deepEqual([launched.current, launched.read('data/failed')], [`releases/${OLD}`, '']);
    });
  });
}
