import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Problem } from '../../src/problem.ts';
import { MAX_VIEWER_FRAME_BYTES } from '../../src/protocol/codec.ts';
import { AGENT_PATH } from '../../src/protocol/message.ts';
import { type ConnectionStatus, ReconnectingSocket } from '../../src/protocol/reconnect.ts';
import type { HostRow } from '../../src/protocol/row.ts';
import type { FleetHost } from '../../src/store/fleet.ts';
import { readMetric } from '../support/metric.ts';
import { change, openMeshServer, SharedFleet, type TestMesh } from '../support/test-mesh.ts';
import { tokenOf } from '../support/test-server.ts';

/** Waits until a server shows a host so. */
async function shown(
  { server: { registry } }: TestMesh,
  host: string,
  isSo: (row: HostRow) => boolean,
): Promise<HostRow> {
  for (;;) {
    const row = registry.row(host);
    if (row !== undefined && isSo(row)) return row;
    await once(registry, 'change');
  }
}

describe('mesh', { timeout: 60_000 }, () => {
  it('deploys a host that was inserted by SQL, and shows how far it is', async (t) => {
    const mesh = await openMeshServer(t);
    const phases: (string | undefined)[] = [];
    mesh.server.registry.on('change', (host) => phases.push(mesh.server.registry.row(host)?.message));
    mesh.deployAgents();
    mesh.fleet.rows.push({ rshost: 'root@web-1', istate: 1 });
    const row = await shown(mesh, 'web-1', ({ status }) => status === 'online');
    assert.equal(row.server, 'srv-1');
    assert.ok(phases.includes('waits for its turn'));
    const { istate, isDeployed, server } = mesh.fleet.rows[0] as FleetHost;
    assert.deepEqual([istate, isDeployed, server], [2, true, 'srv-1']);
  });

  it('retires the agent of a host that was taken offline by SQL, and takes it away', async (t) => {
    const mesh = await openMeshServer(t, { rows: [{ rshost: 'web-1', istate: 2, isDeployed: true }] });
    const agent = await mesh.agent('web-1');
    Object.assign(mesh.fleet.rows[0] as FleetHost, { istate: 0 });
    assert.equal((await agent.wire.next('retire')).reason, 'its host is taken offline');
    assert.equal((await agent.wire.closed).code, 4411);
    const row = await shown(mesh, 'web-1', ({ status, server }) => status === 'retired' && server === undefined);
    assert.equal(row.message, undefined);
    await assert.rejects(mesh.agent('web-1'), /refused with 403/);
  });

  it('lets nobody in whom the list does not know', async (t) => {
    const mesh = await openMeshServer(t, { rows: [{ rshost: 'web-1', istate: 2 }] });
    await mesh.agent('web-1');
    await assert.rejects(mesh.agent('web-2'), /refused with 403/);
  });

  it('sends agents to another server while it could not read the list, and takes them in once it has', async (t) => {
    const away = new SharedFleet();
    away.fleet.rows.push({ rshost: 'web-1', istate: 2 });
    away.fleet.onCall = async () => {
      throw new Problem('ERR_STORE_AWAY', 'MySQL at db:3306 takes no connections at the moment');
    };
    const unready = await openMeshServer(t, { shared: away });
    const said: string[] = [];
    unready.server.on('refused', (_, message) => said.push(message));
    await assert.rejects(unready.agent('web-1'), /refused with 503/);
    const ready = await openMeshServer(t, { rows: [{ rshost: 'web-1', istate: 2 }], name: 'srv-2' });
    const agent = new ReconnectingSocket({
      ...{ urls: [unready, ready].map(({ url }) => url + AGENT_PATH), token: () => tokenOf('web-1') },
      ...{ maxPayloadBytes: MAX_VIEWER_FRAME_BYTES, heartbeatMs: 60_000, random: () => 0 },
    });
    t.after(() => agent.close());
    const told: ConnectionStatus[] = [];
    agent.on('status', (status) => told.push(status));
    agent.open();
    while (told.at(-1)?.state !== 'open') await once(agent, 'status');
    assert.deepEqual([told[1]?.state, agent.url], ['lost', ready.url + AGENT_PATH]);
    assert.match(told[1]?.state === 'lost' ? told[1].reason : '', /^this server cannot read the list of hosts yet/);
    assert.deepEqual(said.length, 1);
    assert.equal(await readMetric(unready.port, 'procmesh_refused_total{reason="unready"}', 'http'), 2);
    away.fleet.onCall = async () => undefined;
    await unready.hosts.refresh();
    await unready.agent('web-1');
    away.fleet.onCall = async () => {
      throw new Error('away again');
    };
    await assert.rejects(unready.hosts.refresh());
    await unready.agent('web-1');
  });

  it('shows on each server the hosts that are connected to another', async (t) => {
    const shared = new SharedFleet();
    const one = await openMeshServer(t, { shared, rows: [{ rshost: 'web-1', istate: 2 }] });
    const two = await openMeshServer(t, { shared, name: 'srv-2' });
    const agent = await one.agent('web-1');
    const row = await shown(two, 'web-1', ({ status }) => status === 'online');
    assert.deepEqual([row.server, row.version, row.message], ['srv-1', '1.0.0', 'connected to srv-1']);
    agent.wire.socket.terminate();
    await shown(two, 'web-1', ({ status }) => status === 'offline');
    await two.agent('web-1');
    await shown(one, 'web-1', ({ status, server }) => status === 'online' && server === 'srv-2');
  });

  it('has a change made by whichever server does the duties', async (t) => {
    const shared = new SharedFleet();
    const one = await openMeshServer(t, { shared });
    const two = await openMeshServer(t, { shared, name: 'srv-2' });
    one.deployAgents();
    const { outcomes, phases } = await change(two.operator(), 'add', ['web-1', 'root@web-2']);
    assert.deepEqual([...outcomes].toSorted(), [
      ['web-1', { state: 'running' }],
      ['web-2', { state: 'running' }],
    ]);
    assert.deepEqual(phases.toSorted(), ['web-1: connecting', 'web-2: connecting']);
    assert.deepEqual(shared.deployer.calls.toSorted(), ['install root@web-2', 'install web-1']);
  });

  it('lists its own machine when an agent is started beside it, also once the store is back', async (t) => {
    const shared = new SharedFleet();
    shared.fleet.rows.push({ rshost: 'web-1', istate: 2 });
    const { hosts } = await openMeshServer(t, { shared, hasAgent: true });
    assert.equal(hosts.get('own')?.istate, 2);
    await openMeshServer(t, { shared, name: 'srv-2', hasAgent: true });
    assert.deepEqual(
      shared.fleet.rows.map(({ rshost }) => rshost),
      ['web-1', 'own'],
    );
  });

  it('leaves what was done with its own machine as it is', async (t) => {
    const { fleet } = await openMeshServer(t, { rows: [{ rshost: 'root@own', istate: -1 }], hasAgent: true });
    assert.deepEqual(fleet.rows, [{ rshost: 'root@own', istate: -1 }]);
  });

  it('notes its agents as gone, and leaves the mesh, when it ends', async (t) => {
    const mesh = await openMeshServer(t, { rows: [{ rshost: 'web-1', istate: 2 }] });
    await mesh.agent('web-1');
    await mesh.stop();
    assert.notEqual(mesh.fleet.rows[0]?.disconnectedMs, undefined);
    assert.deepEqual([mesh.fleet.alive.size, mesh.fleet.leases.size], [0, 0]);
  });
});
