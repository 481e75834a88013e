import { createServer, type Server as HttpServer, type IncomingMessage, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { Problem } from '../problem.ts';
import { MAX_AGENT_FRAME_BYTES, MAX_VIEWER_FRAME_BYTES } from '../protocol/codec.ts';
import { AGENT_PATH, LIVE_PATH, SUBPROTOCOL } from '../protocol/message.ts';
import { isAuthorized, type Role, type Tokens } from './auth.ts';
import type { ServerMetrics } from './metrics.ts';

const REQUEST_TIMEOUT_MS = 10_000;

export interface ListenerOptions {
  host: string;
  port: number;
  tokens: Tokens;
  metrics: ServerMetrics;
  health: () => object;
  /** Somebody has come in; `address` is where from. */
  onSocket: (role: Role, socket: WebSocket, address: string) => void;
  /** A connection was turned away; where it came from and why. */
  onRefused: (address: string, reason: string) => void;
}

/** The one port: WebSockets of agents and viewers, each with its token and its largest frame, and health and metrics. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #http: HttpServer;
  readonly #sockets: { readonly [role in Role]: WebSocketServer };

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#http = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS });
    this.#http.on('request', (request, response) => void this.#httpOnRequest(request, response));
    this.#http.on('upgrade', (request, socket, head) => this.#httpOnUpgrade(request, socket, head));
    this.#sockets = { agent: upgrader(MAX_AGENT_FRAME_BYTES), viewer: upgrader(MAX_VIEWER_FRAME_BYTES) };
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
    for (const role of ['agent', 'viewer'] as const)
      for (const socket of this.#sockets[role].clients) socket.close(1001, 'the server ends');
    const closed = new Promise((resolve) => this.#http.close(resolve));
    this.#http.closeAllConnections();
    const timer = setTimeout(() => {
      for (const role of ['agent', 'viewer'] as const)
        for (const socket of this.#sockets[role].clients) socket.terminate();
    }, 300);
    await closed;
    clearTimeout(timer);
  }

  async #httpOnRequest(request: IncomingMessage, response: import('node:http').ServerResponse): Promise<void> {
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
    const path = request.url?.split('?')[0];
    const role = path === AGENT_PATH ? 'agent' : path === LIVE_PATH ? 'viewer' : undefined;
    const protocols = request.headers['sec-websocket-protocol']?.split(',').map((protocol) => protocol.trim()) ?? [];
    if (role === undefined) this.#refuse(request, socket, 404, `unknown path ${path?.slice(0, 50)}`);
    else if (!isAuthorized(request, this.#options.tokens[role]))
      this.#refuse(request, socket, 401, `no valid ${role} token`);
    else if (!protocols.includes(SUBPROTOCOL))
      this.#refuse(request, socket, 400, `the subprotocol ${SUBPROTOCOL} is not offered`);
    else {
      const address = request.socket.remoteAddress ?? '?';
      this.#sockets[role].handleUpgrade(request, socket, head, (webSocket) =>
        this.#options.onSocket(role, webSocket, address),
      );
    }
  }

  #refuse(request: IncomingMessage, socket: Duplex, status: number, reason: string): void {
    this.#options.metrics.refused.inc();
    this.#options.onRefused(request.socket.remoteAddress ?? '?', reason);
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  }
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
