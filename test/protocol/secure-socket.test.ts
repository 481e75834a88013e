import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { before, describe, it, type TestContext } from 'node:test';
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { parsePin, SecureDialler, UntrustedError } from '../../src/protocol/secure-socket.ts';
import type { Certificate } from '../../src/server/certificate.ts';
import { makeAuthority, makeCertificate } from '../support/certificates.ts';
import { type SecureEnd, secureEnd } from './secure-end.ts';

interface Dialled {
  pin?: string | undefined;
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** What comes of dialling: the connection, which ends with the test, or the error. */
function dial(t: TestContext, end: { port: number }, options: Dialled = {}): Promise<TLSSocket | Error> {
  const { pin, timeoutMs = 20_000, signal = new AbortController().signal } = options;
  const { promise, resolve } = Promise.withResolvers<TLSSocket | Error>();
  new SecureDialler().dial({ host: '127.0.0.1', port: end.port, pin, timeoutMs, signal }, (error, socket) => {
    if (socket !== undefined) t.after(() => socket.destroy());
    resolve(error ?? (socket as TLSSocket));
  });
  return promise;
}

async function assertUntrusted(t: TestContext, end: SecureEnd, pin: string | undefined, message: RegExp) {
  const error = await dial(t, end, { pin });
  assert.ok(error instanceof UntrustedError, String(error));
  assert.match(error.message, message);
  await end.left();
  assert.equal(end.heard, '');
}

let certificate: Certificate;
before(async () => {
  certificate = await makeCertificate();
});

describe('parsePin', () => {
  const digits = '0123456789abcdef'.repeat(4);
  const pin = digits.toUpperCase().match(/../g)?.join(':');

  it('takes a SHA-256 with and without colons, small and capital', () => {
    for (const text of [digits, digits.toUpperCase(), pin ?? '', pin?.toLowerCase() ?? '', ` ${digits}\n`])
      assert.equal(parsePin(text), pin);
  });

  it('takes nothing else', () => {
    for (const text of ['', 'auto', digits.slice(1), `${digits}0`, digits.replace('0', 'g'), `sha1:${digits}`])
      assert.equal(parsePin(text), undefined);
  });
});

describe('a dialler with a pin', { timeout: 30_000 }, () => {
  it('hands over a connection to the server that shows the certificate', async (t) => {
    const end = await secureEnd(t, certificate);
    const socket = await dial(t, end, { pin: certificate.fingerprint });
    assert.ok(!(socket instanceof Error), String(socket));
    socket.end('hello');
    socket.resume();
    await once(socket, 'close');
    assert.equal(end.heard, 'hello');
  });

  it('says nothing to one that shows another certificate', async (t) => {
    const other = await makeCertificate();
    const end = await secureEnd(t, other);
    await assertUntrusted(
      t,
      end,
      certificate.fingerprint,
      new RegExp(`^its certificate is not the pinned one but ${other.fingerprint}: --pin that`),
    );
  });

  it('says nothing to one that shows a certificate which an authority vouches for', async (t) => {
    const authority = await makeAuthority();
    trust(t, authority.cert);
    const end = await secureEnd(t, await makeCertificate({ authority }));
    await assertUntrusted(t, end, certificate.fingerprint, /not the pinned one/);
  });

  for (const [what, from, to, message] of [
    ['has expired', -10, -1, /^its certificate expired on \d{4}-\d\d-\d\dT.*: renew it/],
    ['is not valid yet', 1, 10, /^its certificate is valid from \d{4}-\d\d-\d\dT.* only: set the clock$/],
  ] as const)
    it(`says nothing to the right one whose certificate ${what}`, async (t) => {
      const own = await makeCertificate({ from, to });
      await assertUntrusted(t, await secureEnd(t, own), own.fingerprint, message);
    });
});

/** For the rest of the test. */
function trust(t: TestContext, cert: string): void {
  const trusted = getCACertificates('default');
  setDefaultCACertificates([...trusted, cert]);
  t.after(() => setDefaultCACertificates(trusted));
}

describe('a dialler without a pin', { timeout: 30_000 }, () => {
  it('hands over a connection to a server that a trusted authority vouches for, by name', async (t) => {
    const authority = await makeAuthority();
    trust(t, authority.cert);
    const end = await secureEnd(t, await makeCertificate({ authority }));
    const socket = await dial(t, end);
    assert.ok(!(socket instanceof Error), String(socket));
  });

  it('says nothing to one whose certificate is for another name', async (t) => {
    const authority = await makeAuthority();
    trust(t, authority.cert);
    const end = await secureEnd(t, await makeCertificate({ authority, names: ['10.0.0.5', 'mesh.example.com'] }));
    await assertUntrusted(t, end, undefined, /^its certificate is not for 127\.0\.0\.1: .*--pin it$/);
  });

  it('says nothing to one whose certificate has expired', async (t) => {
    const authority = await makeAuthority();
    trust(t, authority.cert);
    const end = await secureEnd(t, await makeCertificate({ authority, from: -10, to: -1 }));
    await assertUntrusted(t, end, undefined, /^its certificate has expired: renew it/);
  });

  it('says nothing to one that nobody vouches for, or an authority that is not trusted', async (t) => {
    const untrusted =
      /^its certificate is signed by no authority that this machine trusts: --pin the one that procmesh doctor shows/;
    await assertUntrusted(t, await secureEnd(t, certificate), undefined, untrusted);
    const foreign = await makeCertificate({ authority: await makeAuthority() });
    await assertUntrusted(t, await secureEnd(t, foreign), undefined, untrusted);
  });
});

describe('a dialler', { timeout: 30_000 }, () => {
  /** A TCP server that does with its connections what a test wants. */
  async function plainEnd(t: TestContext, onConnection: (socket: Socket) => void) {
    const server = createServer((socket) => {
      t.after(() => socket.destroy());
      socket.on('error', () => undefined);
      onConnection(socket);
    }).listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    return { port: (server.address() as AddressInfo).port };
  }

  it('tells of a server that speaks no TLS', async (t) => {
    const end = await plainEnd(t, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const error = await dial(t, end, { pin: certificate.fingerprint });
    assert.match(String(error), /it speaks no TLS: name it as ws:\/\//);
  });

  it('tells of a server that hangs up', async (t) => {
    const end = await plainEnd(t, (socket) => socket.destroy());
    const error = await dial(t, end, { pin: certificate.fingerprint });
    assert.ok(error instanceof Error && !(error instanceof UntrustedError));
  });

  it('gives up on a server that never answers', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { promise, resolve } = Promise.withResolvers<Socket>();
    const end = await plainEnd(t, resolve);
    const error = dial(t, end, { pin: certificate.fingerprint, timeoutMs: 5_000 });
    const socket = await promise;
    const closed = once(socket, 'close');
    socket.resume();
    t.mock.timers.tick(5_000);
    assert.match(String(await error), /timed out/);
    await closed;
  });

  it('gives up when it is told to, also before it has begun', async (t) => {
    const { promise, resolve } = Promise.withResolvers<Socket>();
    const end = await plainEnd(t, resolve);
    const controller = new AbortController();
    const error = dial(t, end, { pin: certificate.fingerprint, signal: controller.signal });
    const socket = await promise;
    const closed = once(socket, 'close');
    socket.resume();
    controller.abort();
    assert.match(String(await error), /given up/);
    await closed;
    assert.match(String(await dial(t, end, { signal: controller.signal })), /given up/);
  });
});
