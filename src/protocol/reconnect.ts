import { EventEmitter } from 'node:events';
import WebSocket from 'ws';
import { CLOSE } from './codec.ts';
import { Heartbeat } from './heartbeat.ts';
import { REASON_HEADER, SUBPROTOCOL } from './message.ts';
import { SecureDialler, UntrustedError } from './secure-socket.ts';

/** Where a connection stands; `reason` says in plain words why it was lost or could not be made. */
export type ConnectionStatus =
  | { state: 'connecting' }
  | { state: 'open' }
  | { state: 'lost'; reason: string; retryInMs: number }
  /** By the server, for the token; or by this side, for the server's certificate. */
  | { state: 'refused'; reason: string; what: 'token' | 'certificate' }
  | { state: 'closed' };

export interface ReconnectOptions {
  /**
   * Tried in turn: after a lost connection the next one is dialled. A connection that was made stays where it is, also
   * when an earlier one could be reached again: a whole fleet that goes back at once does more harm than an uneven spread.
   */
  urls: readonly string[];
  /** Sent as `Authorization: Bearer …`; asked for at every dial, so that a rotated token is picked up. */
  token: () => string;
  /** The server's certificate, as of `parsePin`, asked for at every dial; undefined: its authority and name are verified. */
  pin?: () => string | undefined;
  maxPayloadBytes: number;
  /** A ping goes out this often; when nothing has come for three of them the connection is ended. */
  heartbeatMs: number;
  /**
   * First and longest wait between dials, doubled after each round of the URLs; the real wait is uniformly random below
   * it (full jitter).
   */
  firstDelayMs?: number;
  maxDelayMs?: number;
  random?: () => number;
}

interface ReconnectEvents {
  status: [ConnectionStatus];
  frame: [data: WebSocket.RawData, isBinary: boolean];
}

/** Reasons by which the peer may well live all the same: it is the way there that is cut. */
export const CUT_OFF: ReadonlySet<string> = new Set([
  'the server has gone silent',
  'no way leads there',
  'it does not answer',
]);

const DIAL_TIMEOUT_MS = 10_000;
/** With other servers to try, one that does not answer is not waited for in the first round, twice as long in the next … */
const FIRST_DIAL_TIMEOUT_MS = 2_500;
/** A connection that lasted this long starts the backoff anew when it is lost. */
const STABLE_MS = 60_000;
const MAX_REASON_LENGTH = 200;
/** Beyond it no delay grows: it only keeps the power finite. */
const MAX_ROUND = 30;
/** RFC 6455, 7.4.1: going away. */
const GOING_AWAY = 1001;

/**
 * A WebSocket that is dialled again whenever it is lost, until `close`. A refusal that waiting cannot mend (401, 403, a
 * wrong certificate) is reported as `refused` and still retried at the longest delay, because a token or a certificate may
 * be renewed. Any other answer, such as 503 of a server that is not ready yet, is a lost connection like others: the next
 * URL is dialled. The token is sent only to a server that is verified, or by `ws://`, which asks for no verification.
 */
export class ReconnectingSocket extends EventEmitter<ReconnectEvents> {
  readonly #options: Required<ReconnectOptions>;
  readonly #dialler = new SecureDialler();
  #socket: WebSocket | undefined;
  /** Ends a TLS connection that is not there yet. */
  #dial = new AbortController();
  #heartbeat: Heartbeat | undefined;
  #redial: NodeJS.Timeout | undefined;
  #failures = 0;
  #dials = 0;
  #openedAt = 0;
  #reason = 'the connection was closed';
  #refused: 'token' | 'certificate' | undefined;
  /** In a row. */
  #refusals = 0;
  #replaced = false;
  #closed = false;

  constructor(options: ReconnectOptions) {
    super();
    this.#options = { firstDelayMs: 250, maxDelayMs: 10_000, random: Math.random, pin: () => undefined, ...options };
  }

  /** The one that is connected to, or was dialled last. */
  get url(): string {
    return this.#options.urls[this.#dials % this.#options.urls.length] as string;
  }

