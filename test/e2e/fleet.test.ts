import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type Command, launch } from '../support/command.ts';
import { type Mesh, openMesh, until } from './mesh.ts';

async function statuses(mesh: Mesh): Promise<Record<string, string>> {
  const { rows } = JSON.parse((await mesh.run('hosts', '--json')).stdout);
  return Object.fromEntries(rows.map(({ host, status }: { host: string; status: string }) => [host, status]));
}

/** An agent that was started by hand, with the token that an operator got for it. */
async function startAgent(t: TestContext, mesh: Mesh, token: string): Promise<Command> {
  const file = join(mesh.dataDir, 'by-hand.token');
  writeFileSync(file, `${token}\n`);
  const agent = launch(t, ['agent', '--token-file', file], mesh.environment, 'ipc');
  await agent.ready();
  return agent;
}

describe('a fleet of one server', { timeout: 120_000 }, () => {
  it('lets an agent in by the token that an operator gets, and ends it for good when its host is removed', async (t) => {
    const mesh = await openMesh(t);
    await mesh.server();
    const agent = await startAgent(t, mesh, await mesh.list('web-1'));
    await until(async () => (await statuses(mesh))['web-1'] === 'online');
    const removed = await mesh.run('hosts', 'remove', 'web-1', '--json');
    assert.deepEqual(
      [removed.code, JSON.parse(removed.stdout)],
      [0, { act: 'remove', rows: [{ host: 'web-1', state: 'retired' }] }],
    );
    const { code, stderr } = await agent.finished;
    assert.equal(code, 0);
    assert.match(stderr, /"reason":"its host is taken offline".*"retired: it ends for good"/);
    assert.equal((await statuses(mesh))['web-1'], 'retired');
  });

  it('has an agent go on with a token that was rotated, and not with the old one', async (t) => {
    const mesh = await openMesh(t);
    const server = await mesh.server();
    const agent = await startAgent(t, mesh, await mesh.list('web-1'));
    await server.stderr.line((line) => line.includes('agent connected'));
    const rotated = JSON.parse((await mesh.run('hosts', 'rotate', 'web-1', '--json')).stdout);
    await server.stderr.line((line) => line.includes('this token of web-1 is void'));
    await agent.stderr.line((line) => line.includes('refused'));
    writeFileSync(join(mesh.dataDir, 'by-hand.token'), rotated.rows[0].token);
    await until(async () => (await statuses(mesh))['web-1'] === 'online');
  });

  it('has the own machine listed by procmesh start, and its agent ended for good when it is removed', async (t) => {
    const mesh = await openMesh(t);
    const started = await mesh.start();
    const own = hostname();
    assert.deepEqual(await statuses(mesh), { [own]: 'online' });
    const rotated = await mesh.run('hosts', 'rotate');
    assert.match(rotated.stdout, new RegExp(`^HOST +STATE\\n${own} +rotated\\n$`));
    await until(async () => (await statuses(mesh))[own] === 'online');
    assert.equal((await mesh.run('hosts', 'remove', own)).code, 0);
    await started.stderr.line((line) => line.includes('"retired: it ends for good"'));
    await started.stderr.line((line) => line.includes('agent disconnected'));
    assert.equal((await statuses(mesh))[own], 'retired');
    assert.equal((await started.kill('SIGTERM')).code, 0);
    assert.equal(started.stderr.text.match(/retired: it ends for good/g)?.length, 1);
  });

  it('says in one line why a host could not be deployed, and goes on with the others', async (t) => {
    const mesh = await openMesh(t);
    await mesh.server();
    const { code, stdout, stderr } = await mesh.run('hosts', 'add', 'no-such-host.invalid');
    assert.equal(code, 1);
    assert.match(stdout, /^HOST +STATE +REASON\nno-such-host\.invalid +failed +\S/);
    assert.match(stderr, /\nprocmesh: no-such-host\.invalid: [^\n]+\n$/);
    assert.equal((await statuses(mesh))['no-such-host.invalid'], 'failed');
  });
});
