import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { RolloutStatus } from '../../src/protocol/release.ts';
import { assertFailed, launch, procmesh } from '../support/command.ts';
import { counts, FakeRolloutView, standing, upgrading } from '../support/fake-rollout-view.ts';
import { scratchFolder } from '../support/scratch.ts';
import { openServer, SECRETS } from '../support/test-server.ts';

/** A server with a rollout, and the command line pointed at it. */
async function opened(t: TestContext, rollout?: RolloutStatus) {
  const rollouts = new FakeRolloutView(rollout);
  const server = await openServer(t, { rollouts });
  const file = join(scratchFolder(t), 'token');
  writeFileSync(file, `${SECRETS.viewer}\n`);
  const target = ['--server', server.url, '--token-file', file];
  const env = { TZ: 'UTC', FORCE_COLOR: '3' };
  const run = (...args: string[]) => procmesh(t, ['release', ...target, ...args], env);
  const watch = (...args: string[]) => launch(t, ['release', '--watch', ...target, ...args], env);
  return { server, rollouts, run, watch };
}

const DONE = standing({ state: 'done', wave: 3, counts: counts({ done: 117, away: 3 }), hosts: [] });
const HALTED = standing({ state: 'halted', reason: 'db-03: it crashed\x1b[31m at import\nline 2' });

