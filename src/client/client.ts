import { EventEmitter } from 'node:events';
import type WebSocket from 'ws';
import { CLOSE, decode, FrameError } from '../protocol/codec.ts';
import { LIVE_PATH, type ServerToViewer, serverToViewerSchema, type ViewerToServer } from '../protocol/message.ts';
import type { Query } from '../protocol/query.ts';
import type { ConnectionStatus, ReconnectingSocket } from '../protocol/reconnect.ts';
import { type ClientOptions, clientSocket } from './socket.ts';

export type { ConnectionStatus } from '../protocol/reconnect.ts';

/**
 * What a subscription delivers: rows or hosts whenever they change, one answer of any type about the past, or an error
 * when the query cannot be answered.
 */
export type Answer = Exclude<ServerToViewer, { type: 'event' }>;
export type ViewerEvent = Extract<ServerToViewer, { type: 'event' }>;

export interface Subscription {
  /** Asks something else in its place; answers to the earlier query are no longer delivered. */
  change(query: Query): void;
  close(): void;
}

/** What a server older than the view `release` hangs up with when it is asked for it. */
const UNKNOWN_VIEW = new RegExp(`^subscribe\\.query\\.view: .*\\(${CLOSE.badFrame}\\)$`);

interface ClientEvents {
  status: [ConnectionStatus];
  event: [ViewerEvent];
}

/**
 * A viewer's connection to a server: any number of live queries over one WebSocket, which is dialled again by itself
 * and asked the same again when it was lost.
 */
export class Client extends EventEmitter<ClientEvents> {
  readonly #socket: ReconnectingSocket;
  readonly #asked = new Map<number, { query: Query; deliver: (answer: Answer) => void }>();
  #lastId = 0;
  /** The server of this connection knows of no releases, or that of the next one if it is the same. */
  #lacksReleases = false;

  /** The token is the viewers' one. */
  constructor(options: ClientOptions) {
    super();
    this.#socket = clientSocket(LIVE_PATH, options);
    this.#socket.on('status', (status) => this.#onStatus(status));
    this.#socket.on('frame', (data, isBinary) => this.#onFrame(data, isBinary));
  }

  connect(): void {
    this.#socket.open();
  }

  subscribe(query: Query, deliver: (answer: Answer) => void): Subscription {
    let id = this.#ask(query, deliver);
    return {
      change: (next) => {
        this.#forget(id);
        id = this.#ask(next, deliver);
      },
      close: () => this.#forget(id),
    };
  }

  close(): void {
    this.#asked.clear();
    this.#socket.close();
  }

  #ask(query: Query, deliver: (answer: Answer) => void): number {
    this.#lastId += 1;
    this.#asked.set(this.#lastId, { query, deliver });
    this.#subscribe(this.#lastId, query);
    return this.#lastId;
  }

  #forget(id: number): void {
    if (this.#asked.delete(id)) this.#send({ type: 'unsubscribe', id });
  }

  #subscribe(id: number, query: Query): void {
    if (query.view !== 'release' || !this.#lacksReleases) this.#send({ type: 'subscribe', id, query });
    // Whoever asks has not got the subscription yet.
    else queueMicrotask(() => this.#onAnswer(id, noReleases(id)));
  }

  /** While there is no connection nothing is queued: opening one asks everything anew. */
  #send(message: ViewerToServer): void {
    this.#socket.send(JSON.stringify(message));
  }

  #onStatus(status: ConnectionStatus): void {
    if (status.state === 'lost') {
      this.#onLost(status.reason);
      // It is there, and is dialled again at once: nobody need be told.
      if (this.#lacksReleases) return;
    }
    if (status.state === 'open') for (const [id, { query }] of this.#asked) this.#subscribe(id, query);
    this.emit('status', status);
  }

  /** It would hang up again and again: of the next connection releases are not asked, of those after it they are. */
  #onLost(reason: string): void {
    this.#lacksReleases = UNKNOWN_VIEW.test(reason);
    if (!this.#lacksReleases) return;
    for (const [id, { query }] of this.#asked) if (query.view === 'release') this.#onAnswer(id, noReleases(id));
  }

  /** The past does not change: what was answered once need not be asked again over the next connection. */
  #onAnswer(id: number, answer: Answer): void {
    const asked = this.#asked.get(id);
    if (asked?.query.atMs !== undefined) this.#asked.delete(id);
    asked?.deliver(answer);
  }

  #onFrame(data: WebSocket.RawData, isBinary: boolean): void {
    try {
      const message = decode(serverToViewerSchema, data, isBinary);
      if (message.type === undefined) return;
      if (message.type === 'event') this.emit('event', message);
      else if (message.id !== undefined) this.#onAnswer(message.id, message);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#socket.drop(CLOSE.badFrame, error.message);
    }
  }
}

function noReleases(id: number): Answer {
  const message = 'the server is older than this command and knows of no releases: upgrade it';
  return { type: 'error', id, code: 'ERR_VERSION', message };
}
