import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Problem } from '../../src/problem.ts';
import type { FleetHost } from '../../src/store/fleet.ts';
import { change, openMeshServer } from '../support/test-mesh.ts';
import { tokenOf } from '../support/test-server.ts';

const refusal = () => Promise.reject(new Problem('ERR_DEPLOY_KEY', 'it refuses the key'));

describe('operator', { timeout: 60_000 }, () => {
  it('adds hosts and hears of each phase, and of each when it runs', async (t) => {
    const mesh = await openMeshServer(t);
    mesh.deployAgents();
    const { outcomes } = await change(mesh.operator(), 'add', ['web-1', 'web-1', 'root@web-2']);
    assert.deepEqual(Object.fromEntries(outcomes), { 'web-1': { state: 'running' }, 'web-2': { state: 'running' } });
    assert.deepEqual(
      mesh.fleet.rows.map(({ rshost, istate }) => [rshost, istate]),
      [
        ['web-1', 2],
        ['root@web-2', 2],
      ],
    );
  });

  it('hears at once of a host that runs already', async (t) => {
    const mesh = await openMeshServer(t, { rows: [{ rshost: 'web-1', istate: 2 }] });
    const { outcomes } = await change(mesh.operator(), 'add', ['web-1']);
    assert.deepEqual([outcomes.get('web-1'), mesh.deployer.calls], [{ state: 'running' }, []]);
  });

  it('hears why a host failed, and has it tried again at once with the next add', async (t) => {
    const mesh = await openMeshServer(t);
    mesh.deployer.onWork = refusal;
    const operator = mesh.operator();
    for (const attempts of [1, 2]) {
      const { outcomes } = await change(operator, 'add', ['web-1']);
      assert.deepEqual(outcomes.get('web-1'), { state: 'failed', failure: 'it refuses the key' });
      assert.equal(mesh.deployer.calls.length, attempts);
      // What is waited after must be seen before it can be taken away.
      await mesh.hosts.refresh();
    }
  });

  it('removes hosts by either of their names, and those that are gone already', async (t) => {
    const mesh = await openMeshServer(t, {
      rows: [
        { rshost: 'root@web-1:2222', istate: 2, isDeployed: true },
        { rshost: 'root@web-2', istate: 2 },
        { rshost: 'web-3', istate: -1 },
      ],
    });
    const { outcomes } = await change(mesh.operator(), 'remove', ['web-1', 'root@web-2', 'web-3', 'web-4']);
    assert.deepEqual(Object.fromEntries(outcomes), {
      'web-1': { state: 'retired' },
      'web-2': { state: 'retired' },
      'web-3': { state: 'retired' },
      'web-4': { state: 'failed', failure: 'it is not listed: procmesh hosts shows those that are' },
    });
    assert.deepEqual(mesh.deployer.calls, ['remove root@web-1:2222']);
    assert.deepEqual(
      mesh.fleet.rows.map(({ istate }) => istate),
      [-1, -1, -1],
    );
  });

  it('cannot list a host twice, but one that was taken offline in another way', async (t) => {
    const mesh = await openMeshServer(t, {
      rows: [
        { rshost: 'web-1', istate: 2 },
        { rshost: 'web-2', istate: -1 },
      ],
    });
    mesh.deployAgents();
    const { outcomes } = await change(mesh.operator(), 'add', ['web-1', 'root@web-1', 'root@web-2']);
    assert.deepEqual(outcomes.get('web-1'), {
      state: 'failed',
      failure: 'it is listed as web-1: name it so, or remove it first',
    });
    assert.deepEqual(outcomes.get('web-2'), { state: 'running' });
  });

  it('changes nothing when one name is none', async (t) => {
    const mesh = await openMeshServer(t);
    await assert.rejects(
      change(mesh.operator(), 'add', ['web-1', '; rm -rf /']),
      /^Error: ERR_HOST ; rm -rf \/ is no host/,
    );
    assert.deepEqual(mesh.fleet.rows, []);
  });

  it('removes a row that is no host', async (t) => {
    const mesh = await openMeshServer(t, { rows: [{ rshost: 'a b', istate: 1 }] });
    const { outcomes } = await change(mesh.operator(), 'remove', ['a b']);
    assert.deepEqual([outcomes.get('a b'), mesh.fleet.rows[0]?.istate], [{ state: 'retired' }, -1]);
  });

  it('hears when somebody else wants something else, or takes the host out of the list', async (t) => {
    const mesh = await openMeshServer(t);
    mesh.deployer.onWork = (_, __, signal) =>
      new Promise((___, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const changed = change(mesh.operator(), 'add', ['web-1', 'web-2']);
    await once(mesh.hosts, 'change');
    await mesh.fleet.list(['web-1'], 0);
    mesh.fleet.rows.splice(1, 1);
    const { outcomes } = await changed;
    assert.deepEqual(Object.fromEntries(outcomes), {
      'web-1': { state: 'failed', failure: 'somebody takes it offline' },
      'web-2': { state: 'failed', failure: 'somebody has taken it out of the list' },
    });
  });

  it('gets tokens for hosts whose agents are started by hand', async (t) => {
    const mesh = await openMeshServer(t, { rows: [{ rshost: 'web-2', istate: -1, tokenGeneration: 3 }] });
    const { outcomes } = await change(mesh.operator(), 'token', ['web-1', 'web-2']);
    assert.deepEqual(outcomes.get('web-1'), { state: 'running', token: tokenOf('web-1') });
    assert.deepEqual(outcomes.get('web-2'), { state: 'running', token: tokenOf('web-2', 3) });
    await mesh.agent('web-1');
    assert.deepEqual(mesh.deployer.calls, []);
  });

  it('rotates tokens: brings new ones where it deployed, and hands out the others', async (t) => {
    const mesh = await openMeshServer(t, {
      rows: [
        { rshost: 'root@web-1', istate: 2, isDeployed: true, tokenGeneration: 4 },
        { rshost: 'web-2', istate: 2 },
        { rshost: 'own', istate: 2 },
        { rshost: 'web-3', istate: -1 },
      ],
    });
    const [deployed, byHand] = [await mesh.agent('web-1', 4), await mesh.agent('web-2')];
    const { outcomes } = await change(mesh.operator(), 'rotate', []);
    assert.deepEqual(Object.fromEntries(outcomes), {
      'web-1': { state: 'rotated' },
      'web-2': { state: 'rotated', token: tokenOf('web-2', 1) },
      own: { state: 'rotated' },
    });
    assert.deepEqual(mesh.deployer.calls, ['replaceToken root@web-1']);
    assert.deepEqual(mesh.ownTokens, [tokenOf('own', 1)]);
    assert.deepEqual((await deployed.wire.closed).reason, 'its token was replaced');
    assert.deepEqual((await byHand.wire.closed).code, 4412);
    await assert.rejects(mesh.agent('web-1', 4), /refused with 403/);
    await mesh.agent('web-1', 5);
    assert.deepEqual(
      mesh.fleet.rows.map(({ tokenGeneration }) => tokenGeneration),
      [5, 1, 1, undefined],
    );
  });

  it('keeps the old token where the new one could not be brought', async (t) => {
    const mesh = await openMeshServer(t, { rows: [{ rshost: 'web-1', istate: 2, isDeployed: true }] });
    mesh.deployer.onWork = refusal;
    const agent = await mesh.agent('web-1');
    const { outcomes } = await change(mesh.operator(), 'rotate', ['web-1', 'web-2']);
    assert.deepEqual(outcomes.get('web-1'), { state: 'failed', failure: 'it refuses the key' });
    assert.match(outcomes.get('web-2')?.failure ?? '', /^it is not listed/);
    await agent.wire.settled();
    assert.equal(mesh.hosts.generationOf('web-1'), 0);
  });

  it('rotates no token of a host that does not run, nor one that is being rotated', async (t) => {
    const mesh = await openMeshServer(t, {
      rows: [
        { rshost: 'web-1', istate: 2, isDeployed: true },
        { rshost: 'web-2', istate: -1 },
      ],
    });
    const held = Promise.withResolvers<void>();
    mesh.deployer.onWork = () => held.promise;
    const operator = mesh.operator();
    const first = change(operator, 'rotate', ['web-1']);
    const { outcomes } = await change(operator, 'rotate', ['web-1', 'web-2']);
    assert.match(outcomes.get('web-1')?.failure ?? '', /^its token is being replaced already/);
    assert.match(outcomes.get('web-2')?.failure ?? '', /^it is not running/);
    held.resolve();
    assert.deepEqual((await first).outcomes.get('web-1'), { state: 'rotated' });
  });

  it('stops bringing a token to a host that is taken offline meanwhile', async (t) => {
    const mesh = await openMeshServer(t, { rows: [{ rshost: 'web-1', istate: 2, isDeployed: true }] });
    const started = Promise.withResolvers<void>();
    mesh.deployer.onWork = (_, __, signal) =>
      new Promise((___, reject) => {
        started.resolve();
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    const rotated = change(mesh.operator(), 'rotate', ['web-1']);
    await started.promise;
    Object.assign(mesh.fleet.rows[0] as FleetHost, { istate: -1 });
    assert.deepEqual((await rotated).outcomes.get('web-1'), { state: 'failed', failure: 'it is not running any more' });
  });

  it('is told why when the store takes nothing', async (t) => {
    const mesh = await openMeshServer(t);
    mesh.fleet.onCall = () => Promise.reject(new Problem('ERR_STORE_AWAY', 'the store is away'));
    await assert.rejects(change(mesh.operator(), 'add', ['web-1']), { message: 'ERR_STORE_AWAY the store is away' });
  });

  it('has what was begun done when it has gone', async (t) => {
    const mesh = await openMeshServer(t);
    const held = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    mesh.deployer.onWork = () => {
      begun.resolve();
      return held.promise;
    };
    const operator = await mesh.operatorWire();
    operator.send({ type: 'change', id: 1, act: 'add', hosts: ['web-1'] });
    await begun.promise;
    operator.socket.close();
    await operator.closed;
    held.resolve();
    await mesh.agent('web-1');
    await mesh.hosts.until('web-1', ({ istate }) => istate === 2, AbortSignal.timeout(10_000));
  });

  it('is turned away with frames that are none, and with more than it may ask at once', async (t) => {
    const mesh = await openMeshServer(t);
    const operator = await mesh.operatorWire();
    mesh.fleet.onCall = () => new Promise(() => undefined);
    for (let id = 1; id <= 9; id += 1) operator.send({ type: 'change', id, act: 'add', hosts: ['web-1'] });
    operator.send({ type: 'change', id: 1, act: 'add', hosts: ['web-1'] });
    await operator.settled();
    const errors = operator.taken('error').map(({ id, code }) => `${id} ${code}`);
    assert.deepEqual(errors, ['9 ERR_LIMIT', '1 ERR_ID']);
    operator.send({ type: 'change', id: 10, act: 'destroy', hosts: [] });
    const { code, reason } = await operator.closed;
    assert.equal(code, 4400);
    assert.match(reason, /^change\.act/);
    mesh.fleet.onCall = async () => undefined;
  });
});
