import { isIP } from 'node:net';
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  getCACertificates,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import type { ClientOptions } from 'ws';

/** The peer is not proven to be who was meant, and was told nothing; the message says why, and how to mend it. */
export class UntrustedError extends Error {
  readonly code = 'ERR_UNTRUSTED';
  constructor(reason: string, options?: { cause: unknown }) {
    super(reason, options);
    this.name = 'UntrustedError';
  }
}

export interface DialOptions {
  host: string;
  port: number;
  /** As of `parsePin`. Undefined: the certificate must be signed by an authority and name the host. */
  pin: string | undefined;
  timeoutMs: number;
  /** Gives up while it still dials. */
  signal: AbortSignal;
}

/**
 * SHA-256 of a certificate, in hexadecimal digits with or without colons, as OpenSSL, browsers and `procmesh doctor`
 * show it. @returns it as Node.js writes it, `AB:CD:…`; undefined for what is none.
 */
export function parsePin(text: string): string | undefined {
  const digits = text.trim().replaceAll(':', '').toUpperCase();
  return /^[0-9A-F]{64}$/.test(digits) ? (digits.match(/../g) ?? []).join(':') : undefined;
}

/** Opens TLS connections to servers that are proven to be the right ones before a byte is said to them. */
export class SecureDialler {
  #authorities: SecureContext | undefined;

  /**
   * Hands over a connection that is ready to be written to, or why there is none: an `UntrustedError`, or what the
   * network said.
   */
  dial(options: DialOptions, callback: (error: Error | null, socket?: TLSSocket) => void): void {
    const { host, port, pin, timeoutMs, signal } = options;
    const socket = connect({ host, port, ...(isIP(host) === 0 && { servername: host }), ...this.#verification(pin) });
    const settle = (error: Error | null): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError).off('secureConnect', onSecure).off('close', onClose);
      if (error === null) {
        callback(null, socket);
        return;
      }
      // What a connection that is destroyed still has to say is of no interest.
      socket.on('error', () => undefined);
      socket.destroy();
      callback(error);
    };
    const onSecure = (): void => settle(pin === undefined ? null : mismatch(socket, pin));
    const onError = (error: Error): void => settle(plainError(error, socket, host));
    const onClose = (): void => settle(new Error('the server hung up'));
    const onAbort = (): void => settle(new Error('given up'));
    const timer = setTimeout(() => settle(new Error('Opening handshake has timed out')), timeoutMs);
    signal.addEventListener('abort', onAbort);
    socket.on('error', onError).on('secureConnect', onSecure).on('close', onClose);
    if (signal.aborted) onAbort();
  }

  /** For a WebSocket to such a URL. @throws UntrustedError when one is pinned that cannot be verified. */
  webSocketOptions(url: string, options: Omit<DialOptions, 'host' | 'port'>): ClientOptions {
    if (new URL(url).protocol !== 'wss:') {
      if (options.pin === undefined) return {};
      throw new UntrustedError(`a pin wants wss://, not ${url}`);
    }
    const createConnection = (
      { host, port }: { host: string; port: number | string },
      callback: Parameters<SecureDialler['dial']>[1],
    ): void => this.dial({ ...options, host, port: Number(port) }, callback);
    // `ws` hands it on to `http.request`, which takes one that calls back, unlike the one that `ws` declares.
    return { createConnection: createConnection as unknown as NonNullable<ClientOptions['createConnection']> };
  }

  /** What is pinned needs no authority, and loading those that there are takes memory. */
  #verification(pin: string | undefined): ConnectionOptions {
    if (pin !== undefined) return { ca: [], minVersion: 'TLSv1.2', rejectUnauthorized: false };
    this.#authorities ??= createSecureContext({
      ca: [...new Set([...getCACertificates('default'), ...getCACertificates('system')])],
      minVersion: 'TLSv1.2',
    });
    return { secureContext: this.#authorities, rejectUnauthorized: true };
  }
}

/** The handshake has proven that the peer has the key of its certificate; what is left is whether it is the right one. */
function mismatch(socket: TLSSocket, pin: string): UntrustedError | null {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return new UntrustedError('it shows no certificate');
  if (certificate.fingerprint256 !== pin)
    return new UntrustedError(
      `its certificate is not the pinned one but ${certificate.fingerprint256}: --pin that if it is the right server`,
    );
  const now = Date.now();
  if (now > certificate.validToDate.getTime())
    return new UntrustedError(
      `its certificate expired on ${certificate.validToDate.toISOString()}: renew it on the server`,
    );
  if (now < certificate.validFromDate.getTime())
    return new UntrustedError(
      `its certificate is valid from ${certificate.validFromDate.toISOString()} only: set the clock`,
    );
  return null;
}

/** Codes of OpenSSL's verification, without `X509_V_ERR_`, and of Node.js. */
function plainError(error: Error, socket: TLSSocket, host: string): Error {
  const code = 'code' in error ? String(error.code) : '';
  const untrusted = (reason: string): UntrustedError => new UntrustedError(reason, { cause: error });
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return untrusted('its certificate has expired: renew it on the server');
    case 'CERT_NOT_YET_VALID':
      return untrusted('its certificate is not valid yet: set the clock');
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return untrusted(`its certificate is not for ${host}: call the server as it does, or --pin it`);
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return untrusted(
        'its certificate is signed by no authority that this machine trusts: --pin the one that procmesh doctor shows there',
      );
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return new Error('it speaks no TLS: name it as ws:// if that is meant', { cause: error });
  }
  // Any other verdict on the certificate than those above is one too.
  if (socket.authorizationError) return untrusted(`its certificate is not valid (${code})`);
  return error;
}
