import WebSocket from 'ws';
import { CLOSE, FrameError, type Unknown } from '../protocol/codec.ts';
import { Heartbeat } from '../protocol/heartbeat.ts';
import type { ServerMetrics } from './metrics.ts';

/** A peer that has this much unread gets no more live frames, and after `SLOW_MS` of it is disconnected. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;
const SLOW_MS = 15_000;

export interface PeerOptions<Message extends { type: string }> {
  /** @throws FrameError on a frame that ends the connection. */
  decode: (data: WebSocket.RawData, isBinary: boolean) => Message | Unknown;
  /** Pings go out this often: the peer may ping more seldom than this server wants to hear of it. */
  heartbeatMs: number;
  metrics: ServerMetrics;
  onMessage: (message: Message) => void;
  /** The connection is gone; called once. `code` is RFC 6455's or one of `CLOSE`; 1006 when no good-bye was said. */
  onClose: (reason: string, code: number) => void;
}

/** The server's end of one connection, agent's or viewer's: validates what comes, bounds what goes, notices silence. */
export class Peer<Message extends { type: string }> {
  readonly #socket: WebSocket;
  readonly #options: PeerOptions<Message>;
  readonly #heartbeat: Heartbeat;
  #slowSinceMs: number | undefined;

  constructor(socket: WebSocket, options: PeerOptions<Message>) {
    this.#socket = socket;
    this.#options = options;
    this.#heartbeat = new Heartbeat(socket, { everyMs: options.heartbeatMs, onSilence: () => this.#hangUp() });
    socket.on('message', (data, isBinary) => this.#socketOnMessage(data, isBinary));
    // `ws` closes the connection after an error, with the code that fits (1002, 1007, 1009).
    socket.on('error', () => options.metrics.badFrames.inc());
    socket.on('close', (code, reason) => this.#socketOnClose(code, reason.toString()));
  }

  /** What was sent and this machine still has. */
  get unreadBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Sends what must arrive. */
  send(message: object): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Sends what the next frame of its kind replaces; skipped while the peer is behind. */
  sendLive(message: object): void {
    if (this.#socket.bufferedAmount <= MAX_UNREAD_BYTES) {
      this.#slowSinceMs = undefined;
      this.send(message);
      return;
    }
    this.#options.metrics.skippedFrames.inc();
    this.#slowSinceMs ??= performance.now();
    if (performance.now() - this.#slowSinceMs > SLOW_MS) this.close(CLOSE.slow, 'reads too slowly');
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    // A peer that does not answer the closing handshake is not waited for.
    setTimeout(() => this.#socket.terminate(), 1_000).unref();
  }

  #socketOnMessage(data: WebSocket.RawData, isBinary: boolean): void {
    // What follows a bad frame still comes until the closing handshake is done.
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    try {
      const message = this.#options.decode(data, isBinary);
      if (message.type === undefined) this.#options.metrics.unknownMessages.inc();
      else this.#options.onMessage(message);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#options.metrics.badFrames.inc();
      this.close(CLOSE.badFrame, error.message);
    }
  }

  #hangUp(): void {
    this.#socket.close(CLOSE.silent, 'silent');
    this.#socket.terminate();
  }

  #socketOnClose(code: number, reason: string): void {
    this.#heartbeat.stop();
    this.#options.onClose(reason === '' ? `closed (${code})` : `${reason} (${code})`, code);
  }
}