describe('procmesh release', { concurrency: 2, timeout: 60_000 }, () => {
  it('prints how the newest rollout stands, and its hosts', async (t) => {
    const { run } = await opened(t, standing());
    const { code, stdout, stderr } = await run();
    assert.equal(code, 0);
    assert.equal(
      stdout,
      `release 1.3 (ab12cd34ef56), released 2026-11-26 01:02, wave 2 of 3 (10 %), running: 12 of 120 hosts done, 104 waiting, 1 failed, 3 away
the release before it: 1.2 (9f9f9f9f9f9f)

HOST   PHASE    VERSION  RELEASE       REASON
db-03  failed   1.2      9f9f9f9f9f9f  it crashed
db-04  waiting  1.2      9f9f9f9f9f9f
db-05  away     -        -
db-01  done     1.3      ab12cd34ef56
`,
    );
    assert.equal(stderr, 'procmesh: without 116 more: a larger --limit names them\n');
  });

  it('says why it is halted, and lets no escape sequence through', async (t) => {
    const { run } = await opened(t, HALTED);
    const { code, stdout } = await run();
    assert.equal(code, 0);
    assert.match(stdout, /, halted: 12 of 120 hosts done/);
    assert.match(stdout, /^reason: db-03: it crashed\S*\[31m at import line 2$/m);
    assert.doesNotMatch(stdout + (await run('--json')).stdout, /(?!\n)[\p{Cc}\p{Cf}]/u);
  });

  it('leaves hosts that are done out of a long table, and says so', async (t) => {
    const hosts = [upgrading('db-00', 'failed', 'it crashed')];
    for (let host = 1; host <= 20; host += 1) hosts.push(upgrading(`web-${host}`, 'done'));
    const { run } = await opened(t, standing({ hosts, counts: counts({ failed: 1, done: 20 }) }));
    const { stdout, stderr } = await run();
    assert.match(stdout, /^db-00 +failed .*it crashed\n$/m);
    assert.doesNotMatch(stdout, /^web-/m);
    assert.equal(stderr, 'procmesh: without those that are done (20): --json names them\n');
    assert.equal(JSON.parse((await run('--json')).stdout).rollout.hosts.length, 21);
    assert.match((await run('--limit', '20')).stdout, /^web-19 +done/m);
  });

  it('prints JSON as the server told it', async (t) => {
    const { rollouts, run } = await opened(t, standing());
    const { at, view, rollout, ...more } = JSON.parse((await run('--json', '--limit', '3')).stdout);
    assert.ok(Date.parse(at) > 0);
    assert.deepEqual([view, more], ['release', {}]);
    assert.deepEqual(rollout, { ...standing(), hosts: standing().hosts.slice(0, 3) });
    assert.deepEqual(rollouts.asked.at(-1), [3, undefined]);
  });

  it('may be asked of one host, and fails for one that is not upgraded', async (t) => {
    const { run } = await opened(t, standing());
    const { stdout, stderr } = await run('--host', 'db-05');
    assert.match(stdout, /\ndb-05 +away +- +-\n$/);
    assert.equal(stderr, '');
    for (const args of [[], ['--json']])
      assertFailed(await run('--host', 'nosuch', ...args), 1, /nosuch is no host that is upgraded: procmesh release/);
  });

  it('says so when nothing has been released yet', async (t) => {
    const { run } = await opened(t);
    for (const args of [[], ['--watch']])
      assert.deepEqual(await run(...args), {
        ...{ code: 0, signal: null, stderr: '', stdout: 'nothing has been released yet\n' },
      });
    assert.deepEqual(Object.keys(JSON.parse((await run('--json')).stdout)), ['at', 'view']);
  });
});

describe('procmesh release --watch', { concurrency: 2, timeout: 60_000 }, () => {
  it('prints a line for each change until the rollout is done', async (t) => {
    const { rollouts, watch } = await opened(t, standing({ counts: counts({ waiting: 3 }), hosts: [], wave: 0 }));
    const watching = watch();
    assert.equal(await watching.stdout.line(), 'release 1.3: wave 0 of 3, running: 0 of 3 hosts done, 3 waiting');
    const hosts = [upgrading('db-03', 'failed', 'it \x1b[31mcrashed')];
    rollouts.becomes(standing({ counts: counts({ trial: 1, failed: 1, done: 1 }), hosts, wave: 1 }));
    await watching.stdout.line((line) =>
      /wave 1 of 3 \(1\), running: 1 of 3 hosts done, 1 on trial, 1 failed$/.test(line),
    );
    rollouts.becomes(standing({ state: 'done', counts: counts({ done: 3 }), hosts }));
    const { code, stdout, stderr } = await watching.finished;
    assert.deepEqual([code, stderr], [0, '']);
    const [, failed, , last, ...more] = stdout.split('\n');
    assert.equal(failed, 'db-03: failed, it \ufffd[31mcrashed');
    assert.deepEqual([last, more], ['release 1.3: done: 3 of 3 hosts done', ['']]);
  });

  it('with --json prints each answer on a line', async (t) => {
    const { rollouts, watch } = await opened(t, standing());
    const watching = watch('--json', '--limit', '1');
    await watching.stdout.line();
    rollouts.becomes(DONE);
    const { code, stdout } = await watching.finished;
    assert.equal(code, 0);
    const answers = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).rollout);
    assert.deepEqual(
      answers.map(({ state, hosts }) => [state, hosts.length]),
      [
        ['running', 1],
        ['done', 0],
      ],
    );
  });

  it('ends at once when it is done already', async (t) => {
    const { watch } = await opened(t, DONE);
    const { code, stdout } = await watch().finished;
    assert.deepEqual([code, stdout], [0, 'release 1.3: done: 117 of 120 hosts done, 3 away\n']);
  });

  it('fails when it is halted, with the reason', async (t) => {
    const { rollouts, watch } = await opened(t, standing());
    for (const args of [[], ['--json']]) {
      rollouts.becomes(standing());
      const watching = watch(...args);
      await watching.stdout.line();
      rollouts.becomes(HALTED);
      const { code, stderr } = await watching.finished;
      assert.equal(code, 1);
      assert.match(stderr, /^procmesh: release 1\.3 halted: db-03: it crashed\S*\[31m at import line 2\n$/);
    }
  });

  it('fails when another release takes its place', async (t) => {
    const { rollouts, watch } = await opened(t, standing());
    const watching = watch();
    await watching.stdout.line();
    rollouts.becomes(standing({ serial: 3, version: '1.2', reason: 'release 1.3 failed on db-03' }));
    const { code, stderr } = await watching.finished;
    assert.equal(code, 1);
    assert.equal(stderr, 'procmesh: release 1.3 was overtaken by release 1.2: release 1.3 failed on db-03\n');
  });

  it('stays while the rollout is paused, and leaves it running when it is interrupted', async (t) => {
    const { rollouts, watch } = await opened(t, standing({ state: 'paused' }));
    const watching = watch();
    await watching.stdout.line((line) => line.includes('paused'));
    rollouts.becomes(standing());
    await watching.stdout.line((line) => line.includes('running'));
    const { code, stderr } = await watching.kill('SIGINT');
    assert.deepEqual([code, stderr], [0, '']);
  });

  it('fails when the server is lost', async (t) => {
    const { server, watch } = await opened(t, standing());
    const watching = watch();
    await watching.stdout.line((line) => line.startsWith('release'));
    await server.stop();
    const { code, stderr } = await watching.finished;
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^procmesh: the connection to the server was lost \(.*\); the rollout goes on: procmesh release --watch shows it again\n$/,
    );
  });
});
