import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { WebSocket } from 'ws';
import { steer } from '../../src/cli/operate.ts';
import type { ServerToOperator, Steer } from '../../src/protocol/operator.ts';
import { assertFailed, launch, procmesh } from '../support/command.ts';
import { counts, FakeRolloutView, standing } from '../support/fake-rollout-view.ts';
import { scratchFolder } from '../support/scratch.ts';
import { openServer, SECRETS } from '../support/test-server.ts';

type Answer = (steer: Steer, socket: WebSocket) => ServerToOperator | undefined;

const done: Answer = ({ id }) => ({ type: 'done', id });

/** A server that answers operators as a test says, and the command line pointed at it. */
async function opened(t: TestContext, answer: Answer = done) {
  const rollouts = new FakeRolloutView(standing());
  const server = await openServer(t, { rollouts });
  const heard: Steer[] = [];
  server.server.on('operator', (socket) => {
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      heard.push(message);
      const said = answer(message, socket);
      if (said !== undefined) socket.send(JSON.stringify(said));
    });
  });
  const folder = scratchFolder(t);
  const files = { operator: join(folder, 'operator'), viewer: join(folder, 'viewer') };
  for (const role of ['operator', 'viewer'] as const) writeFileSync(files[role], `${SECRETS[role]}\n`);
  const target = ['--server', server.url, '--token-file', files.operator];
  const run = (act: string, ...rest: string[]) => procmesh(t, ['release', act, ...target, ...rest]);
  return { server, rollouts, heard, files, target, run };
}

describe('procmesh release pause, resume and rollback', { concurrency: 2, timeout: 60_000 }, () => {
  it('has the server do it once, and says in a line what was done', async (t) => {
    const { heard, run } = await opened(t);
    for (const [act, said] of [
      ['pause', 'paused: no further host is upgraded until procmesh release resume'],
      ['resume', 'resumed: the release comes to the hosts again'],
      ['rollback', 'rolling back: the release before comes to all hosts again'],
    ] as const) {
      assert.deepEqual(await run(act), { code: 0, signal: null, stdout: `${said}\n`, stderr: '' });
      assert.deepEqual(heard.splice(0), [{ type: 'steer', id: 1, act }]);
    }
  });

  it('fails with the server’s words when there is nothing it could be done with', async (t) => {
    const message = 'before release 1.3 there was none that all hosts had';
    const { run } = await opened(t, ({ id }) => ({ type: 'error', id, code: 'ERR_RELEASE', message }));
    assertFailed(await run('rollback'), 1, new RegExp(`^procmesh: ${message}$`, 'm'));
    assertFailed(await run('rollback', '--watch', '--viewer-token-file', '/dev/null'), 1, new RegExp(message));
  });

  it('takes operators only, and says so when the server is lost or is not there', async (t) => {
    const { server, heard, files, run } = await opened(t, (_, socket) => {
      socket.terminate();
      return undefined;
    });
    assertFailed(await run('pause', '--token-file', files.viewer), 1, /refuses the token/);
    assert.deepEqual(heard, []);
    const lost = /the connection to the server was lost \(.*\); whether it was done, procmesh release shows$/m;
    assertFailed(await run('pause'), 1, lost);
    assert.equal(heard.length, 1);
    await server.stop();
    assertFailed(await run('pause'), 1, /no answer from the server at/);
  });

  it('waits no longer than 15 s for a server that says nothing, as one does that is too old', async (t) => {
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    const { server } = await opened(t, () => void resolve());
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { url } = server;
    const steered = assert.rejects(steer({ url, token: SECRETS.operator, pin: undefined }, 'pause'), {
      code: 'ERR_SERVER',
      message: new RegExp(`^the server at ${url} does not answer: its store may be away, or it is older than`),
    });
    await asked;
    t.mock.timers.tick(15_000);
    await steered;
    t.mock.timers.reset();
  });

  it('with --watch stays with the rollout until it is done', async (t) => {
    const { rollouts, files, target } = await opened(t, (message, socket) => {
      rollouts.becomes(standing({ serial: 3, version: '1.2', counts: counts({ waiting: 2 }), hosts: [] }));
      return done(message, socket);
    });
    const args = ['release', 'rollback', '--watch', '--viewer-token-file', files.viewer, ...target];
    const watching = launch(t, args, {});
    await watching.stdout.line((line) => line.startsWith('release 1.2: '));
    rollouts.becomes(standing({ serial: 3, version: '1.2', state: 'done', counts: counts({ done: 2 }), hosts: [] }));
    const { code, stdout, stderr } = await watching.finished;
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^rolling back: .*\nrelease 1\.2: .* 2 waiting\nrelease 1\.2: done: 2 of 2 hosts done\n$/);
  });

  it('does nothing when it could not watch', async (t) => {
    const { heard, run } = await opened(t);
    const dataDir = join(scratchFolder(t), 'data');
    mkdirSync(dataDir);
    assertFailed(await run('pause', '--watch', '--viewer-token-file', `${dataDir}/none`), 1, /none cannot be read/);
    assert.deepEqual(heard, []);
  });
});
