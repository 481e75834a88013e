import { EventEmitter, once } from 'node:events';
import WebSocket from 'ws';
import { type ServerToAgent, type ServerToViewer, SUBPROTOCOL } from '../../src/protocol/message.ts';

export type Received = ServerToAgent | ServerToViewer;
type OfType<T extends Received['type']> = Extract<Received, { type: T }>;

/** A bare WebSocket to a server. What comes is kept, in order, until a test takes it. */
export class Wire extends EventEmitter<{ message: [Received] }> {
  readonly socket: WebSocket;
  /** How the server, or this side, ended it. */
  readonly closed: Promise<{ code: number; reason: string }>;
  /** Not taken yet. */
  readonly received: Received[] = [];

  constructor(url: string, options: { token?: string; protocols?: string[]; autoPong?: boolean } = {}) {
    super();
    const { token, protocols = [SUBPROTOCOL], autoPong = true } = options;
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    // Whom it speaks with is the matter of other tests.
    const anybody = { rejectUnauthorized: false };
    this.socket = new WebSocket(url, protocols, { headers, autoPong, perMessageDeflate: false, ...anybody });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    this.socket.on('error', () => undefined);
    this.socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as Received;
      this.received.push(message);
      this.emit('message', message);
    });
  }

  /** Resolves when the connection stands; rejects with the server's HTTP status when it is refused. */
  async opened(): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.socket.once('open', resolve);
      this.socket.once('error', reject);
      this.socket.once('unexpected-response', (request, { statusCode }) => {
        request.destroy();
        reject(new Error(`refused with ${statusCode}`));
      });
    });
    return this;
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Takes the first message of a type, waiting for it if need be; rejects when the connection ends before. */
  async next<T extends Received['type']>(type: T): Promise<OfType<T>> {
    for (;;) {
      const position = this.received.findIndex((message) => message.type === type);
      if (position >= 0) return this.received.splice(position, 1)[0] as OfType<T>;
      const ended = await Promise.race([once(this, 'message').then(() => undefined), this.closed]);
      if (ended !== undefined) throw new Error(`closed with ${ended.code} ${ended.reason} while waiting for ${type}`);
    }
  }

  /** Takes everything of a type that has come. */
  taken<T extends Received['type']>(type: T): OfType<T>[] {
    const found = this.received.filter((message): message is OfType<T> => message.type === type);
    for (const message of found) this.received.splice(this.received.indexOf(message), 1);
    return found;
  }

  /** Resolves when the server has worked off what was sent before, and what it had sent by then has come. */
  async settled(): Promise<void> {
    this.socket.ping();
    const ended = await Promise.race([once(this.socket, 'pong').then(() => undefined), this.closed]);
    if (ended !== undefined) throw new Error(`closed with ${ended.code} ${ended.reason}`);
  }
}
