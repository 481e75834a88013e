import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type ConnectionOptions, connect } from 'node:tls';
import { AGENT_PATH, LIVE_PATH } from '../../src/protocol/message.ts';
import { ensureCertificate } from '../../src/server/certificate.ts';
import { ownCertificateFiles } from '../../src/server/certificate-files.ts';
import { makeAuthority, makeCertificate } from '../support/certificates.ts';
import { assertFailed, launch, procmesh } from '../support/command.ts';
import { FakeAgent } from '../support/fake-agent.ts';
import { readMetric } from '../support/metric.ts';
import { scratchFolder } from '../support/scratch.ts';
import { writeToken } from '../support/token-file.ts';
import { Wire } from '../support/wire.ts';
import { type Mesh, openMesh, until } from './mesh.ts';

function pinOf(cert: string): string {
  return new X509Certificate(cert).fingerprint256;
}

/** Fingerprint of the certificate that a server shows. */
async function shown(port: number): Promise<string | undefined> {
  const options: ConnectionOptions = { host: '127.0.0.1', port, rejectUnauthorized: false };
  const socket = connect(options);
  await once(socket, 'secureConnect');
  const fingerprint = socket.getPeerX509Certificate()?.fingerprint256;
  socket.destroy();
  return fingerprint;
}

interface Own {
  mesh: Mesh;
  cert: string;
  key: string;
}

/** A mesh whose server has a certificate by an authority of one's own. */
async function withOwnCertificate(t: TestContext, wanted: Parameters<typeof makeCertificate>[0]): Promise<Own> {
  const folder = scratchFolder(t);
  const [cert, key] = [join(folder, 'mesh.pem'), join(folder, 'mesh.key')];
  const made = await makeCertificate(wanted);
  writeFileSync(cert, made.cert);
  writeFileSync(key, made.key);
  return { mesh: await openMesh(t, { PROCMESH_SERVER_TLS: `${cert},${key}` }), cert, key };
}

describe('a mesh is encrypted by itself', { timeout: 60_000, concurrency: 2 }, () => {
  it('and the agent and the viewers of the server’s own machine know its certificate', async (t) => {
    const mesh = await openMesh(t);
    const started = await mesh.start();
    assert.equal(await shown(mesh.port), pinOf(readFileSync(ownCertificateFiles(mesh.dataDir).cert, 'utf8')));
    const { rows } = JSON.parse((await mesh.run('hosts', '--json')).stdout);
    assert.deepEqual([rows.length, rows[0].host, rows[0].status], [1, hostname(), 'online']);
    assert.equal((await started.kill('SIGTERM')).code, 0);
  });

  it('and viewers elsewhere see it with the pin, and without it, or with another, are told how', async (t) => {
    const mesh = await openMesh(t);
    await mesh.server();
    const pin = await shown(mesh.port);
    const elsewhere = (...args: string[]) =>
      procmesh(t, ['hosts', '--server', mesh.url, '--token-file', join(mesh.dataDir, 'viewer.token'), ...args], {
        PROCMESH_GLOBAL_DATA_DIR: scratchFolder(t),
      });
    assert.deepEqual([(await elsewhere('--pin', pin ?? '')).code, (await elsewhere()).code], [0, 1]);
    assertFailed(await elsewhere(), 1, /is not trusted: its certificate is signed by no authority .*--pin/);
    assertFailed(await elsewhere('--pin', 'ab'.repeat(32)), 1, new RegExp(`not the pinned one but ${pin}: --pin that`));
  });

  it('an agent whose token is void goes on trying, with what its token file says by then', async (t) => {
    const mesh = await openMesh(t);
    await mesh.server();
    await mesh.list('web-1');
    const file = writeToken(mesh.dataDir, 'web-1');
    const good = readFileSync(file, 'utf8');
    writeFileSync(file, good.replace('.0.', '.7.'));
    const agent = launch(t, ['agent', '--token-file', file], mesh.environment, 'ipc');
    await agent.ready();
    await agent.stderr.line((line) => line.includes('no valid agent token'));
    writeFileSync(file, good);
    await agent.stderr.line((line) => line.includes('"connected"'));
  });
});

