import type WebSocket from 'ws';
import { decode, FrameError, type Unknown } from '../protocol/codec.ts';
import { compileFilter, FilterError } from '../protocol/filter.ts';
import { AGENT_VERBS, type ServerToViewer, type ViewerToServer, viewerToServerSchema } from '../protocol/message.ts';
import type { Query } from '../protocol/query.ts';
import type { Alert } from '../store/fleet.ts';
import type { Alerts } from './alert/alerts.ts';
import type { History } from './history.ts';
import type { LiveQueries } from './live.ts';
import type { ServerMetrics } from './metrics.ts';
import { Peer } from './peer.ts';
import type { RefusalReason } from './refusals.ts';

const MAX_SUBSCRIPTIONS = 32;

export interface ViewerDependencies {
  live: LiveQueries;
  history: History;
  metrics: ServerMetrics;
  /** Whose words the viewer is told; absent: there are none. */
  alerts: Alerts | undefined;
  heartbeatMs: number;
  refuse: (reason: RefusalReason, message: string) => void;
}

/** One viewer's connection: any number of queries, live ones kept up to date, those of the past answered once. */
export class Viewer {
  readonly #dependencies: ViewerDependencies;
  readonly #peer: Peer<ViewerToServer>;
  readonly #subscriptions = new Map<number, () => void>();
  /** Questions about the past that are not answered yet. */
  #asked = 0;

  constructor(socket: WebSocket, dependencies: ViewerDependencies) {
    this.#dependencies = dependencies;
    const { metrics, heartbeatMs, alerts } = dependencies;
    const tell = (alert: Alert): void => this.#tell(alert);
    alerts?.on('told', tell);
    metrics.viewers.inc();
    this.#peer = new Peer(socket, {
      decode: (data, isBinary) => this.#decode(data, isBinary),
      heartbeatMs,
      metrics,
      onMessage: (message) => {
        if (message.type === 'subscribe') this.#subscribe(message.id, message.query);
        else this.#unsubscribe(message.id);
      },
      onClose: () => {
        metrics.viewers.dec();
        alerts?.off('told', tell);
        for (const id of [...this.#subscriptions.keys()]) this.#unsubscribe(id);
      },
    });
  }

  /** A message that is not known may be a newer viewer's, but an agent's is none. */
  #decode(data: WebSocket.RawData, isBinary: boolean): ViewerToServer | Unknown {
    const message = decode(viewerToServerSchema, data, isBinary);
    if (message.type === undefined && AGENT_VERBS.has(message.unknownType)) {
      this.#dependencies.refuse('verb', `a viewer said ${message.unknownType}, as an agent would`);
      throw new FrameError(`${message.unknownType} is not for viewers to say`);
    }
    return message;
  }

  #tell({ host, istate, remarks, atMs }: Alert): void {
    const [at, state] = [new Date(atMs).toISOString(), istate === 1 ? 'alerted' : 'recovered'] as const;
    this.#peer.sendLive({ type: 'event', at, host, state, text: remarks } satisfies ServerToViewer);
  }

  #subscribe(id: number, query: Query): void {
    const problem = this.#problem(id, query);
    if (problem !== undefined) {
      this.#peer.send({ type: 'error', id, ...problem } satisfies ServerToViewer);
      return;
    }
    if (query.atMs !== undefined) {
      void this.#answerFromHistory(id, query);
      return;
    }
    const end = this.#dependencies.live.subscribe(query, (answer) =>
      this.#peer.sendLive({ ...answer, id } satisfies ServerToViewer),
    );
    this.#subscriptions.set(id, end);
  }

  #problem(id: number, query: Query): { code: string; message: string } | undefined {
    if (this.#subscriptions.has(id)) return { code: 'ERR_ID', message: `the id ${id} is in use` };
    if (this.#subscriptions.size + this.#asked >= MAX_SUBSCRIPTIONS)
      return { code: 'ERR_LIMIT', message: `more than ${MAX_SUBSCRIPTIONS} queries at once` };
    if ((query.view === 'series' || query.view === 'blame') && (query.host === undefined || query.atMs === undefined))
      return { code: 'ERR_QUERY', message: `${query.view} is asked of one host and a time` };
    if (query.view === 'release' && query.atMs !== undefined)
      return { code: 'ERR_QUERY', message: 'release is asked of now' };
    try {
      if (query.filter !== undefined) compileFilter(query.filter);
    } catch (error) {
      if (error instanceof FilterError) return { code: error.code, message: error.message };
      throw error;
    }
    return undefined;
  }

  async #answerFromHistory(id: number, query: Query): Promise<void> {
    this.#asked += 1;
    try {
      this.#peer.send({ ...(await this.#dependencies.history.answer(query)), id } satisfies ServerToViewer);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#peer.send({ type: 'error', id, code: 'ERR_STORE', message } satisfies ServerToViewer);
    } finally {
      this.#asked -= 1;
    }
  }

  #unsubscribe(id: number): void {
    this.#subscriptions.get(id)?.();
    this.#subscriptions.delete(id);
  }
}
