import { EventEmitter, once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type WebSocket from 'ws';
import { WebSocketServer } from 'ws';
import { type AgentToServer, type ServerToAgent, type Settings, SUBPROTOCOL } from '../../src/protocol/message.ts';

type OfType<T extends AgentToServer['type']> = Extract<AgentToServer, { type: T }>;

export const SETTINGS: Settings = {
  intervalMs: 10_000,
  sampleMs: 1_000,
  heartbeatMs: 60_000,
  mounts: ['/nowhere'],
  rules: { cpuPercent: 0, memBytes: 0, ioBytesPerSec: 0, netBytesPerSec: 0, queue: 5, utilPercent: 50, top: 5 },
};

/** The server's end of one agent's connection. What comes is kept, in order, until a test takes it. */
export class Connection extends EventEmitter<{ message: [AgentToServer] }> {
  readonly socket: WebSocket;
  readonly token: string | undefined;
  readonly path: string | undefined;
  /** Not taken yet. */
  readonly received: AgentToServer[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;

  constructor(socket: WebSocket, token: string | undefined, path: string | undefined) {
    super();
    this.socket = socket;
    this.token = token;
    this.path = path;
    this.closed = once(socket, 'close').then(([code, reason]) => ({ code, reason: String(reason) }));
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as AgentToServer;
      this.received.push(message);
      this.emit('message', message);
    });
  }

  send(message: ServerToAgent | object): void {
    this.socket.send(JSON.stringify(message));
  }

  welcome(settings: Partial<Settings> = {}): void {
    this.send({ type: 'welcome', server: 'test', settings: { ...SETTINGS, ...settings } });
  }

  /** Takes the first message of a type, waiting for it if need be. */
  async next<T extends AgentToServer['type']>(type: T): Promise<OfType<T>> {
    for (;;) {
      const position = this.received.findIndex((message) => message.type === type);
      if (position >= 0) return this.received.splice(position, 1)[0] as OfType<T>;
      await once(this, 'message');
    }
  }

  /** Takes all of a type that has come so far. */
  taken<T extends AgentToServer['type']>(type: T): OfType<T>[] {
    const taken = this.received.filter((message) => message.type === type);
    for (const message of taken) this.received.splice(this.received.indexOf(message), 1);
    return taken as OfType<T>[];
  }

  /** Resolves when the agent has dealt with everything it was sent, and what it sent in reply has come. */
  async settled(): Promise<void> {
    this.socket.ping();
    await once(this.socket, 'pong');
  }
}

/** A server that agents connect to and that does just what a test tells it. */
export class FakeServer extends EventEmitter<{ connection: [Connection] }> {
  readonly url: string;
  readonly #waiting: Connection[] = [];

  private constructor(server: WebSocketServer) {
    super();
    const { address, port } = server.address() as AddressInfo;
    this.url = `ws://${address}:${port}`;
    server.on('connection', (socket, request) => {
      const connection = new Connection(socket, request.headers.authorization, request.url);
      this.#waiting.push(connection);
      this.emit('connection', connection);
    });
  }

  static async start(t: TestContext, host = '127.0.0.1'): Promise<FakeServer> {
    const server = new WebSocketServer({
      port: 0,
      host,
      handleProtocols: (protocols) => protocols.has(SUBPROTOCOL) && SUBPROTOCOL,
    });
    t.after(() => {
      for (const client of server.clients) client.terminate();
      server.close();
    });
    await once(server, 'listening');
    return new FakeServer(server);
  }

  /** Takes the next connection, waiting for it if need be. */
  async connection(): Promise<Connection> {
    if (this.#waiting.length === 0) await once(this, 'connection');
    return this.#waiting.shift() as Connection;
  }
}