describe('a mesh with a certificate of one’s own', { timeout: 60_000, concurrency: 2 }, () => {
  it('is trusted by who trusts its authority, under its name alone', async (t) => {
    const authority = await makeAuthority();
    const { mesh } = await withOwnCertificate(t, { authority, names: ['localhost'] });
    await mesh.server();
    const trusted = join(mesh.dataDir, 'authority.pem');
    writeFileSync(trusted, authority.cert);
    const hosts = (name: string, env: NodeJS.ProcessEnv = { NODE_EXTRA_CA_CERTS: trusted }) =>
      procmesh(
        t,
        ['hosts', '--server', `wss://${name}:${mesh.port}`, '--token-file', join(mesh.dataDir, 'viewer.token')],
        env,
      );
    assert.equal((await hosts('localhost')).code, 0);
    // As the system's own store would.
    assert.equal((await hosts('localhost', { SSL_CERT_FILE: trusted })).code, 0);
    assertFailed(await hosts('127.0.0.1'), 1, /its certificate is not for 127\.0\.0\.1/);
    assertFailed(await hosts('localhost', {}), 1, /signed by no authority that this machine trusts/);
    // On the server's own machine it is known by its file, whatever it is called there.
    assert.equal((await mesh.run('hosts')).code, 0);
  });

  it('shows a renewed one after SIGHUP, keeps its connections, and the one it has when the new one is of no use', async (t) => {
    const { mesh, cert, key } = await withOwnCertificate(t, {});
    const server = await mesh.server();
    const token = await mesh.list('web-1');
    const wire = await new Wire(mesh.url + AGENT_PATH, { token }).opened();
    t.after(() => wire.socket.terminate());
    new FakeAgent('web-1', wire).hello();
    await wire.next('welcome');

    const renewed = await makeCertificate();
    writeFileSync(cert, renewed.cert);
    server.process.kill('SIGHUP');
    await server.stderr.line((line) => line.includes('is not that of'));
    assert.notEqual(await shown(mesh.port), renewed.fingerprint);
    writeFileSync(key, renewed.key);
    server.process.kill('SIGHUP');
    await until(async () => (await shown(mesh.port)) === renewed.fingerprint);
    await wire.settled();
    assert.equal((await mesh.run('hosts')).code, 0);
  });

  for (const [what, change, message] of [
    ['expired', async () => makeCertificate({ from: -10, to: -1 }), /mesh\.pem expired on .*: set \[SERVER\] tls/],
    ['garbage', async () => ({ cert: 'garbage', key: '' }), /mesh\.pem holds no certificate/],
  ] as const)
    it(`does not start when it is ${what}, and says so`, async (t) => {
      const { mesh, cert, key } = await withOwnCertificate(t, {});
      const bad = await change();
      writeFileSync(cert, bad.cert);
      writeFileSync(key, bad.key);
      assertFailed(await mesh.run('server'), 2, message);
      assertFailed(await mesh.run('start', '--no-tui'), 2, message);
    });
});

describe('a mesh that is not encrypted', { timeout: 60_000 }, () => {
  it('serves plain WebSockets, and warns when others can reach it', async (t) => {
    const mesh = await openMesh(t, { PROCMESH_SERVER_TLS: 'off' });
    // From when it was.
    await ensureCertificate(mesh.dataDir);
    const server = await mesh.server();
    const token = readFileSync(join(mesh.dataDir, 'viewer.token'), 'utf8').trim();
    const wire = await new Wire(`ws://127.0.0.1:${mesh.port}${LIVE_PATH}`, { token }).opened();
    wire.socket.terminate();
    assert.equal((await mesh.run('hosts')).code, 0);
    assert.ok(!server.stderr.text.includes('nothing is encrypted'));
    assert.equal(await readMetric(mesh.port, 'procmesh_agents', 'http'), 0);
    await server.kill('SIGTERM');

    const open = launch(t, ['server'], { ...mesh.environment, PROCMESH_SERVER_LISTEN: String(mesh.port) }, 'ipc');
    await open.ready();
    await open.stderr.line((line) => line.includes('nothing is encrypted'));
  });
});
