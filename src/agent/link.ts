import { EventEmitter } from 'node:events';
import type WebSocket from 'ws';
import { CLOSE, decode, FrameError, MAX_VIEWER_FRAME_BYTES } from '../protocol/codec.ts';
import {
  AGENT_PATH,
  type AgentToServer,
  type Beat,
  type Hello,
  type ServerToAgent,
  type Settings,
  serverToAgentSchema,
  type Unreachable,
  type Watch,
} from '../protocol/message.ts';
import { type ConnectionStatus, ReconnectingSocket } from '../protocol/reconnect.ts';
import type { Chunk, RunningRelease, Upgrade } from '../protocol/release.ts';
import { Delivery } from './history/delivery.ts';
import type { Outbox } from './history/outbox.ts';
import { Reach } from './reach.ts';

/** Live frames are skipped while this much is unsent: the next sample makes them stale anyway. */
const MAX_UNSENT_BYTES = 1024 * 1024;
/**
 * The agents of a server that has gone arrive at the next one within this time, not at the same moment: 1,000 that come
 * within a second hold its loop up for a quarter of one.
 */
const FIRST_DELAY_MS = 2_000;

export interface LinkOptions {
  /** Base URLs, tried in turn. */
  servers: readonly string[];
  token: () => string;
  /** Of the servers' certificate; see `ReconnectOptions`. */
  pin?: () => string | undefined;
  hello: Pick<Hello, 'host' | 'version'>;
  /** Part of the hello of each connection; undefined: it was started by hand. */
  release?: () => RunningRelease | undefined;
  outbox: Outbox;
  heartbeatMs: number;
}

interface LinkEvents {
  /** `server` is the one it is about, as it was given. */
  status: [ConnectionStatus, server: string];
  settings: [Settings];
  watch: [Watch];
  unwatch: [number];
  /**
   * No server is left: each has failed three times in a row, for 30 s at least. `sinceMs` is when the first did, epoch ms;
   * `servers` says why each of them did last. Emitted once, until `reachedAgain`.
   */
  alone: [sinceMs: number, servers: readonly Unreachable[]];
  /** A server has answered the agent that was alone. */
  reachedAgain: [];
  /** The host is no longer of the mesh, and why; the connection is ended and not made again. */
  retire: [reason: string];
  /** A release is pushed; what the agent asked for of it has come; the one on trial stays, or is given up. */
  upgrade: [Upgrade];
  chunk: [Chunk];
  confirm: [serial: number];
  revert: [serial: number, reason: string];
}

/** The agent's connection to a server: says hello, sends live frames when they are fresh, and intervals until they are acknowledged. */
export class Link extends EventEmitter<LinkEvents> {
  readonly #options: LinkOptions;
  readonly #socket: ReconnectingSocket;
  readonly #delivery: Delivery;
  readonly #reach: Reach;
  #welcomed = false;
  /** The last beat, as long as nobody has heard it. */
  #unheard: Beat | undefined;

  constructor(options: LinkOptions) {
    super();
    this.#options = options;
    this.#socket = new ReconnectingSocket({
      urls: options.servers.map(agentUrl),
      token: options.token,
      ...(options.pin && { pin: options.pin }),
      maxPayloadBytes: MAX_VIEWER_FRAME_BYTES,
      heartbeatMs: options.heartbeatMs,
      firstDelayMs: FIRST_DELAY_MS,
    });
    this.#reach = new Reach(options.servers.length);
    this.#delivery = new Delivery(options.outbox, (interval) =>
      this.#socket.send(JSON.stringify({ type: 'interval', interval } satisfies AgentToServer)),
    );
    this.#socket.on('status', (status) => this.#onStatus(status));
    this.#socket.on('frame', (data, isBinary) => this.#onFrame(data, isBinary));
  }

  connect(): void {
    this.#socket.open();
  }

  close(): void {
    this.#socket.close();
  }

  /** @returns false when a beat or rows were dropped, as there is nobody to send them to or too much is waiting already. */
  sendLive(message: AgentToServer): boolean {
    return this.#welcomed && this.#socket.send(JSON.stringify(message), MAX_UNSENT_BYTES);
  }

  /** Sends a beat, or keeps it until somebody listens: whoever was missed is seen again at once, not with the next sample. */
  sendBeat(beat: Beat): void {
    this.#unheard = this.sendLive(beat) ? undefined : beat;
  }

  /** Sends what must not be skipped, unless there is nobody to send it to. */
  send(message: AgentToServer): void {
    if (this.#welcomed) this.#socket.send(JSON.stringify(message));
  }

  /** Sends what waits in the outbox, at some moment of the next `withinMs`; to be called when something new waits. */
  async sendIntervals(withinMs = 0): Promise<void> {
    const inMs = Math.random() * withinMs;
    if (inMs > 0) await new Promise((resolve) => setTimeout(resolve, inMs).unref());
    await this.#delivery.run();
  }

  /** The one that is connected to, or was dialled last. */
  get server(): string {
    return this.#options.servers.find((server) => agentUrl(server) === this.#socket.url) ?? this.#socket.url;
  }

  #onStatus(status: ConnectionStatus): void {
    this.#welcomed = false;
    this.#delivery.close();
    if (status.state === 'open') this.#sayHello();
    this.emit('status', status, this.server);
    // Whoever refuses an agent lives: others may well be taken in.
    if (status.state === 'refused' && this.#reach.refused(this.server, status.reason)) this.emit('reachedAgain');
    if (status.state !== 'lost') return;
    const sinceMs = this.#reach.failed(this.server, status.reason);
    if (sinceMs !== undefined) this.emit('alone', sinceMs, this.#reach.unreachable);
  }

  #sayHello(): void {
    const { hello, outbox } = this.#options;
    const { waiting, dropped } = outbox;
    const release = this.#options.release?.();
    const { unreachable } = this.#reach;
    const message: Hello = {
      type: 'hello',
      ...hello,
      outbox: { waiting, dropped },
      ...(unreachable.length > 0 && { unreachable }),
      ...(release && { release }),
    };
    this.#socket.send(JSON.stringify(message));
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
        if (this.#reach.reached()) this.emit('reachedAgain');
        this.emit('settings', message.settings);
        if (this.#unheard !== undefined) this.sendBeat(this.#unheard);
        this.#delivery.open();
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
        void this.#delivery.acknowledged(message.endMs);
        break;
      case 'defer':
        this.#delivery.deferred(message.endMs, message.afterMs);
        break;
      case 'retire':
        this.#socket.close();
        this.emit('retire', message.reason);
        break;
      case 'upgrade':
        this.emit('upgrade', message);
        break;
      case 'chunk':
        this.emit('chunk', message);
        break;
      case 'confirm':
        this.emit('confirm', message.serial);
        break;
      case 'revert':
        this.emit('revert', message.serial, message.reason);
        break;
    }
  }
}

/** Where agents connect to that server. */
export function agentUrl(server: string): string {
  return new URL(AGENT_PATH, server).href;
}
