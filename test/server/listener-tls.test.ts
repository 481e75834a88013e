import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get } from 'node:http';
import { connect } from 'node:net';
import { before, describe, it, type TestContext } from 'node:test';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { LIVE_PATH } from '../../src/protocol/message.ts';
import type { Certificate } from '../../src/server/certificate.ts';
import { makeCertificate } from '../support/certificates.ts';
import { readBody } from '../support/https.ts';
import { openServer, processQuery, SECRETS, type TestServer } from '../support/test-server.ts';
import { Wire } from '../support/wire.ts';

let certificate: Certificate;
before(async () => {
  certificate = await makeCertificate();
});

/** A TLS connection, whatever the certificate. */
async function secured(t: TestContext, port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
  t.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

/** What the server says of whom it refuses, and how often it was. */
function refusals(server: TestServer, reason: string) {
  const said: string[] = [];
  server.server.on('refused', (_, message) => said.push(message));
  const count = (): Promise<number> => server.metric(`procmesh_refused_total{reason="${reason}"}`);
  return { said, count };
}

describe('listener with a certificate', { timeout: 30_000 }, () => {
  it('shows it, and serves agents, viewers, health and metrics', async (t) => {
    const server = await openServer(t, { certificate });
    const socket = await secured(t, server.port);
    assert.equal(socket.getPeerX509Certificate()?.fingerprint256, certificate.fingerprint);
    const agent = await server.agent('web-1');
    agent.sample();
    const viewer = await server.viewer(processQuery());
    assert.equal((await viewer.next('rows')).type, 'rows');
    const health = JSON.parse(await readBody(`https://127.0.0.1:${server.port}/healthz`));
    assert.deepEqual([health.status, health.hosts], ['ok', 1]);
    assert.equal(await server.metric('procmesh_agents'), 1);
  });

  it('refuses plain HTTP and plain WebSockets at once, says so once and counts them', async (t) => {
    const server = await openServer(t, { certificate });
    const { said, count } = refusals(server, 'plain');
    for (let times = 0; times < 2; times += 1) {
      const [error] = await once(get(`http://127.0.0.1:${server.port}/healthz`), 'error');
      assert.equal(error.code, 'ECONNRESET');
      const wire = new Wire(`ws://127.0.0.1:${server.port}${LIVE_PATH}`, { token: SECRETS.viewer });
      await assert.rejects(wire.opened(), { code: 'ECONNRESET' });
    }
    assert.deepEqual(said, ['HTTP without TLS: it takes https:// and wss://']);
    assert.equal(await count(), 4);
  });

  it('refuses versions of TLS that are broken', async (t) => {
    const server = await openServer(t, { certificate });
    const { said, count } = refusals(server, 'tls');
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
    await assert.rejects(secured(t, server.port, old));
    assert.deepEqual(said, ['the TLS handshake failed (ERR_SSL_UNSUPPORTED_PROTOCOL)']);
    assert.equal(await count(), 1);
    assert.equal((await secured(t, server.port, { maxVersion: 'TLSv1.2' })).getProtocol(), 'TLSv1.2');
  });

  it('refuses what is neither TLS nor HTTP, and goes on', async (t) => {
    const server = await openServer(t, { certificate });
    const { said, count } = refusals(server, 'tls');
    for (const bytes of ['SSH-2.0-OpenSSH_9.2\r\n', Buffer.alloc(600, 0xff)]) {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(bytes);
      socket.resume();
      await once(socket, 'close');
    }
    assert.equal(said.length, 1);
    assert.equal(await count(), 2);
    await secured(t, server.port);
  });

  it('knows where somebody came from who hung up at once', async (t) => {
    const server = await openServer(t, { certificate });
    const refused = once(server.server, 'refused');
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.resetAndDestroy();
    assert.deepEqual(await refused, ['127.0.0.1', 'the TLS handshake failed (ECONNRESET)']);
  });

  it('notices a client that does not trust it', async (t) => {
    const server = await openServer(t, { certificate });
    const refused = once(server.server, 'refused');
    await assert.rejects(secured(t, server.port, { rejectUnauthorized: true }), {
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
    assert.match(String((await refused)[1]), /^the TLS handshake failed/);
  });

  it('shows another one after it was changed, and keeps who is connected', async (t) => {
    const server = await openServer(t, { certificate });
    const viewer = await server.connect('viewer');
    const renewed = await makeCertificate();
    server.server.changeCertificate(renewed);
    const socket = await secured(t, server.port);
    assert.equal(socket.getPeerX509Certificate()?.fingerprint256, renewed.fingerprint);
    await viewer.settled();
  });

  it('tells an agent why its host is refused', async (t) => {
    const server = await openServer(t, { certificate });
    server.hostList.generations.set('web-1', undefined);
    const refused = await server.connect('agent').then(
      () => undefined,
      (error: Error) => error.message,
    );
    assert.equal(refused, 'refused with 403');
  });

  it('hangs up on everybody when it ends', async (t) => {
    const server = await openServer(t, { certificate });
    const viewer = await server.connect('viewer');
    const silent = await secured(t, server.port);
    silent.resume();
    const gone = once(silent, 'close');
    await server.server.stop();
    assert.equal((await viewer.closed).code, 1001);
    await gone;
  });
});
