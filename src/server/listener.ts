import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { createServer as createTlsServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { Problem } from '../problem.ts';
import { MAX_AGENT_FRAME_BYTES, MAX_VIEWER_FRAME_BYTES } from '../protocol/codec.ts';
import { REASON_HEADER, SUBPROTOCOL } from '../protocol/message.ts';
import { MAX_OPERATOR_FRAME_BYTES } from '../protocol/operator.ts';
import type { HostList, Role, Secrets } from './auth.ts';
import type { Certificate } from './certificate.ts';
import { type Admitted, judge } from './gate.ts';
import type { ServerMetrics } from './metrics.ts';
import type { Refusals } from './refusals.ts';

const REQUEST_TIMEOUT_MS = 10_000;

export interface ListenerOptions {
  host: string;
  port: number;
  /** Undefined: nothing is encrypted. */
  certificate: Certificate | undefined;
  secrets: Secrets;
  hostList: HostList;
  metrics: ServerMetrics;
  refusals: Refusals;
  health: () => object;
  /** Somebody has come in; `address` is where from. */
  onSocket: (admitted: Admitted, socket: WebSocket, address: string) => void;
}

/** The one port: WebSockets of agents, viewers and operators, each with its token and its largest frame, health and metrics. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #http: HttpServer | HttpsServer;
  /** Everybody who is there, and where from. */
  readonly #connections = new Map<Socket, string>();
  readonly #sockets: { readonly [role in Role]: WebSocketServer };

  constructor(options: ListenerOptions) {
    this.#options = options;
    const limits = { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS };
    const { certificate } = options;
    this.#http =
      certificate === undefined
        ? createServer(limits)
        : createTlsServer({ ...limits, ...secureContext(certificate), handshakeTimeout: REQUEST_TIMEOUT_MS });
    this.#http.on('connection', (connection: Socket) => this.#httpOnConnection(connection));
    this.#http.on('request', (request, response) => void this.#httpOnRequest(request, response));
    this.#http.on('upgrade', (request, socket, head) => this.#httpOnUpgrade(request, socket, head));
    this.#http.on('tlsClientError', (error, socket) => this.#httpOnTlsClientError(error, socket));
    this.#sockets = {
      agent: upgrader(MAX_AGENT_FRAME_BYTES),
      viewer: upgrader(MAX_VIEWER_FRAME_BYTES),
      operator: upgrader(MAX_OPERATOR_FRAME_BYTES),
    };
  }

  /** Shows another certificate to who connects from now on. */
  changeCertificate(certificate: Certificate): void {
    if ('setSecureContext' in this.#http) this.#http.setSecureContext(secureContext(certificate));
  }

  /** @returns the port, which the system chooses for 0. @throws Problem when it is taken or not allowed. */
  async open(): Promise<number> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', (cause) => reject(listenProblem(cause, host, port)));
      this.#http.listen(port, host, resolve);
    });
    return (this.#http.address() as AddressInfo).port;
  }

  /** Hangs up on everybody. */
  async close(): Promise<void> {
    for (const { clients } of Object.values(this.#sockets))
      for (const socket of clients) socket.close(1001, 'the server ends');
    const closed = new Promise((resolve) => this.#http.close(resolve));
    this.#http.closeAllConnections();
    // Also those that have not said anything yet, whom `closeAllConnections` does not know.
    const timer = setTimeout(() => {
      for (const connection of this.#connections.keys()) connection.destroy();
    }, 300);
    await closed;
    clearTimeout(timer);
  }

  #httpOnConnection(connection: Socket): void {
    this.#connections.set(connection, addressOf(connection));
    connection.once('close', () => this.#connections.delete(connection));
  }

  async #httpOnRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { metrics, health } = this.#options;
    const path = request.url?.split('?')[0];
    if (request.method === 'GET' && path === '/healthz') {
      response.setHeader('content-type', 'application/json').end(`${JSON.stringify(health())}\n`);
    } else if (request.method === 'GET' && path === '/metrics') {
      response.setHeader('content-type', metrics.registry.contentType).end(await metrics.registry.metrics());
    } else {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n');
    }
  }

  #httpOnUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Without a listener a connection reset during the handshake would end the process.
    socket.on('error', () => socket.destroy());
    const judgement = judge(request, this.#options);
    if ('status' in judgement) {
      const { status, reason, message } = judgement;
      this.#options.refusals.refuse(addressOf(request.socket), reason, message);
      const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-length: 0`;
      socket.end(`${head}\r\n${REASON_HEADER}: ${message.replace(/[^\x20-\x7e]/g, '?')}\r\n\r\n`);
      return;
    }
    const address = addressOf(request.socket);
    this.#sockets[judgement.role].handleUpgrade(request, socket, head, (webSocket) =>
      this.#options.onSocket(judgement, webSocket, address),
    );
  }

  /** Node.js closes the connection. */
  #httpOnTlsClientError(error: Error, socket: Socket & { _parent?: Socket }): void {
    const code = 'code' in error ? error.code : undefined;
    // What was reset does not know any more where it came from; the TCP connection below it was asked before.
    const address = (socket._parent && this.#connections.get(socket._parent)) ?? addressOf(socket);
    const { refusals } = this.#options;
    if (code === 'ERR_SSL_HTTP_REQUEST')
      refusals.refuse(address, 'plain', 'HTTP without TLS: it takes https:// and wss://');
    else refusals.refuse(address, 'tls', `the TLS handshake failed (${code ?? error.message})`);
  }
}

/** IPv4 as such, also of who came to a socket for both. */
function addressOf({ remoteAddress = '?' }: Socket): string {
  return remoteAddress.replace(/^::ffff:/, '');
}

function secureContext({ cert, key }: Certificate) {
  return { cert, key, minVersion: 'TLSv1.2' } as const;
}

function upgrader(maxPayload: number): WebSocketServer {
  return new WebSocketServer({
    noServer: true,
    maxPayload,
    perMessageDeflate: false,
    handleProtocols: () => SUBPROTOCOL,
  });
}

function listenProblem(cause: Error, host: string, port: number): Problem {
  const code = 'code' in cause ? cause.code : undefined;
  const where = `${host}:${port}`;
  if (code === 'EADDRINUSE') {
    return new Problem(
      'ERR_LISTEN',
      `${where} is in use by another program: stop it, or set [SERVER] listen to another port`,
      { cause },
    );
  }
  if (code === 'EACCES')
    return new Problem(
      'ERR_LISTEN',
      `${where} may not be opened by this user: set [SERVER] listen to a port above 1023`,
      { cause },
    );
  return new Problem(
    'ERR_LISTEN',
    `${where} cannot be opened (${code ?? cause.message}): set [SERVER] listen to an address of this machine`,
    { cause },
  );
}
