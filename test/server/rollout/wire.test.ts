import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { type Manifest, manifestSchema, type RunningRelease } from '../../../src/protocol/release.ts';
import { interval } from '../../store/sample.ts';
import type { FakeAgent } from '../../support/fake-agent.ts';
import { openMeshServer, SharedFleet, type TestMesh } from '../../support/test-mesh.ts';
import { A, BEFORE, listed } from './fixture.ts';

const RUNNING: RunningRelease = { hash: A, serial: 1, architecture: 'x64' };

/** A server that was restarted with another release than its one host runs. */
async function restarted(t: TestContext): Promise<{ mesh: TestMesh; agent: FakeAgent }> {
  const shared = new SharedFleet();
  shared.rollouts.acts.push(structuredClone(BEFORE));
  const mesh = await openMeshServer(t, { shared, rows: [listed('db-1', { disconnectedMs: 1 })] });
  mesh.releaseSettings = { ...mesh.releaseSettings, healthMs: 100 };
  return { mesh, agent: await mesh.agent('db-1', 0, RUNNING) };
}

/** Takes what is offered, as far as its restart. */
async function take({ wire }: FakeAgent): Promise<Manifest> {
  const offer = await wire.next('upgrade');
  const manifest = manifestSchema.parse(JSON.parse(offer.manifest));
  const { files, runtime, serial } = manifest;
  for (const { sha256, bytes } of [...files, ...(runtime === undefined ? [] : [runtime])]) {
    const parts: Buffer[] = [];
    for (let offset = 0; offset < bytes; offset += parts.at(-1)?.length ?? 0) {
      wire.send({ type: 'want', sha256, offset });
      parts.push(Buffer.from((await wire.next('chunk')).data ?? assert.fail(), 'base64'));
    }
    assert.equal(createHash('sha256').update(Buffer.concat(parts)).digest('hex'), sha256);
  }
  for (const state of ['testing', 'starting']) wire.send({ type: 'upgraded', serial, state });
  return manifest;
}

/** Beats, and has an interval stored, until the server is content. */
async function prove(agent: FakeAgent): Promise<void> {
  agent.atMs = interval(0).endMs - 60_000;
  const beats = setInterval(() => {
    agent.atMs += 20;
    agent.beat();
  }, 20);
  agent.wire.send({ type: 'interval', interval: interval(0) });
  await agent.wire.next('ack');
  await agent.wire.next('confirm').finally(() => clearInterval(beats));
}

describe('a release over the wire', { timeout: 60_000 }, () => {
  it('reaches a host, stays there after its trial, and is done', async (t) => {
    const { mesh, agent } = await restarted(t);
    assert.match(mesh.news[0] ?? '', /^release 2\.0\.0 .* begins its way to the hosts, after 1\.2/);
    const { hash, serial } = await take(agent);
    assert.deepEqual([hash, serial], [mesh.releases.own.hash, 2]);
    const { registry } = mesh.server;
    while (registry.row('db-1')?.status !== 'upgrading') await once(registry, 'change');
    const gone = once(registry, 'disconnected');
    agent.wire.socket.close();
    await gone;
    const next = await mesh.agent('db-1', 0, { ...RUNNING, hash, serial, isOnTrial: true });
    await prove(next);
    next.wire.send({ type: 'upgraded', serial, state: 'confirmed' });
    while (mesh.rollouts.newest?.state !== 'done') await once(mesh.rollouts, 'change');
    const { release, upgrade, wanted } = mesh.fleet.rows[0] ?? assert.fail();
    assert.deepEqual([release, upgrade, wanted], [hash, 'done', 2]);
    assert.deepEqual([registry.row('db-1')?.status, mesh.troubles], ['online', []]);
  });

  it('is offered to agents that connected before the server had it ready', async (t) => {
    const shared = new SharedFleet();
    shared.rollouts.acts.push(structuredClone(BEFORE));
    const ready = Promise.withResolvers<void>();
    const rows = [listed('db-1', { disconnectedMs: 1 })];
    const mesh = await openMeshServer(t, { shared, rows, opening: ready.promise });
    const agent = await mesh.agent('db-1', 0, RUNNING);
    assert.deepEqual(mesh.news, []);
    ready.resolve();
    await take(agent);
  });

  it('is taken back from an agent that uses too much', async (t) => {
    const { mesh, agent } = await restarted(t);
    const { hash, serial } = await take(agent);
    agent.wire.socket.close();
    await agent.wire.closed;
    const next = await mesh.agent('db-1', 0, { ...RUNNING, hash, serial, isOnTrial: true });
    next.beat({ agent: { cpuPercent: 1, rssBytes: 1e9 } });
    const { reason } = await next.wire.next('revert');
    assert.equal(reason, 'it uses 954 MB of memory, 286 MB is allowed');
    while (mesh.rollouts.newest?.state !== 'halted') await once(mesh.rollouts, 'change');
    assert.equal(mesh.rollouts.newest.reason, `db-1: ${reason}`);
  });

  it('is not for agents that say no release, and what they ask for ends their connection', async (t) => {
    const { mesh } = await restarted(t);
    const old = await mesh.agent('db-1');
    old.wire.send({ type: 'want', sha256: A, offset: 0 });
    const { code, reason } = await old.wire.closed;
    assert.deepEqual([code, reason], [4409, 'want of an agent that says no release']);
  });

  it('is not to be had by asking for it, again and again', async (t) => {
    const { mesh } = await restarted(t);
    const agent = await mesh.agent('db-1', 0, { ...RUNNING, hash: mesh.releases.own.hash });
    for (let times = 0; times < 30; times += 1) agent.wire.send({ type: 'want', sha256: A, offset: times });
    const { code, reason } = await agent.wire.closed;
    assert.deepEqual([code, reason], [4409, 'want of what was not offered']);
    assert.ok(agent.wire.taken('chunk').every(({ data }) => data === undefined));
  });

  it('is steered by operators, who hear when it is done and why it cannot be', async (t) => {
    const { mesh } = await restarted(t);
    const operator = await mesh.operatorWire();
    operator.send({ type: 'steer', id: 1, act: 'rollback' });
    const { id, code, message } = await operator.next('error');
    assert.deepEqual([id, code], [1, 'ERR_RELEASE']);
    assert.match(message, /^srv-1 does not have release 1\.2 any more/);
    const answered = once(operator, 'message');
    operator.send({ type: 'steer', id: 2, act: 'pause' });
    assert.deepEqual((await answered)[0], { type: 'done', id: 2 });
    assert.equal(mesh.rollouts.newest?.state, 'paused');
  });
});
