import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import { WebSocketServer } from 'ws';
import { install, Mint } from '../agent/upgrade/host.ts';
import { launch } from '../support/command.ts';
import { readMetric } from '../support/metric.ts';
import { scratchFolder } from '../support/scratch.ts';
import { Wire } from '../support/wire.ts';
import { type Mesh, openMesh, until } from './mesh.ts';

/*
 * What agents and servers of version 0.1.0 say, which knew of no upgrades: texts as they were on the wire. They stay as
 * they are for as long as the subprotocol is called procmesh.v1.
 */
const OLD_SUBPROTOCOL = 'procmesh.v1';
const OLD_HELLO = '{"type":"hello","host":"old-1","version":"0.1.0","outbox":{"waiting":1,"dropped":0}}';
const OLD_USAGE =
  '"cores":4,"cpuPercent":12.5,"iowaitPercent":0,"stealPercent":0,"load1":0.5,"memTotalBytes":8000000000,"memUsedBytes":2000000000,"readBytesPerSec":1000,"writeBytesPerSec":2000,"deviceReadBytesPerSec":1000,"deviceWriteBytesPerSec":2000,"diskUtilPercent":3,"diskQueue":0.1,"netInBytesPerSec":10,"netOutBytesPerSec":20,"processes":90,"unattributed":{"cpuPercent":1,"readBytesPerSec":0,"writeBytesPerSec":0,"netInBytesPerSec":0}';
const oldBeat = (atMs: number): string =>
  `{"type":"beat","atMs":${atMs},"usage":{${OLD_USAGE}},"culprits":{},"agent":{"cpuPercent":0.4,"rssBytes":50000000,"sampleMs":2000}}`;
const oldInterval = (endMs: number): string =>
  `{"type":"interval","interval":{"startMs":${endMs - 30_000},"endMs":${endMs},"samples":15,"host":{${OLD_USAGE}},"hostMax":{"cpuPercent":50,"memUsedBytes":2000000000,"readBytesPerSec":1000,"writeBytesPerSec":2000,"diskUtilPercent":3,"diskQueue":1,"netInBytesPerSec":10,"netOutBytesPerSec":20},"disks":[],"processes":[]}}`;
const OLD_WELCOME =
  '{"type":"welcome","server":"old-server","settings":{"intervalMs":1000,"sampleMs":500,"heartbeatMs":3000,"mounts":[],"rules":{"cpuPercent":0,"memBytes":0,"ioBytesPerSec":0,"netBytesPerSec":0,"queue":5,"utilPercent":50,"top":5}}}';
const OLD_SERVER_SAYS = ['welcome', 'settings', 'watch', 'unwatch', 'ack', 'defer', 'retire'];
const OLD_AGENT_SAYS = ['hello', 'beat', 'interval', 'rows'];

/** A server that has a release to bring to hosts, and an agent of version 0.1.0 that was deployed to one of them. */
async function withOldAgent(t: TestContext) {
  const mesh = await openMesh(t);
  await (await mesh.server()).kill('SIGTERM');
  const token = await listed(mesh, 'old-1');
  const db = new DatabaseSync(join(mesh.dataDir, 'procmesh.db'));
  db.exec(`UPDATE tb_monitor_version SET hash = '${'a'.repeat(64)}', version = '0.1.0'`);
  db.close();
  const server = await mesh.server();
  await server.stderr.line((line) => line.includes('begins its way to the hosts'));
  const wire = await new Wire(`${mesh.url}/agent`, { token, protocols: [OLD_SUBPROTOCOL] }).opened();
  t.after(() => wire.socket.terminate());
  return { mesh, wire };
}

/** Lists a host as one that a server has deployed to. @returns its token. */
async function listed(mesh: Mesh, host: string): Promise<string> {
  const server = await mesh.server();
  const token = await mesh.list(host);
  await server.kill('SIGTERM');
  const db = new DatabaseSync(join(mesh.dataDir, 'procmesh.db'));
  db.exec(`INSERT INTO tb_monitor_host_detail (rshost, is_deployed) VALUES ('${host}', 1)
    ON CONFLICT (rshost) DO UPDATE SET is_deployed = 1`);
  db.close();
  return token;
}

