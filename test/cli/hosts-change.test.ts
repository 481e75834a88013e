import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Problem } from '../../src/problem.ts';
import type { FleetHost } from '../../src/store/fleet.ts';
import { assertFailed, launch, procmesh } from '../support/command.ts';
import { scratchFolder } from '../support/scratch.ts';
import { openMeshServer, type TestMesh } from '../support/test-mesh.ts';
import { SECRETS, tokenOf } from '../support/test-server.ts';

/** A server of a mesh, and the operator's command line pointed at it. */
async function opened(t: TestContext, rows: FleetHost[] = []) {
  const mesh = await openMeshServer(t, { rows });
  const file = join(scratchFolder(t), 'token');
  writeFileSync(file, `${SECRETS.operator}\n`);
  const target = ['--server', mesh.url, '--token-file', file];
  const args = (act: string, ...rest: string[]) => ['hosts', act, ...target, ...rest];
  return { mesh, args, run: (act: string, ...rest: string[]) => procmesh(t, args(act, ...rest)) };
}

function refuse(mesh: TestMesh, host: string): void {
  mesh.deployAgents();
  const { onWork } = mesh.deployer;
  mesh.deployer.onWork = async (rshost, onPhase, signal) => {
    if (rshost === host) throw new Problem('ERR_DEPLOY_KEY', 'it refuses the key:\x1b[31m put it there');
    await onWork(rshost, onPhase, signal);
  };
}

describe('procmesh hosts add, remove, rotate and token', { concurrency: 2, timeout: 60_000 }, () => {
  it('adds hosts, tells each step, and prints what became of them', async (t) => {
    const { mesh, run } = await opened(t);
    refuse(mesh, 'web-2');
    const { code, stdout, stderr } = await run('add', 'web-1', 'web-2');
    assert.equal(code, 1);
    assert.match(stdout, /^HOST +STATE +REASON\nweb-1 +running\nweb-2 +failed +it refuses the key:\S* put it there\n$/);
    assert.match(stderr, /^web-1: (connecting|copying the runtime|waiting for its agent to connect)$/m);
    assert.match(stderr, /^web-2: it refuses the key/m);
    assert.match(stderr, /\nprocmesh: web-2: it refuses the key:.*\n$/);
    assert.ok(!`${stdout}${stderr}`.includes('\x1b'));
    const single = await run('add', 'web-2');
    assert.equal(single.stderr.match(/refuses the key/g)?.length, 1, single.stderr);
  });

  it('removes hosts, as JSON', async (t) => {
    const { run } = await opened(t, [{ rshost: 'root@web-1', istate: 2, isDeployed: true }]);
    const removed = await run('remove', 'web-1', 'web-9', '--json');
    assert.equal(removed.code, 1);
    const failure = 'it is not listed: procmesh hosts shows those that are';
    assert.deepEqual(JSON.parse(removed.stdout), {
      act: 'remove',
      rows: [
        { host: 'web-1', state: 'retired' },
        { host: 'web-9', state: 'failed', failure },
      ],
    });
  });

  it('takes as many hosts from standard input as there are in a fleet', async (t) => {
    const { mesh, args } = await opened(t);
    const hosts = Array.from({ length: 10_000 }, (_, index) => `root@host-${index}.example.com:22`);
    await mesh.fleet.list(hosts, -1);
    const removing = launch(t, args('remove', '-', '--json'), {}, undefined, 'pipe');
    removing.process.stdin?.end(hosts.join('\n'));
    const { code, stdout } = await removing.finished;
    assert.deepEqual([code, JSON.parse(stdout).rows.length], [0, 10_000]);
  });

  it('prints the token of one host alone, and lists it', async (t) => {
    const { mesh, run } = await opened(t);
    const { code, stdout, stderr } = await run('token', 'web-1');
    assert.deepEqual([code, stdout, stderr], [0, `${tokenOf('web-1')}\n`, '']);
    await mesh.agent('web-1');
  });

  it('rotates the tokens of all hosts that run, and prints those that nobody could bring', async (t) => {
    const { run } = await opened(t, [
      { rshost: 'web-1', istate: 2, isDeployed: true },
      { rshost: 'web-2', istate: 2 },
    ]);
    const { code, stdout } = await run('rotate');
    assert.equal(code, 0);
    const [head, ...lines] = stdout.trimEnd().split('\n');
    assert.match(head ?? '', /^HOST +STATE +TOKEN$/);
    assert.match(lines[0] ?? '', /^web-1 +rotated$/);
    assert.equal(lines[1]?.split(/ +/).at(-1), tokenOf('web-2', 1));
  });

  it('does nothing when a name is none, and says which', async (t) => {
    const { mesh, run } = await opened(t);
    for (const wrong of ['a;b', 'web-1:0', 'user@', ''])
      assert.equal((await run('add', 'web-1', '--', wrong)).code, 2, wrong);
    assertFailed(await run('add', 'web-1', 'a;b'), 2, /a;b is no host: write HOST or user@HOST:port$/m);
    assertFailed(await run('add', '-'), 2, /standard input names no host/);
    assertFailed(await run('add'), 2, /missing required argument/);
    assert.deepEqual(mesh.fleet.rows, []);
  });

  it('says that the server goes on when it is interrupted', async (t) => {
    const { mesh, args } = await opened(t);
    const held = Promise.withResolvers<void>();
    mesh.deployer.onWork = () => held.promise;
    const adding = launch(t, args('add', 'web-1'), {});
    await adding.stderr.line((line) => line === 'web-1: connecting');
    const { code, stderr } = await adding.kill('SIGINT');
    assert.equal(code, 1);
    assert.match(stderr, /\nprocmesh: interrupted; the server goes on with it: procmesh hosts shows how far it is\n$/);
    held.resolve();
    await mesh.agent('web-1');
    await mesh.hosts.until('web-1', ({ istate }) => istate === 2, AbortSignal.timeout(10_000));
  });

  it('says so when the server is lost, refuses the token, or is not there', async (t) => {
    const { mesh, args, run } = await opened(t);
    mesh.deployer.onWork = () => new Promise(() => undefined);
    const adding = launch(t, args('add', 'web-1'), {});
    await adding.stderr.line((line) => line === 'web-1: connecting');
    const stopped = mesh.server.stop();
    const lost = await adding.finished;
    assert.match(lost.stderr, /\nprocmesh: the connection to the server was lost .*; the server goes on with it/);
    await stopped;
    assertFailed(await run('add', 'web-2'), 1, /no answer from the server at/);
    const { run: other, mesh: another } = await opened(t);
    const viewer = join(scratchFolder(t), 'viewer');
    writeFileSync(viewer, SECRETS.viewer);
    assertFailed(await other('add', 'web-1', '--token-file', viewer), 1, /refuses the token/);
    assert.deepEqual(another.fleet.rows, []);
  });
});
