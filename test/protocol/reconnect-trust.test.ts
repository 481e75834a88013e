import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { before, describe, it, type TestContext } from 'node:test';
import type { Certificate } from '../../src/server/certificate.ts';
import { makeCertificate } from '../support/certificates.ts';
import { dialled, farEnd } from './dialled.ts';
import { secureEnd } from './secure-end.ts';

const TOKEN = 'token-that-nobody-else-may-see';

let certificate: Certificate;
let foreign: Certificate;
before(async () => {
  [certificate, foreign] = await Promise.all([makeCertificate(), makeCertificate()]);
});

function near(t: TestContext, url: string, pin: () => string | undefined) {
  return dialled(t, { urls: [url], token: () => TOKEN, pin, maxDelayMs: 5_000 });
}

describe('ReconnectingSocket over TLS', { timeout: 30_000 }, () => {
  it('sends its token and its frames to the server that is pinned', async (t) => {
    const far = await secureEnd(t, certificate);
    const socket = near(t, far.url, () => certificate.fingerprint);
    await socket.open('open');
    assert.match(far.heard, new RegExp(`authorization: Bearer ${TOKEN}\r\n`));
    const frame = once(far.frames, 'frame');
    assert.equal(socket.socket.send('{"type":"hello"}'), true);
    assert.equal((await frame)[0], '{"type":"hello"}');
  });

  it('sends not a byte to another server, says why, and dials again after the longest delay', async (t) => {
    const far = await secureEnd(t, foreign);
    let pin: string | undefined = certificate.fingerprint;
    const socket = near(t, far.url, () => pin);
    assert.deepEqual(await socket.open('refused'), {
      state: 'refused',
      reason: `its certificate is not the pinned one but ${foreign.fingerprint}: --pin that if it is the right server`,
      what: 'certificate',
    });
    await far.left();
    assert.equal(far.heard, '');
    pin = undefined;
    const again = socket.next('refused');
    t.mock.timers.tick(4_999);
    assert.equal(socket.states.at(-1), 'refused');
    t.mock.timers.tick(1);
    assert.match((await again).reason, /signed by no authority/);
    await far.left();
    assert.equal(far.heard, '');
    // The pin may be renewed like a token.
    pin = foreign.fingerprint;
    const open = socket.next('open');
    t.mock.timers.tick(5_000);
    await open;
    assert.ok(far.heard.includes(TOKEN));
  });

  it('sends nothing at all where a pin cannot be verified', async (t) => {
    const far = await farEnd(t);
    const socket = near(t, far.url, () => certificate.fingerprint);
    const { reason, what } = await socket.open('refused');
    assert.match(reason, /^a pin wants wss:\/\/, not ws:/);
    assert.equal(what, 'certificate');
    assert.equal(far.requests.length, 0);
  });

  it('says so when it is to speak without TLS with a server that hangs up on that', async (t) => {
    const far = await secureEnd(t, certificate);
    const socket = near(t, far.url.replace('wss:', 'ws:'), () => undefined);
    assert.match((await socket.open('lost')).reason, /it hangs up at once: name it as wss:\/\//);
  });

  it('takes the reason that a server gives for refusing a token, if it can be shown', async (t) => {
    const far = await farEnd(t);
    const socket = near(t, far.url, () => undefined);
    far.answer = 403;
    far.reason = 'db-1 is not a host of this mesh';
    assert.equal((await socket.open('refused')).reason, far.reason);
    far.reason = `\x9b31m${far.reason}`;
    const again = socket.next('refused');
    t.mock.timers.tick(5_000);
    assert.equal((await again).reason, 'the server refuses the token');
  });

  it('takes a connection that is closed with 4403 for a refused token', async (t) => {
    const far = await farEnd(t);
    const socket = near(t, far.url, () => undefined);
    const [connection] = [far.connection(), socket.open('open')];
    const refused = socket.next('refused');
    (await connection).close(4403, 'this token is for another host');
    assert.deepEqual(await refused, {
      state: 'refused',
      reason: 'this token is for another host (4403)',
      what: 'token',
    });
  });

  it('leaves no dial behind when it is closed', async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const socket = near(t, `wss://127.0.0.1:${(server.address() as { port: number }).port}`, () => undefined);
    const connection = once(server, 'connection');
    socket.socket.open();
    const [peer] = await connection;
    const closed = once(peer, 'close');
    peer.resume();
    socket.socket.close();
    await closed;
  });
});