describe('an agent of version 0.1.0', { timeout: 60_000 }, () => {
  it('streams to this server, and is left alone by releases, which say so', async (t) => {
    const { mesh, wire } = await withOldAgent(t);
    wire.socket.send(OLD_HELLO);
    await wire.next('welcome');
    wire.socket.send(oldBeat(Date.now()));
    const endMs = Math.floor(Date.now() / 30_000) * 30_000;
    wire.socket.send(oldInterval(endMs));
    assert.equal((await wire.next('ack')).endMs, endMs);
    const { rows } = JSON.parse((await mesh.run('hosts', '--json')).stdout);
    const row = rows.find(({ host }: { host: string }) => host === 'old-1');
    assert.deepEqual([row.status, row.version, row.cpuPercent], ['online', '0.1.0', 12.5]);
    const release = async () => JSON.parse((await mesh.run('release', '--json')).stdout).rollout;
    await until(async () => (await release()).state === 'done');
    const { counts, hosts } = await release();
    assert.equal(counts.waiting, 0);
    assert.match(hosts[0].reason, /^its agent was started by hand, or is too old/);
    assert.equal(hosts[0].host, 'old-1');
    await wire.settled();
    assert.deepEqual(
      wire.received.filter(({ type }) => !OLD_SERVER_SAYS.includes(type)),
      [],
    );
  });
});

describe('an agent of a version to come', { timeout: 60_000 }, () => {
  it('may say what this server does not know: that is counted, and no trouble', async (t) => {
    const mesh = await openMesh(t);
    const server = await mesh.server();
    const wire = await new Wire(`${mesh.url}/agent`, { token: await mesh.list('new-1') }).opened();
    t.after(() => wire.socket.terminate());
    const hello = JSON.parse(OLD_HELLO);
    wire.send({ ...hello, host: 'new-1', release: { hash: 'b'.repeat(64), serial: 7, architecture: 'x64', mood: 1 } });
    await wire.next('welcome');
    wire.send({ type: 'teleport', to: 'db-2' });
    wire.send({ ...JSON.parse(oldBeat(Date.now())), mood: 'well' });
    await wire.settled();
    assert.equal(await readMetric(mesh.port, 'procmesh_unknown_messages_total'), 1);
    assert.equal(await readMetric(mesh.port, 'procmesh_beats_total'), 1);
    assert.equal(await readMetric(mesh.port, 'procmesh_bad_frames_total'), 0);
    assert.equal((await server.kill('SIGTERM')).code, 0);
  });
});

/** Takes agents as version 0.1.0 did: it knows nothing that agents are not told with those seven words. */
async function oldServer(t: TestContext) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => OLD_SUBPROTOCOL });
  t.after(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  await once(server, 'listening');
  return { server, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** A folder as this server deploys it. */
function deployed(t: TestContext, url: string): string {
  const [folder, mint] = [scratchFolder(t), new Mint()];
  install(folder, mint.make('2.0', 3, { 'agent.mjs': '', 'node-options': '' }, undefined));
  const settings = { host: 'new-1', servers: [url], releaseKey: mint.releaseKey };
  for (const name of ['etc', 'data']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'etc/agent.json'), JSON.stringify(settings));
  writeFileSync(join(folder, 'etc/agent.token'), 'token\n');
  return folder;
}

describe('this agent', { timeout: 60_000 }, () => {
  it('streams to a server of version 0.1.0, and heeds what that one or a later one says', async (t) => {
    const { server, url } = await oldServer(t);
    const connected = once(server, 'connection');
    const agent = launch(t, ['agent', '--deployed', deployed(t, url)], {});
    const [socket] = await connected;
    const said: { type: string; [field: string]: unknown }[] = [];
    socket.on('message', (data: Buffer) => said.push(JSON.parse(data.toString())));
    const next = async (type: string) => {
      while (!said.some((message) => message.type === type)) await once(socket, 'message');
      return said.find((message) => message.type === type);
    };
    const hello = await next('hello');
    assert.deepEqual([hello?.host, hello?.version], ['new-1', '2.0']);
    socket.send(OLD_WELCOME);
    await next('beat');
    socket.send('{"type":"watch","id":1,"query":{"view":"processes","sort":"cpu","limit":3},"ttlMs":15000}');
    await next('rows');
    socket.send('{"type":"unwatch","id":1}');
    const interval = (await next('interval'))?.interval as { endMs: number };
    socket.send(`{"type":"ack","endMs":${interval.endMs}}`);
    socket.send('{"type":"teleport","to":"db-2"}');
    socket.send(OLD_WELCOME.replace('welcome', 'settings').replace('{"intervalMs"', '{"mood":1,"intervalMs"'));
    said.length = 0;
    await next('beat');
    const later = (await next('interval'))?.interval as { endMs: number };
    assert.ok(later.endMs > interval.endMs);
    assert.deepEqual(
      said.filter(({ type }) => !OLD_AGENT_SAYS.includes(type)),
      [],
    );
    socket.send('{"type":"retire","reason":"the host was taken out of the list"}');
    assert.equal((await agent.finished).code, 0);
    assert.equal(server.clients.size, 0);
  });
});
