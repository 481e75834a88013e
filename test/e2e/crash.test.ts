import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import type { Command } from '../support/command.ts';
import { readMetric } from '../support/metric.ts';
import { HOST, type Mesh, openMesh, until } from './mesh.ts';

interface Stored {
  startMs: number;
  endMs: number;
  /** Process rows it says it has, and rows there are. */
  recorded: number;
  rows: number;
}

/** What the store holds, read past our own code, while no server has it open. */
function stored(mesh: Mesh): Stored[] {
  const db = new DatabaseSync(join(mesh.dataDir, 'procmesh.db'), { readOnly: true });
  try {
    assert.equal(db.prepare('PRAGMA integrity_check').get()?.integrity_check, 'ok');
    return db
      .prepare(
        `SELECT a_time - length_ms AS startMs, a_time AS endMs, recorded,
          (SELECT count(*) FROM tb_monitor_process_io_info p WHERE p.rshost = h.rshost AND p.a_time = h.a_time) AS rows
        FROM tb_monitor_host_info h WHERE rshost = ? ORDER BY a_time`,
      )
      .all(HOST) as unknown as Stored[];
  } finally {
    db.close();
  }
}

/** Every interval is there once, with all of its rows, on the second, and none overlaps another. */
function assertSound(intervals: Stored[]): void {
  assert.equal(new Set(intervals.map(({ endMs }) => endMs)).size, intervals.length);
  for (const [index, { startMs, endMs, recorded, rows }] of intervals.entries()) {
    assert.equal(endMs % 1_000, 0);
    assert.equal(rows, recorded, `rows of the interval that ended at ${endMs}`);
    const before = intervals[index - 1];
    assert.ok(
      startMs < endMs && (before === undefined || startMs >= before.endMs),
      `${before?.endMs} ${startMs} ${endMs}`,
    );
  }
}

/** Intervals of a second and two samples in each. */
function openFast(t: TestContext): Promise<Mesh> {
  return openMesh(t, { PROCMESH_GLOBAL_INTERVAL_TIME: '1', PROCMESH_GLOBAL_SAMPLE_TIME: '0.5' });
}

/** Waits until so many more intervals are acknowledged. */
async function acknowledged(mesh: Mesh, count: number): Promise<void> {
  const total = () => readMetric(mesh.port, 'procmesh_intervals_total');
  const enough = (await total()) + count;
  await until(async () => (await total()) >= enough);
}

async function stopAll(agent: Command, server: Command): Promise<void> {
  assert.equal((await agent.kill('SIGTERM')).code, 0);
  assert.equal((await server.kill('SIGTERM')).code, 0);
}

describe('whatever dies', { timeout: 180_000, concurrency: 2 }, () => {
  it('a server killed again and again costs no interval, and none is stored twice', async (t) => {
    const mesh = await openFast(t);
    let server = await mesh.server();
    const agent = await mesh.agent();
    await acknowledged(mesh, 2);
    const waited = new Set<number>();
    for (let round = 0; round < 3; round += 1) {
      // Right after an acknowledgement, when an interval has been put on the disk, and for as long as one takes.
      await acknowledged(mesh, 1);
      if (round === 1) await until(() => mesh.outbox().length > 0);
      await server.kill('SIGKILL');
      if (round === 2) await until(() => mesh.outbox().length > 0);
      for (const endMs of mesh.outbox()) waited.add(endMs);
      server = await mesh.server();
    }
    await until(() => mesh.outbox().length === 0);
    await acknowledged(mesh, 1);
    await stopAll(agent, server);

    const intervals = stored(mesh);
    assertSound(intervals);
    const ends = new Set(intervals.map(({ endMs }) => endMs));
    assert.ok(waited.size >= 1);
    assert.deepEqual(
      [...waited].filter((endMs) => !ends.has(endMs)),
      [],
    );
    // The agent lived through all of it, so that what it measured has no gap, whichever seconds it met.
    for (const [index, { startMs }] of intervals.entries())
      if (index > 0) assert.equal(startMs, intervals[index - 1]?.endMs);
    assert.deepEqual(mesh.outbox(), []);
  });

  it('an agent killed again and again loses none of the intervals it had ended', async (t) => {
    const mesh = await openFast(t);
    let server = await mesh.server();
    let agent = await mesh.agent();
    await acknowledged(mesh, 1);
    const waited = new Set<number>();
    for (let round = 0; round < 2; round += 1) {
      await server.kill('SIGKILL');
      await until(() => mesh.outbox().length >= 2);
      await agent.kill('SIGKILL');
      for (const endMs of mesh.outbox()) waited.add(endMs);
      agent = await mesh.agent();
      server = await mesh.server();
      // Killed once more while what has waited is under way.
      await acknowledged(mesh, 1);
      await agent.kill('SIGKILL');
      for (const endMs of mesh.outbox()) waited.add(endMs);
      agent = await mesh.agent();
      await acknowledged(mesh, 1);
    }
    await until(() => mesh.outbox().length === 0);
    await stopAll(agent, server);

    const intervals = stored(mesh);
    assertSound(intervals);
    const ends = new Set(intervals.map(({ endMs }) => endMs));
    assert.ok(waited.size >= 4);
    assert.deepEqual(
      [...waited].filter((endMs) => !ends.has(endMs)),
      [],
    );
  });

  it('an agent that was started before the server measures, waits and delivers', async (t) => {
    const mesh = await openFast(t);
    const first = await mesh.server();
    const early = await mesh.agent();
    await acknowledged(mesh, 1);
    await stopAll(early, first);
    // From its last connection it knows how long an interval is.
    const agent = await mesh.agent();
    await until(() => mesh.outbox().length >= 3);
    const waited = mesh.outbox();
    const server = await mesh.server();
    await until(() => waited.every((endMs) => !mesh.outbox().includes(endMs)));
    const { rows } = JSON.parse((await mesh.run('hosts', '--json')).stdout);
    assert.equal(rows[0].status, 'online');
    await stopAll(agent, server);
    const ends = new Set(stored(mesh).map(({ endMs }) => endMs));
    assert.deepEqual(
      waited.filter((endMs) => !ends.has(endMs)),
      [],
    );
  });

  it('an agent that never met a server begins to measure when there is one', async (t) => {
    const mesh = await openFast(t);
    await mesh.server().then((server) => server.kill('SIGTERM'));
    const agent = await mesh.agent();
    await agent.stderr.line((line) => line.includes('not connected'));
    const server = await mesh.server();
    await acknowledged(mesh, 1);
    await stopAll(agent, server);
    assertSound(stored(mesh));
  });

  it('history survives: a new server knows the host and answers about the past', async (t) => {
    const mesh = await openFast(t);
    const first = await mesh.server();
    const agent = await mesh.agent();
    await acknowledged(mesh, 2);
    await agent.kill('SIGKILL');
    await first.kill('SIGKILL');
    await mesh.server();
    const { rows } = JSON.parse((await mesh.run('hosts', '--json')).stdout);
    assert.deepEqual([rows.length, rows[0].host, rows[0].status], [1, HOST, 'offline']);
    const past = JSON.parse((await mesh.run('ps', '--json', '--at', rows[0].lastSeenAt)).stdout);
    assert.equal(past.at, rows[0].lastSeenAt);
    assert.ok(past.rows.length > 0);
  });
});