  /** Dials; afterwards everything is told by events. */
  open(): void {
    this.emit('status', { state: 'connecting' });
    // Whoever heard that may have closed it.
    if (this.#closed) return;
    this.#refused = undefined;
    this.#dial = new AbortController();
    let socket: WebSocket;
    const { url } = this;
    const timeoutMs = this.#dialTimeoutMs();
    try {
      socket = new WebSocket(url, SUBPROTOCOL, {
        headers: { authorization: `Bearer ${this.#options.token()}` },
        handshakeTimeout: timeoutMs,
        maxPayload: this.#options.maxPayloadBytes,
        perMessageDeflate: false,
        ...this.#dialler.webSocketOptions(url, {
          pin: this.#options.pin(),
          timeoutMs,
          signal: this.#dial.signal,
        }),
      });
    } catch (error) {
      if (error instanceof UntrustedError) this.#refused = 'certificate';
      this.#reason = error instanceof Error ? error.message : String(error);
      this.#scheduleRedial();
      return;
    }
    this.#socket = socket;
    socket.on('open', () => this.#socketOnOpen());
    socket.on('message', (data, isBinary) => this.emit('frame', data, isBinary));
    socket.on('unexpected-response', (request, response) => {
      const reason = plainHeader(response.headers[REASON_HEADER]);
      if (response.statusCode === 401 || response.statusCode === 403) this.#refused = 'token';
      this.#reason =
        reason ?? (this.#refused ? 'the server refuses the token' : `the server answers ${response.statusCode}`);
      response.resume();
      request.destroy();
      this.#socketOnClose(socket);
    });
    socket.on('error', (error) => {
      if (error instanceof UntrustedError) this.#refused = 'certificate';
      this.#reason = plainReason(error, socket);
    });
    socket.on('close', (code, reason) => {
      if (code === CLOSE.forbidden) this.#refused = 'token';
      if (reason.length > 0) this.#reason = `${reason.toString()} (${code})`;
      this.#replaced = code === CLOSE.replaced;
      // A server that says it ends is no sign of trouble: its agents look for another, or for it to come back.
      if (code === GOING_AWAY) this.#failures = 0;
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
    this.#heartbeat?.stop();
    this.#dial.abort();
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
    this.#reason = 'the connection was closed';
    this.#refusals = 0;
    const onSilence = (): void => {
      this.#reason = 'the server has gone silent';
      this.#socket?.terminate();
    };
    this.#heartbeat = new Heartbeat(this.#socket as WebSocket, { everyMs: this.#options.heartbeatMs, onSilence });
    this.emit('status', { state: 'open' });
  }

  #socketOnClose(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#heartbeat?.stop();
    if (this.#openedAt > 0 && performance.now() - this.#openedAt > STABLE_MS) this.#failures = 0;
    this.#openedAt = 0;
    if (!this.#closed) this.#scheduleRedial();
  }

  #scheduleRedial(): void {
    const retryInMs = this.#nextDelayMs();
    const reason = this.#reason;
    this.emit(
      'status',
      this.#refused ? { state: 'refused', reason, what: this.#refused } : { state: 'lost', reason, retryInMs },
    );
    // At another server the two would not meet, and nobody would learn that there are two.
    if (!this.#replaced) this.#dials += 1;
    this.#failures += 1;
    this.#replaced = false;
    if (this.#closed) return;
    this.#redial = setTimeout(() => this.open(), retryInMs);
  }

  #nextDelayMs(): number {
    const { urls, firstDelayMs, maxDelayMs, random } = this.#options;
    this.#refusals = this.#refused ? this.#refusals + 1 : 0;
    // Whoever replaced this end would be replaced by it in turn, and so on; whoever all refuse need not hurry.
    if (this.#replaced || this.#refusals >= urls.length) return Math.ceil(((1 + random()) / 2) * maxDelayMs);
    return Math.ceil(random() * Math.min(maxDelayMs, firstDelayMs * 2 ** this.#round));
  }

  #dialTimeoutMs(): number {
    if (this.#options.urls.length === 1) return DIAL_TIMEOUT_MS;
    return Math.min(DIAL_TIMEOUT_MS, FIRST_DIAL_TIMEOUT_MS * 2 ** this.#round);
  }

  /** How often all URLs have been tried since a connection lasted. */
  get #round(): number {
    return Math.min(Math.floor(this.#failures / this.#options.urls.length), MAX_ROUND);
  }
}

/** Why a server could not be reached, as people say it. */
export function plainReason(error: Error, { url, readyState }: Pick<WebSocket, 'url' | 'readyState'>): string {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ECONNREFUSED') return 'nothing listens there';
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return 'no way leads there';
  if (code === 'ETIMEDOUT' || error.message === 'Opening handshake has timed out') return 'it does not answer';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the host name is not known';
  if (code === 'ECONNRESET' && readyState !== WebSocket.OPEN && url.startsWith('ws:'))
    return 'it hangs up at once: name it as wss:// if it is encrypted';
  return error.message === '' ? String(code ?? error.name) : error.message;
}

/** What a server says of itself may end up on a terminal. */
function plainHeader(text: string | string[] | undefined): string | undefined {
  return typeof text === 'string' && /^[\x20-\x7e]+$/.test(text) ? text.slice(0, MAX_REASON_LENGTH) : undefined;
}
