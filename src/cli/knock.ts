import { get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import WebSocket from 'ws';
import * as z from 'zod/mini';
import { SUBPROTOCOL } from '../protocol/message.ts';
import { SecureDialler } from '../protocol/secure-socket.ts';

const TIMEOUT_MS = 2_000;
/** For the good-byes of both ends. */
const CLOSE_MS = 500;
const NORMAL = 1000;
const MAX_BODY_LENGTH = 10_000;

const healthSchema = z.object({ name: z.string() });

export interface Health {
  /** Of HTTP. */
  status: number | undefined;
  /** What a server of ours calls itself; undefined for any other program. */
  name: string | undefined;
}

/** Asks a server for its health, within 2 s. @throws UntrustedError, or what the network says. */
export async function askHealth(url: URL, pin: string | undefined): Promise<Health> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isPlain = url.protocol === 'ws:';
  const port = Number(url.port || (isPlain ? 80 : 443));
  const target = { host, port, path: '/healthz', signal };
  const { promise, resolve, reject } = Promise.withResolvers<Health>();
  const request = isPlain
    ? httpGet(target)
    : httpsGet({
        ...target,
        createConnection: (_, onCreate) => {
          const dial = { host, port, pin, timeoutMs: TIMEOUT_MS, signal };
          new SecureDialler().dial(dial, (error, socket) => onCreate(error, socket as never));
          return undefined;
        },
      });
  request.on('error', reject).on('response', (response) => {
    const { statusCode: status } = response;
    beginningOf(response).then((body) => resolve({ status, name: nameIn(body) }), reject);
  });
  try {
    return await promise;
  } catch (error) {
    throw signal.aborted ? timedOut() : error;
  }
}

async function beginningOf(response: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) {
    body += chunk;
    if (body.length > MAX_BODY_LENGTH) break;
  }
  return body;
}

function nameIn(body: string): string | undefined {
  try {
    return healthSchema.safeParse(JSON.parse(body)).data?.name;
  } catch {
    return undefined;
  }
}

/**
 * Whether a server lets somebody in: opens a WebSocket within 2 s, says nothing, and closes it. @returns the status of
 * HTTP, 101 for yes. @throws UntrustedError, or what the network says.
 */
export async function knock(url: string, path: string, token: string, pin: string | undefined): Promise<number> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const socket = new WebSocket(new URL(path, url), SUBPROTOCOL, {
    headers: { authorization: `Bearer ${token}` },
    handshakeTimeout: TIMEOUT_MS,
    perMessageDeflate: false,
    ...new SecureDialler().webSocketOptions(url, { pin, timeoutMs: TIMEOUT_MS, signal }),
  });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  socket.on('error', reject).on('open', () => {
    resolve(101);
    socket.close(NORMAL);
    const timer = setTimeout(() => socket.terminate(), CLOSE_MS);
    socket.on('close', () => clearTimeout(timer));
  });
  socket.on('unexpected-response', (request, response) => {
    resolve(response.statusCode ?? 0);
    request.destroy();
  });
  return promise;
}

/** As that of `ws`. */
function timedOut(): Error {
  return new Error('Opening handshake has timed out');
}
