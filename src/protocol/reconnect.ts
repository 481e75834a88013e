import { EventEmitter } from 'node:events';
import WebSocket from 'ws';
import { SUBPROTOCOL } from './message.ts';

/** Where a connection stands; `reason` says in plain words why it was lost or could not be made. */
export type ConnectionStatus =
  | { state: 'connecting' }
  | { state: 'open' }
  | { state: 'lost'; reason: string; retryInMs: number }
  | { state: 'refused'; reason: string }
  | { state: 'closed' };

export interface ReconnectOptions {
  /** Tried in turn: after a lost connection the next one is dialled. */
  urls: readonly string[];
  /** Sent as `Authorization: Bearer …`; asked for at every dial, so that a rotated token is picked up. */
  token: () => string;
  maxPayloadBytes: number;
  /** A ping goes out this often; three unanswered ones end the connection. */
  heartbeatMs: number;
  /** First and longest wait between dials; the real wait is uniformly random below it (full jitter). */
  firstDelayMs?: number;
  maxDelayMs?: number;
  random?: () => number;
}

interface ReconnectEvents {
  status: [ConnectionStatus];
  frame: [data: WebSocket.RawData, isBinary: boolean];
}

const DIAL_TIMEOUT_MS = 10_000;
/** A connection that lasted this long starts the backoff anew when it is lost. */
const STABLE_MS = 60_000;
const MISSED_HEARTBEATS = 3;

/**
 * A WebSocket that is dialled again whenever it is lost, until `close`. A refusal that waiting cannot mend (401, 403)
 * is reported as `refused` and still retried at the longest delay, because a token may be rotated.
 */
export class ReconnectingSocket extends EventEmitter<ReconnectEvents> {
  readonly #options: Required<ReconnectOptions>;
  #socket: WebSocket | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #redial: NodeJS.Timeout | undefined;
  #failures = 0;
  #dials = 0;
  #missed = 0;
  #openedAt = 0;
  #reason = 'the connection was closed';
  #refused = false;
  #closed = false;

  constructor(options: ReconnectOptions) {
    super();
    this.#options = { firstDelayMs: 250, maxDelayMs: 15_000, random: Math.random, ...options };
  }

  /** Dials; afterwards everything is told by events. */
  open(): void {
    this.emit('status', { state: 'connecting' });
    // Whoever heard that may have closed it.
    if (this.#closed) return;
    this.#refused = false;
    let socket: WebSocket;
    try {
      socket = new WebSocket(this.#options.urls[this.#dials % this.#options.urls.length] as string, SUBPROTOCOL, {
        headers: { authorization: `Bearer ${this.#options.token()}` },
        handshakeTimeout: DIAL_TIMEOUT_MS,
        maxPayload: this.#options.maxPayloadBytes,
        perMessageDeflate: false,
      });
    } catch (error) {
      this.#reason = error instanceof Error ? error.message : String(error);
      this.#scheduleRedial();
      return;
    }
    this.#socket = socket;
    socket.on('open', () => this.#socketOnOpen());
    socket.on('pong', () => {
      this.#missed = 0;
    });
    socket.on('message', (data, isBinary) => this.emit('frame', data, isBinary));
    socket.on('unexpected-response', (request, response) => {
      this.#refused = response.statusCode === 401 || response.statusCode === 403;
      this.#reason = this.#refused ? 'the server refuses the token' : `the server answers ${response.statusCode}`;
      response.resume();
      request.destroy();
      this.#socketOnClose(socket);
    });
    socket.on('error', (error) => {
      this.#reason = plainReason(error);
    });
    socket.on('close', (code, reason) => {
      if (reason.length > 0) this.#reason = `${reason.toString()} (${code})`;
      this.#socketOnClose(socket);
    });
  }

  /** @returns whether the frame was handed to an open connection with less than `maxBufferedBytes` still unsent. */
  send(text: string, maxBufferedBytes = Number.POSITIVE_INFINITY): boolean {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN || socket.bufferedAmount > maxBufferedBytes) return false;
    socket.send(text);
    return true;
  }

  /** Ends the connection for good. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#redial);
    clearInterval(this.#heartbeat);
    this.#socket?.close(1000);
    const socket = this.#socket;
    if (socket !== undefined && socket.readyState !== WebSocket.CLOSED)
      setTimeout(() => socket.terminate(), 500).unref();
    this.emit('status', { state: 'closed' });
  }

  /** Drops the connection with a code that tells the peer why; it is dialled again. */
  drop(code: number, reason: string): void {
    this.#reason = reason;
    this.#socket?.close(code, reason);
  }

  #socketOnOpen(): void {
    this.#openedAt = performance.now();
    this.#missed = 0;
    this.#reason = 'the connection was closed';
    this.#heartbeat = setInterval(() => this.#beat(), this.#options.heartbeatMs);
    this.emit('status', { state: 'open' });
  }

  #beat(): void {
    if (this.#missed >= MISSED_HEARTBEATS) {
      this.#reason = 'the server has gone silent';
      this.#socket?.terminate();
      return;
    }
    this.#missed += 1;
    this.#socket?.ping();
  }

  #socketOnClose(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    clearInterval(this.#heartbeat);
    if (this.#openedAt > 0 && performance.now() - this.#openedAt > STABLE_MS) this.#failures = 0;
    this.#openedAt = 0;
    if (!this.#closed) this.#scheduleRedial();
  }

  #scheduleRedial(): void {
    this.#dials += 1;
    const { firstDelayMs, maxDelayMs, random } = this.#options;
    const ceiling = this.#refused ? maxDelayMs : Math.min(maxDelayMs, firstDelayMs * 2 ** this.#failures);
    const retryInMs = Math.ceil(random() * ceiling);
    this.#failures = Math.min(this.#failures + 1, 30);
    this.emit(
      'status',
      this.#refused ? { state: 'refused', reason: this.#reason } : { state: 'lost', reason: this.#reason, retryInMs },
    );
    if (this.#closed) return;
    this.#redial = setTimeout(() => this.open(), retryInMs);
  }
}

function plainReason(error: Error): string {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ECONNREFUSED') return 'nothing listens there';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the host name is not known';
  return error.message === '' ? String(code ?? error.name) : error.message;
}
