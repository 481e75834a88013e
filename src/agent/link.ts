import { EventEmitter } from 'node:events';
import type WebSocket from 'ws';
import { CLOSE, decode, FrameError, MAX_VIEWER_FRAME_BYTES } from '../protocol/codec.ts';
import {
  AGENT_PATH,
  type AgentToServer,
  type Hello,
  type ServerToAgent,
  type Settings,
  serverToAgentSchema,
  type Watch,
} from '../protocol/message.ts';
import { type ConnectionStatus, ReconnectingSocket } from '../protocol/reconnect.ts';
import type { Outbox } from './history/outbox.ts';

/** Intervals that may be on their way without an acknowledgement: back-fill goes at the pace of the server's store. */
const IN_FLIGHT = 4;
/** Live frames are skipped while this much is unsent: the next sample makes them stale anyway. */
const MAX_UNSENT_BYTES = 1024 * 1024;

export interface LinkOptions {
  /** Base URLs, tried in turn. */
  servers: readonly string[];
  token: () => string;
  hello: Pick<Hello, 'host' | 'version'>;
  outbox: Outbox;
  heartbeatMs: number;
}

interface LinkEvents {
  status: [ConnectionStatus];
  settings: [Settings];
  watch: [Watch];
  unwatch: [number];
}

/** The agent's connection to a server: says hello, sends live frames when they are fresh, and intervals until they are acknowledged. */
export class Link extends EventEmitter<LinkEvents> {
  readonly #options: LinkOptions;
  readonly #socket: ReconnectingSocket;
  readonly #inFlight = new Set<number>();
  #welcomed = false;
  #sending = false;
  #sendAgain = false;

  constructor(options: LinkOptions) {
    super();
    this.#options = options;
    this.#socket = new ReconnectingSocket({
      urls: options.servers.map((server) => new URL(AGENT_PATH, server).href),
      token: options.token,
      maxPayloadBytes: MAX_VIEWER_FRAME_BYTES,
      heartbeatMs: options.heartbeatMs,
    });
    this.#socket.on('status', (status) => this.#onStatus(status));
    this.#socket.on('frame', (data, isBinary) => this.#onFrame(data, isBinary));
  }

  connect(): void {
    this.#socket.open();
  }

  close(): void {
    this.#socket.close();
  }

  /** Sends a beat or rows, or drops it when there is nobody to send it to or too much is waiting already. */
  sendLive(message: AgentToServer): void {
    if (this.#welcomed) this.#socket.send(JSON.stringify(message), MAX_UNSENT_BYTES);
  }

  /** Sends what waits in the outbox, oldest first; to be called when something new waits. */
  async sendIntervals(): Promise<void> {
    this.#sendAgain = true;
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (this.#sendAgain) {
        this.#sendAgain = false;
        for (const endMs of this.#options.outbox.oldest(IN_FLIGHT)) await this.#sendInterval(endMs);
      }
    } finally {
      this.#sending = false;
    }
  }

  async #sendInterval(endMs: number): Promise<void> {
    if (!this.#welcomed || this.#inFlight.has(endMs)) return;
    this.#inFlight.add(endMs);
    const interval = await this.#options.outbox.read(endMs);
    if (interval === undefined) this.#sendAgain = true;
    const message: AgentToServer | undefined = interval && { type: 'interval', interval };
    if (message === undefined || !this.#socket.send(JSON.stringify(message))) this.#inFlight.delete(endMs);
  }

  #onStatus(status: ConnectionStatus): void {
    this.#welcomed = false;
    this.#inFlight.clear();
    if (status.state === 'open') {
      const { waiting, dropped } = this.#options.outbox;
      this.#socket.send(
        JSON.stringify({ type: 'hello', ...this.#options.hello, outbox: { waiting, dropped } } satisfies Hello),
      );
    }
    this.emit('status', status);
  }

  #onFrame(data: WebSocket.RawData, isBinary: boolean): void {
    let message: ServerToAgent | { type: undefined };
    try {
      message = decode(serverToAgentSchema, data, isBinary);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#socket.drop(CLOSE.badFrame, error.message);
      return;
    }
    switch (message.type) {
      case 'welcome':
        this.#welcomed = true;
        this.emit('settings', message.settings);
        void this.sendIntervals();
        break;
      case 'settings':
        this.emit('settings', message.settings);
        break;
      case 'watch':
        this.emit('watch', message);
        break;
      case 'unwatch':
        this.emit('unwatch', message.id);
        break;
      case 'ack':
        void this.#onAck(message.endMs);
        break;
    }
  }

  async #onAck(endMs: number): Promise<void> {
    this.#inFlight.delete(endMs);
    await this.#options.outbox.forget(endMs);
    await this.sendIntervals();
  }
}
