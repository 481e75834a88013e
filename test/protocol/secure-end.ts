import { EventEmitter, once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { WebSocketServer } from 'ws';
import type { Certificate } from '../../src/server/certificate.ts';

/** A WebSocket server with TLS that lets everybody in and records all that it is told. */
export class SecureEnd {
  /** Deciphered. */
  heard = '';
  readonly frames = new EventEmitter<{ frame: [string] }>();
  port = 0;
  readonly #https: Server;
  readonly #sockets = new Set<Socket>();

  constructor({ cert, key }: Pick<Certificate, 'cert' | 'key'>) {
    this.#https = createServer({ cert, key });
    this.#https.on('connection', (socket: Socket) => this.#sockets.add(socket));
    this.#https.on('secureConnection', (socket) => {
      socket.on('data', (data) => {
        this.heard += data.toString('latin1');
      });
    });
    const upgrader = new WebSocketServer({ server: this.#https, handleProtocols: ([first]) => first ?? false });
    upgrader.on('connection', (socket) => socket.on('message', (data) => this.frames.emit('frame', String(data))));
  }

  get url(): string {
    return `wss://127.0.0.1:${this.port}/`;
  }

  async listen(): Promise<this> {
    this.#https.listen(0, '127.0.0.1');
    await once(this.#https, 'listening');
    this.port = (this.#https.address() as AddressInfo).port;
    return this;
  }

  /** Resolves when everybody who came is gone. */
  async left(): Promise<void> {
    for (const socket of this.#sockets) if (!socket.destroyed) await once(socket, 'close');
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#https.close();
    await once(this.#https, 'close');
  }
}

export async function secureEnd(t: TestContext, certificate: Pick<Certificate, 'cert' | 'key'>): Promise<SecureEnd> {
  const end = await new SecureEnd(certificate).listen();
  t.after(() => end.stop());
  return end;
}
