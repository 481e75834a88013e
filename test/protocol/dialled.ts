import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import { type ConnectionStatus, ReconnectingSocket, type ReconnectOptions } from '../../src/protocol/reconnect.ts';

type State = ConnectionStatus['state'];

/** A WebSocket server on a port of its own that a test makes answer, refuse or fall silent. */
export class FarEnd {
  readonly wss: WebSocketServer;
  readonly requests: IncomingMessage[] = [];
  /** The HTTP status that it refuses with; 101 lets in. */
  answer = 101;
  /** Why, for who is told. */
  reason = '';
  url = '';
  readonly #http = createServer();

  constructor(options: { autoPong?: boolean; protocol?: false } = {}) {
    this.wss = new WebSocketServer({
      noServer: true,
      autoPong: options.autoPong ?? true,
      handleProtocols: ([first]) => (options.protocol === false ? false : (first ?? false)),
    });
    this.#http.on('upgrade', (request, socket, head) => {
      this.requests.push(request);
      if (this.answer === 101) this.wss.handleUpgrade(request, socket, head, (ws) => this.wss.emit('connection', ws));
      else socket.end(`HTTP/1.1 ${this.answer} No\r\ncontent-length: 0\r\nprocmesh-reason: ${this.reason}\r\n\r\n`);
    });
  }

  async listen(): Promise<this> {
    this.#http.listen(0, '127.0.0.1');
    await once(this.#http, 'listening');
    this.url = `ws://127.0.0.1:${(this.#http.address() as AddressInfo).port}/`;
    return this;
  }

  /** Resolves with the next connection that is let in. */
  async connection(): Promise<WebSocket> {
    return (await once(this.wss, 'connection'))[0];
  }

  async stop(): Promise<void> {
    for (const client of this.wss.clients) client.terminate();
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, 'close');
  }
}

export async function farEnd(t: TestContext, options?: ConstructorParameters<typeof FarEnd>[0]): Promise<FarEnd> {
  const end = await new FarEnd(options).listen();
  t.after(() => end.stop());
  return end;
}

/** A URL where nothing listens. */
export async function nowhere(): Promise<string> {
  const end = await new FarEnd().listen();
  await end.stop();
  return end.url;
}

/** A `ReconnectingSocket` whose timers run when the test lets them, and everything it has told. */
export class Dialled {
  readonly socket: ReconnectingSocket;
  readonly told: ConnectionStatus[] = [];
  readonly frames: { text: string; isBinary: boolean }[] = [];

  constructor(options: ReconnectOptions) {
    this.socket = new ReconnectingSocket(options);
    this.socket.on('status', (status) => this.told.push(status));
    this.socket.on('frame', (data, isBinary) => this.frames.push({ text: String(data), isBinary }));
  }

  get states(): State[] {
    return this.told.map(({ state }) => state);
  }

  /** Resolves with the next status of a state; call it before what leads there. */
  next<S extends State>(state: S): Promise<Extract<ConnectionStatus, { state: S }>> {
    return new Promise((resolve) => {
      const onStatus = (status: ConnectionStatus) => {
        if (status.state !== state) return;
        this.socket.off('status', onStatus);
        resolve(status as Extract<ConnectionStatus, { state: S }>);
      };
      this.socket.on('status', onStatus);
    });
  }

  /** Dials, and resolves with the status that comes of it. */
  async open<S extends State>(state: S): Promise<Extract<ConnectionStatus, { state: S }>> {
    const status = this.next(state);
    this.socket.open();
    return status;
  }
}

/** Time stands still for it; unless told otherwise its waits are as long as they may be. */
export function dialled(t: TestContext, options: Partial<ReconnectOptions> & { urls: readonly string[] }): Dialled {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const dialled = new Dialled({
    token: () => 'token',
    maxPayloadBytes: 1024,
    heartbeatMs: 1_000,
    random: () => 1,
    ...options,
  });
  t.after(async () => {
    dialled.socket.close();
    await quiet();
  });
  return dialled;
}

/** Resolves when no connection is left: a timer that one clears later would meet the next test's mocked timers. */
async function quiet(): Promise<void> {
  do await setImmediate();
  while (process.getActiveResourcesInfo().some((name) => name.startsWith('TCP') && name !== 'TCPServerWrap'));
  await setImmediate();
}
