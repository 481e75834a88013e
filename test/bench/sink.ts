import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Settings, SUBPROTOCOL } from '../../src/protocol/message.ts';
import { newKey, selfSignedCertificate } from '../../src/server/self-signed.ts';

/** A server that welcomes any agent, counts its beats and does nothing else. */
export class Sink {
  readonly #https = createServer();
  readonly #server: WebSocketServer;
  readonly #settings: Settings;
  beats = 0;
  bytes = 0;

  constructor(sampleMs: number) {
    const rules = {
      cpuPercent: 200,
      memBytes: 10 * 1024 ** 3,
      ioBytesPerSec: 10 ** 7,
      netBytesPerSec: 10 ** 7,
      queue: 5,
      utilPercent: 50,
      top: 5,
    };
    this.#settings = { intervalMs: 30_000, sampleMs, heartbeatMs: 3_000, mounts: [], rules };
    this.#server = new WebSocketServer({ server: this.#https, handleProtocols: () => SUBPROTOCOL });
    this.#server.on('connection', (socket) => this.#onConnection(socket));
  }

  /** Listens, with a certificate of its own. */
  async open(): Promise<{ url: string; pin: string }> {
    const key = newKey();
    const cert = await selfSignedCertificate(key);
    this.#https.setSecureContext({ cert, key });
    this.#https.listen(0, '127.0.0.1');
    await once(this.#https, 'listening');
    const { port } = this.#https.address() as AddressInfo;
    return { url: `wss://127.0.0.1:${port}`, pin: new X509Certificate(cert).fingerprint256 };
  }

  /** Resolves after so many more beats. */
  async wait(beats: number): Promise<void> {
    const goal = this.beats + beats;
    while (this.beats < goal) await once(this.#server, 'beat');
  }

  close(): void {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
    this.#https.close();
  }

  #onConnection(socket: WebSocket): void {
    socket.on('message', (data) => {
      const text = data.toString();
      const message = JSON.parse(text);
      this.bytes += text.length;
      if (message.type === 'hello')
        socket.send(JSON.stringify({ type: 'welcome', server: 'sink', settings: this.#settings }));
      if (message.type === 'interval') socket.send(JSON.stringify({ type: 'ack', endMs: message.interval.endMs }));
      if (message.type !== 'beat') return;
      this.beats += 1;
      this.#server.emit('beat');
    });
  }
}
