import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { hostsJson, psGroupJson, psHistoryJson, psJson } from './contract.ts';
import { assertAddsUp, burner } from './machine.ts';
import { HOST, type Mesh, openMesh } from './mesh.ts';

/** A server and an agent that samples twice a second and ends an interval each second. */
async function running(t: TestContext): Promise<Mesh> {
  const mesh = await openMesh(t, { PROCMESH_GLOBAL_INTERVAL_TIME: '1', PROCMESH_GLOBAL_SAMPLE_TIME: '0.5' });
  await mesh.server();
  await mesh.agent();
  const watching = mesh.watch('hosts');
  await watching.stdout.line((line) => JSON.parse(line).rows[0]?.cpuPercent !== undefined);
  await watching.kill('SIGTERM');
  return mesh;
}

describe('a server and an agent', { timeout: 120_000 }, () => {
  it('answer ps --json and hosts --json in the shapes of the contract', async (t) => {
    const mesh = await running(t);
    const ps = await mesh.run('ps', '--json', '--sort', 'cpu', '--limit', '5');
    assert.deepEqual([ps.code, ps.stderr], [0, '']);
    const { rows } = psJson.parse(JSON.parse(ps.stdout));
    assert.equal(rows.length, 5);
    const cpu = rows.map(({ cpuPercent }) => cpuPercent ?? -1);
    assert.deepEqual(
      cpu,
      cpu.toSorted((a, b) => b - a),
    );
    for (const { host } of rows) assert.equal(host, HOST);

    const groups = await mesh.run('ps', '--json', '--group', 'user');
    assert.ok(psGroupJson.parse(JSON.parse(groups.stdout)).rows.length > 0);

    const hosts = await mesh.run('hosts', '--json');
    assert.deepEqual([hosts.code, hosts.stderr], [0, '']);
    const [host, ...others] = hostsJson.parse(JSON.parse(hosts.stdout)).rows;
    assert.deepEqual([host?.host, host?.status, host?.version, others], [HOST, 'online', '0.1.0', []]);
  });

  it('account for everything: the rows and what is unattributed add up to the host', async (t) => {
    const mesh = await running(t);
    await burner(t);
    const { stdout } = await mesh.run('ps', '--json', '--limit', '10000');
    assertAddsUp(psJson.parse(JSON.parse(stdout)));
  });

  it('show who uses up a core, by the name of its instance, now and then', async (t) => {
    // Listening ports are looked for seldom: the agent finds this one when it starts.
    const instance = `node:${(await burner(t)).port}`;
    const mesh = await running(t);
    const watching = mesh.watch('ps', '--sort', 'cpu', '--limit', '10');
    const line = await watching.stdout.line((text) => {
      const row = psJson.parse(JSON.parse(text)).rows.find((candidate) => candidate.instance === instance);
      return (row?.cpuPercent ?? 0) > 10;
    });
    const { at, rows } = psJson.parse(JSON.parse(line));
    const row = rows.find((candidate) => candidate.instance === instance);
    assert.deepEqual(row?.ports, [Number(instance.slice(5))]);
    assert.match(row?.cmdline ?? '', /createServer/);
    assert.equal((await watching.kill('SIGTERM')).code, 0);

    // The interval that holds this moment has ended when the store knows a later one.
    for (;;) {
      const { stdout } = await mesh.run('ps', '--json', '--at', at, '--limit', '100');
      const then = psHistoryJson.parse(JSON.parse(stdout));
      if (then.rows.length === 0) continue;
      assert.ok(Date.parse(then.at) >= Date.parse(at) && Date.parse(then.at) < Date.parse(at) + 2_000);
      const recorded = then.rows.find((candidate) => candidate.instance === instance);
      assert.equal(recorded?.pid, row?.pid);
      assert.ok((recorded?.cpuPercentMax ?? 0) > 10);
      return;
    }
  });

  it('stream one JSON document a line, each newer than the one before', async (t) => {
    const mesh = await running(t);
    const watching = mesh.watch('ps', '--limit', '3');
    const times = new Set<string>();
    await watching.stdout.line((line) => times.add(psJson.parse(JSON.parse(line)).at).size >= 4);
    const { code, stdout, stderr } = await watching.kill('SIGTERM');
    assert.deepEqual([code, stderr], [0, '']);
    const all = stdout
      .trimEnd()
      .split('\n')
      .map((line) => Date.parse(psJson.parse(JSON.parse(line)).at));
    assert.deepEqual(
      all,
      all.toSorted((a, b) => a - b),
    );
  });
});
