import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { assertFailed, launch } from '../support/command.ts';
import { descendants, isAlive, part } from '../support/processes.ts';
import { scratchFolder } from '../support/scratch.ts';
import { hostsJson } from './contract.ts';
import { type Mesh, openMesh, until } from './mesh.ts';

async function assertAnswers(mesh: Mesh): Promise<void> {
  const { stdout } = await mesh.run('hosts', '--json');
  assert.deepEqual(
    hostsJson.parse(JSON.parse(stdout)).rows.map(({ status }) => status),
    ['online'],
  );
}

describe('procmesh start --no-tui', { timeout: 60_000, concurrency: 2 }, () => {
  it('brings up server and agent, which answer, and ends all of it at SIGTERM', async (t) => {
    const mesh = await openMesh(t);
    const started = await mesh.start();
    // For a while there is also what makes the bundle.
    await until(() => descendants(started.pid).length === 2);
    const parts = descendants(started.pid);
    const watching = mesh.watch('hosts');
    await watching.stdout.line((line) => hostsJson.safeParse(JSON.parse(line)).success);
    await watching.kill('SIGTERM');

    const { code, stdout, stderr } = await started.kill('SIGTERM');
    assert.deepEqual([code, stdout], [0, '']);
    assert.match(stderr, /"signal":"SIGTERM".*"stopping"/);
    assert.deepEqual(parts.filter(isAlive), []);
    await assert.rejects(mesh.health());
  });

  it('ends all of it at SIGINT while it is still starting', async (t) => {
    const mesh = await openMesh(t);
    const started = launch(t, ['start', '--no-tui'], mesh.environment);
    await until(() => descendants(started.pid).length > 0);
    const parts = descendants(started.pid);
    await started.kill('SIGINT');
    await until(() => !parts.some(isAlive));
  });

  it('leaves nothing behind when it is killed outright', async (t) => {
    const mesh = await openMesh(t);
    const started = await mesh.start();
    const parts = descendants(started.pid);
    assert.ok(parts.length >= 2);
    await started.kill('SIGKILL');
    await until(() => !parts.some(isAlive));
  });

  for (const name of ['server', 'agent'] as const) {
    it(`starts the ${name} again when it dies, and the host is back`, async (t) => {
      const mesh = await openMesh(t);
      const started = await mesh.start();
      const before = part(started.pid, name);
      process.kill(before.pid, 'SIGKILL');
      await until(() =>
        descendants(started.pid).some(({ key, args }) => key !== before.key && args[0] === `procmesh-${name}`),
      );
      assert.equal(isAlive(before), false);
      await until(() =>
        mesh.health().then(
          ({ status }) => status === 'ok',
          () => false,
        ),
      );
      const watching = mesh.watch('hosts');
      await watching.stdout.line((line) => hostsJson.safeParse(JSON.parse(line)).data?.rows[0]?.status === 'online');
      await watching.kill('SIGTERM');
      assert.equal((await started.kill('SIGTERM')).code, 0);
    });
  }

  it('says that one is running already, and leaves it alone', async (t) => {
    const mesh = await openMesh(t);
    const first = await mesh.start();
    const server = part(first.pid, 'server');
    const again = await mesh.run('start', '--no-tui');
    assertFailed(
      again,
      1,
      new RegExp(`^procmesh: a procmesh server is running already with .*\\(pid ${server.pid}\\)`),
    );
    assert.equal(isAlive(server), true);
    await assertAnswers(mesh);
    assert.equal((await first.kill('SIGTERM')).code, 0);
  });

  it('is not needed for a second server or agent to be refused with the same folder', async (t) => {
    const mesh = await openMesh(t);
    const server = await mesh.server();
    const agent = await mesh.agent();
    for (const { name, pid } of [
      { name: 'server', pid: server.pid },
      { name: 'agent', pid: agent.pid },
    ])
      assertFailed(
        await mesh.run(name),
        1,
        new RegExp(`^procmesh: a procmesh ${name} is running already.*\\(pid ${pid}\\)`),
      );
    await until(async () => (await mesh.health()).hosts === 1);
  });

  it('says that the port is taken, and leaves nothing behind', async (t) => {
    const mesh = await openMesh(t);
    const other = createServer().listen(mesh.port, '127.0.0.1');
    t.after(() => other.close());
    const failed = await mesh.run('start', '--no-tui');
    assertFailed(failed, 1, new RegExp(`^procmesh: 127\\.0\\.0\\.1:${mesh.port} is in use by another program: `));
  });

  it('leaves a file alone that is not its store', async (t) => {
    const mesh = await openMesh(t);
    const file = join(mesh.dataDir, 'procmesh.db');
    const garbage = Buffer.from('not a database, but somebody’s '.repeat(500));
    writeFileSync(file, garbage);
    assertFailed(await mesh.run('start', '--no-tui'), 1, /procmesh\.db is not a procmesh store: move it away/);
    assert.deepEqual(readFileSync(file), garbage);
  });

  it('says that the data folder cannot be used', async (t) => {
    const folder = scratchFolder(t);
    writeFileSync(join(folder, 'file'), '');
    const mesh = await openMesh(t, { PROCMESH_GLOBAL_DATA_DIR: join(folder, 'file', 'data') });
    assertFailed(await mesh.run('start', '--no-tui'), 2, /cannot be read or written \(\w+\): set \[global\] data_dir/);
  });

  it('says that the data folder may not be written', async (t) => {
    // Nobody may make folders there, not even root.
    const mesh = await openMesh(t, { PROCMESH_GLOBAL_DATA_DIR: '/sys/procmesh' });
    assertFailed(await mesh.run('start', '--no-tui'), 2, /cannot be read or written \(\w+\): set \[global\] data_dir/);
  });
});
