import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { missing } from '../../support/requirements.ts';
import { until } from '../../support/test-host/test-host.ts';
import { assertTakenBack, ended, Launched, NEW, OLD, SHELLS, TRIAL } from './launched.ts';

before(() => {
  const wanted = missing(['busybox']);
  if (wanted !== undefined) throw new Error(wanted);
});

for (const shell of SHELLS) {
  describe(`a launcher in ${shell}`, { timeout: 60_000 }, () => {
    it('is named in its file, and tells the agent so; told to end, it passes that on and ends when the agent has', async (t) => {
      const launched = new Launched(t, shell);
      launched.agent(OLD, "appendFileSync('data/parent', process.env.PROCMESH_LAUNCHER + ' ' + process.execArgv)");
      const launcher = launched.start();
      await launched.started(1);
      assert.equal(launched.read('data/launcher.pid'), `${launcher.pid}\n`);
      await until(() => launched.read('data/parent') !== '');
      assert.equal(launched.read('data/parent'), `${launcher.pid} --max-semi-space-size=1,--no-opt`);
      launcher.kill('SIGTERM');
      assert.equal(await ended(launcher), 0);
      assert.deepEqual(launched.pids, []);
      assert.equal(existsSync(launched.at('data/launcher.pid')), false);
    });

    it('waits for an agent that takes its time to end, whatever other signals come', async (t) => {
      const launched = new Launched(t, shell);
      launched.agent(
        OLD,
        "process.removeAllListeners('SIGTERM'); process.on('SIGTERM', () => { appendFileSync('data/told', 'x'); setInterval(() => existsSync('data/may-end') && process.exit(0), 10); });",
      );
      const launcher = launched.start();
      await launched.started(1);
      launcher.kill('SIGUSR1');
      launcher.kill('SIGTERM');
      await until(() => launched.read('data/told') === 'x');
      launcher.kill('SIGUSR1');
      launched.write('data/may-end', '');
      assert.equal(await ended(launcher), 0);
    });

    it('ends when the agent has ended as it was told to', async (t) => {
      const launched = new Launched(t, shell);
      const launcher = launched.start();
      process.kill(await launched.started(1), 'SIGTERM');
      assert.equal(await ended(launcher), 0);
      assert.equal(existsSync(launched.at('data/launcher.pid')), false);
      assert.equal(launched.starts.length, 1);
    });

    it('starts an agent again that dies, after 1, 2, 4 … 300 seconds, and says why it died', async (t) => {
      const launched = new Launched(t, shell);
      launched.program('sleep', 'case $1 in 0.1) ;; *) echo "$1" >>data/sleeps ;; esac');
      launched.agent(OLD, "if (!existsSync('data/mended')) throw new RangeError('it \\u001b[1mbroke')");
      launched.start();
      await until(() => launched.read('data/sleeps').split('\n').length > 11);
      launched.write('data/mended', '');
      const sleeps = launched.read('data/sleeps').split('\n').slice(0, 11).map(Number);
      assert.deepEqual(sleeps, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
      assert.equal(launched.read('data/ended'), 'it ended with 1: RangeError: it [1mbroke\n');
      assert.equal(existsSync(launched.at('data/failed')), false);
    });

    it('forgets how often an agent died that has lived for ten minutes', async (t) => {
      const launched = new Launched(t, shell);
      // The time is read from a file that the agents write.
      launched.write('launch', launched.read('launch').replaceAll('/proc/uptime', launched.at('data/uptime')));
      launched.write('data/uptime', '1000.5 3\n');
      launched.program('sleep', 'case $1 in 0.1) ;; *) echo "$1" >>data/sleeps ;; esac');
      launched.agent(
        OLD,
        `const deaths = readFileSync('data/starts', 'utf8').split('\\n').length;
        if (deaths === 5) writeFileSync('data/uptime', '1600.1 3\\n');
        if (deaths < 7) process.kill(process.pid, 'SIGKILL');`,
      );
      launched.start();
      await launched.started(6);
      assert.equal(launched.read('data/sleeps'), '1\n2\n4\n1\n2\n');
      assert.equal(launched.read('data/ended'), 'it was ended by SIGKILL\n');
    });

    it('ends at once when it is told so between two agents', async (t) => {
      const launched = new Launched(t, shell);
      launched.program('sleep', 'echo $$ >>data/sleeps; exec tail -f /dev/null');
      launched.agent(OLD, 'process.exit(3)');
      const launcher = launched.start();
      await until(() => launched.read('data/sleeps') !== '');
      launcher.kill('SIGUSR1');
      launcher.kill('SIGTERM');
      assert.equal(await ended(launcher), 0);
      assert.deepEqual(launched.pids, []);
      assert.equal(launched.read('data/ended'), 'it ended with 3\n');
    });

    const deaths: Record<string, [agent: string, reason: string]> = {
      'crashes at import': ['this is no program', "it ended with 1: SyntaxError: Unexpected identifier 'is'"],
      'throws an error with a cause and properties': [
        "throw Object.assign(new Error('x'.repeat(500), { cause: new Error('y') }), { code: 5 })",
        `it ended with 1: Error: ${'x'.repeat(293)}`,
      ],
      'crashes after a while': [
        "setTimeout(() => { console.error('it\\tbroke'); process.exit(70); }, 50)",
        'it ended with 70: it\tbroke',
      ],
      'is killed': ["process.kill(process.pid, 'SIGKILL')", 'it was ended by SIGKILL'],
      'ends as if it had been told to': ['process.exit(0)', 'it ended with 0'],
    };
    for (const [what, [agent, reason]] of Object.entries(deaths)) {
      it(`takes a release back at once that ${what}`, async (t) => {
        const launched = new Launched(t, shell);
        launched.program('sleep', 'case $1 in 0.1) ;; *) echo "$1" >>data/sleeps; exec tail -f /dev/null ;; esac');
        launched.agent(NEW, agent);
        launched.start();
        const first = await launched.started(1);
        launched.upgrade();
        const second = what === 'crashes at import' ? [] : [NEW];
        await assertTakenBack(launched, reason, [OLD, ...second, OLD]);
        // It was the same process until then.
        if (second.length > 0) assert.equal(launched.starts[1]?.[1], first);
        assert.match(launched.read('data/sleeps'), /^60\n$|^$/);
      });
    }

    it('takes a release back whose Node.js does not run', async (t) => {
      const launched = new Launched(t, shell);
      rmSync(launched.at(`releases/${NEW}/node`));
      launched.start();
      await launched.started(1);
      launched.upgrade();
      await assertTakenBack(launched, /^it (ended with 1|was ended by SIGABRT)/, [OLD, OLD]);
    });

    it('takes a release back that is not confirmed in time', async (t) => {
      const launched = new Launched(t, shell);
      launched.program('sleep', 'while [ ! -e data/late ]; do tail -c 1 /dev/null; done');
      launched.agent(NEW, "process.removeAllListeners('SIGTERM').on('SIGTERM', () => {}); console.error('still here')");
      launched.start();
      await launched.started(1);
      launched.upgrade();
      await launched.started(2);
      launched.write('data/late', '');
      await assertTakenBack(launched, 'it was not confirmed within 60 s', [OLD, NEW, OLD]);
    });

    it('leaves a release alone that was confirmed in time', async (t) => {
      const launched = new Launched(t, shell);
      launched.program('sleep', 'echo $$ >data/sleeper; while [ ! -e data/late ]; do tail -c 1 /dev/null; done');
      launched.start();
      const first = await launched.started(1);
      launched.upgrade();
      await launched.started(2);
      await until(() => launched.read('data/sleeper') !== '');
      rmSync(launched.at('data/trial'));
      launched.write('data/late', '');
      // Launcher and agent remain.
      await until(() => launched.pids.length === 2);
      assert.deepEqual(launched.starts, [
        [OLD, first],
        [NEW, first],
      ]);
      // From now on it is started again as any other.
      rmSync(launched.at('programs/sleep'));
      process.kill(first, 'SIGKILL');
      await launched.started(3);
      assert.deepEqual([launched.starts[2]?.[0], launched.read('data/failed')], [NEW, '']);
    });

    it('takes a release back at its next start when it was told to end in the trial', async (t) => {
      const launched = new Launched(t, shell);
      const launcher = launched.start();
      await launched.started(1);
      launched.upgrade();
      await launched.started(2);
      launcher.kill('SIGTERM');
      assert.equal(await ended(launcher), 0);
      await until(() => launched.pids.length === 0);
      launched.start();
      await assertTakenBack(launched, /^its trial was cut short/, [OLD, NEW, OLD]);
    });

    it('keeps a release whose predecessor is gone, and says so', async (t) => {
      const launched = new Launched(t, shell);
      launched.agent(NEW, "if (existsSync('data/trial')) process.exit(4)");
      launched.start();
      await launched.started(1);
      rmSync(launched.at(`releases/${OLD}`), { recursive: true });
      launched.upgrade();
      await launched.started(3);
      assert.equal(launched.current, `releases/${NEW}`);
      assert.equal(
        launched.read('data/failed'),
        `${TRIAL}\nit ended with 4; it stays, as the release before it is gone\n`,
      );
      assert.equal(existsSync(launched.at('data/trial')), false);
    });

    it('goes back even where nothing can be written any more', async (t) => {
      const launched = new Launched(t, shell);
      mkdirSync(launched.at('data/failed.partial'));
      launched.agent(NEW, 'process.exit(4)');
      launched.start();
      await launched.started(1);
      launched.upgrade();
      await launched.started(3);
      assert.equal(launched.current, `releases/${OLD}`);
      assert.equal(launched.read('data/failed'), `${TRIAL}\n`);
    });

    it('leaves another one alone that lives', async (t) => {
      const launched = new Launched(t, shell);
      launched.start();
      const first = await launched.started(1);
      assert.equal(await ended(launched.start()), 0);
      assert.equal(launched.starts.length, 1);
      process.kill(first, 0);
    });

    it('stops an agent first that has lost its launcher', async (t) => {
      const launched = new Launched(t, shell);
      const launcher = launched.start();
      const first = await launched.started(1);
      launcher.kill('SIGKILL');
      await ended(launcher);
      process.kill(first, 0);
      const next = launched.start();
      await launched.started(2);
      assert.equal(launched.pids.includes(first), false);
      assert.equal(launched.read('data/launcher.pid'), `${next.pid}\n`);
    });
  });
}
