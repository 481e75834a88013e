import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import type { Command } from '../support/command.ts';
import { losePackets, setCable } from '../support/net-namespaces.ts';
import { isRoot, missing } from '../support/requirements.ts';
import { CutMesh, HOST } from './cut-mesh.ts';

/** How often a server has said so. */
function count(server: Command, what: string): number {
  return server.stderr.text.split(what).length - 1;
}

/** Ends the agent, then the server, and looks into its store: everything measured is there, once, and nothing overlaps. */
async function assertNothingLost(mesh: CutMesh, agent: Command, server: { command: Command; dataDir: string }) {
  assert.equal((await agent.kill('SIGTERM')).code, 0);
  assert.equal((await server.command.kill('SIGTERM')).code, 0);
  const db = new DatabaseSync(join(server.dataDir, 'procmesh.db'), { readOnly: true });
  const stored = db
    .prepare(
      'SELECT a_time - length_ms AS startMs, a_time AS endMs FROM tb_monitor_host_info WHERE rshost = ? ORDER BY 2',
    )
    .all(HOST) as { startMs: number; endMs: number }[];
  db.close();
  const waiting = mesh.waiting();
  assert.ok(waiting.length <= 2, `${waiting.length} wait`);
  const expected = [...mesh.measured].filter((endMs) => !waiting.includes(endMs)).sort((a, b) => a - b);
  // What was stored and not yet acknowledged when the agent was ended waits too.
  assert.deepEqual(
    stored.map(({ endMs }) => endMs).filter((endMs) => !waiting.includes(endMs)),
    expected,
  );
  for (const [index, { startMs }] of stored.entries())
    if (index > 0) assert.ok(startMs >= (stored[index - 1]?.endMs ?? 0), `${startMs} is counted twice`);
}

const obstacle = isRoot() ? missing(['iproute2', 'nftables']) : 'network namespaces are for root';

describe('an agent behind a cable', { timeout: 240_000, concurrency: 4, skip: obstacle }, () => {
  it('that is stopped for a moment is late, then online again over the same connection', async (t) => {
    const mesh = new CutMesh(t, 1);
    const server = await mesh.server();
    const agent = await mesh.agent();
    const hosts = mesh.watch();
    await hosts.row(({ status, cpuPercent }) => status === 'online' && cpuPercent !== undefined);
    agent.process.kill('SIGSTOP');
    await hosts.row(({ status }) => status === 'late');
    agent.process.kill('SIGCONT');
    await hosts.row(({ status }) => status === 'online');
    await mesh.intervals(2, 'stored');
    assert.deepEqual([...new Set(hosts.rows().map(({ status }) => status))].sort(), ['late', 'online']);
    assert.equal(count(server.command, 'agent connected'), 1);
    await assertNothingLost(mesh, agent, server);
  });

  it('that is stopped for long is offline, and comes back by itself', async (t) => {
    const mesh = new CutMesh(t, 1);
    const server = await mesh.server();
    const agent = await mesh.agent();
    const hosts = mesh.watch();
    await mesh.intervals(2, 'stored');
    agent.process.kill('SIGSTOP');
    assert.equal((await hosts.row(({ status }) => status === 'offline')).message, 'closed (1006)');
    agent.process.kill('SIGCONT');
    await hosts.row(({ status }) => status === 'online');
    await mesh.intervals(2, 'stored');
    await assertNothingLost(mesh, agent, server);
  });

  it('that is killed is offline at once, and loses nothing', async (t) => {
    const mesh = new CutMesh(t, 1);
    const server = await mesh.server();
    const first = await mesh.agent();
    const hosts = mesh.watch();
    await mesh.intervals(2, 'stored');
    await first.kill('SIGKILL');
    await hosts.row(({ status }) => status === 'offline');
    assert.equal(count(server.command, 'agent disconnected'), 1);
    const agent = await mesh.agent();
    await hosts.row(({ status }) => status === 'online');
    await mesh.intervals(2, 'stored');
    await assertNothingLost(mesh, agent, server);
  });

  it('is not given up by a server that was itself stopped for longer than silence may last', async (t) => {
    // The server wants a sign of life within three seconds, the agent within nine.
    const mesh = new CutMesh(t, 1, { PROCMESH_GLOBAL_HEARTBEAT_TIME: '1' });
    const server = await mesh.server();
    const agent = await mesh.agent();
    await mesh.intervals(2, 'stored');
    server.command.process.kill('SIGSTOP');
    await mesh.intervals(5, 'measured');
    server.command.process.kill('SIGCONT');
    await mesh.intervals(2, 'stored');
    assert.deepEqual([count(server.command, 'agent connected'), count(server.command, 'agent disconnected')], [1, 0]);
    assert.equal(count(agent, 'not connected'), 0);
    await assertNothingLost(mesh, agent, server);
  });

  it('looks for its server again when that was stopped for long', async (t) => {
    const mesh = new CutMesh(t, 1);
    const server = await mesh.server();
    const agent = await mesh.agent();
    await mesh.intervals(2, 'stored');
    server.command.process.kill('SIGSTOP');
    const lost = await agent.stderr.line((line) => line.includes('not connected'));
    assert.equal(JSON.parse(lost).reason, 'the server has gone silent');
    server.command.process.kill('SIGCONT');
    await mesh.intervals(2, 'stored');
    await assertNothingLost(mesh, agent, server);
  });

  it('stays online while every seventh packet is lost and all are late', async (t) => {
    const mesh = new CutMesh(t, 1);
    const server = await mesh.server();
    const agent = await mesh.agent([await mesh.lateUrl(300)]);
    const hosts = mesh.watch();
    await hosts.row(({ status }) => status === 'online');
    const before = hosts.rows().length;
    for (const end of [mesh.hosts, mesh.servers]) losePackets(end, 7);
    await mesh.intervals(8, 'stored');
    const statuses = new Set(
      hosts
        .rows()
        .slice(before)
        .map(({ status }) => status),
    );
    assert.ok(statuses.size > 0 && !statuses.has('offline'), [...statuses].join());
    assert.equal(count(server.command, 'agent connected'), 1);
    for (const end of [mesh.hosts, mesh.servers]) losePackets(end, 0);
    await mesh.intervals(1, 'stored');
    await assertNothingLost(mesh, agent, server);
  });

  it('delivers after a cut everything it has measured, once, and is live before that is done', async (t) => {
    const mesh = new CutMesh(t, 1);
    const server = await mesh.server();
    const agent = await mesh.agent();
    const hosts = mesh.watch();
    await mesh.intervals(2, 'stored');
    setCable(mesh.hosts, 'down');
    await mesh.intervals(15, 'measured');
    setCable(mesh.hosts, 'up');
    await hosts.row(({ status, cpuPercent }) => status === 'online' && cpuPercent !== undefined);
    await mesh.intervals(2, 'stored');
    assert.ok(mesh.measured.size >= 19);
    await assertNothingLost(mesh, agent, server);
  });
});
