import type WebSocket from 'ws';
import { CLOSE, decode } from '../protocol/codec.ts';
import {
  type AgentRows,
  type AgentToServer,
  agentToServerSchema,
  type Hello,
  type ServerToAgent,
  type Settings,
} from '../protocol/message.ts';
import type { Ingest } from './ingest.ts';
import type { ServerMetrics } from './metrics.ts';
import { Peer } from './peer.ts';
import type { RefusalReason } from './refusals.ts';
import type { AgentConnection, Registry } from './registry.ts';

/** An agent that connected has this long to say hello. */
const HELLO_TIMEOUT_MS = 5_000;

/** How long an agent keeps what was not taken, at least; at most twice as long. */
const DEFER_MS = 2_000;

export interface SessionDependencies {
  /** The only one that its token is good for. */
  host: string;
  registry: Registry;
  ingest: Ingest;
  metrics: ServerMetrics;
  serverName: string;
  /** Where the agent speaks from. */
  address: string;
  settings: () => Settings;
  refuse: (reason: RefusalReason, message: string) => void;
}

/** One agent's connection: a hello first, then beats, rows and intervals in any order. */
export class AgentSession implements AgentConnection {
  readonly #dependencies: SessionDependencies;
  readonly #peer: Peer<AgentToServer>;
  readonly #helloTimer: NodeJS.Timeout;
  #hello: Hello | undefined;

  constructor(socket: WebSocket, dependencies: SessionDependencies) {
    this.#dependencies = dependencies;
    const { metrics, settings } = dependencies;
    this.#peer = new Peer(socket, {
      decode: (data, isBinary) => decode(agentToServerSchema, data, isBinary),
      heartbeatMs: settings().heartbeatMs,
      metrics,
      onMessage: (message) => this.#onMessage(message),
      onClose: (reason, code) => this.#onClose(reason, code),
    });
    this.#helloTimer = setTimeout(() => this.#peer.close(CLOSE.unexpected, 'no hello'), HELLO_TIMEOUT_MS);
  }

  /** @throws Error before the hello; only sessions that said it are handed out. */
  get hello(): Hello {
    if (this.#hello === undefined) throw new Error('the agent has not said hello');
    return this.#hello;
  }

  get address(): string {
    return this.#dependencies.address;
  }

  get unreadBytes(): number {
    return this.#peer.unreadBytes;
  }

  send(message: ServerToAgent): void {
    this.#peer.send(message);
  }

  replace(): void {
    this.#peer.close(CLOSE.replaced, 'another connection speaks for this host');
  }

  retire(reason: string): void {
    this.send({ type: 'retire', reason });
    this.#peer.close(CLOSE.retired, 'retired');
  }

  expire(reason: string): void {
    this.#peer.close(CLOSE.expired, reason);
  }

  misbehave(reason: string): void {
    this.#peer.close(CLOSE.unexpected, reason);
  }

  #onMessage(message: AgentToServer): void {
    const { host, registry, ingest, metrics, serverName, settings, refuse } = this.#dependencies;
    if ((message.type === 'hello') === (this.#hello !== undefined)) {
      if (message.type === 'hello') refuse('hello', `another hello on the connection of ${host}`);
      this.#peer.close(CLOSE.unexpected, `${message.type} ${this.#hello === undefined ? 'before' : 'after'} hello`);
      return;
    }
    switch (message.type) {
      case 'hello':
        clearTimeout(this.#helloTimer);
        if (message.host !== host) {
          refuse('hello', `the token of ${host}, used for ${message.host}`);
          this.#peer.close(CLOSE.forbidden, 'this token is for another host');
          return;
        }
        this.#hello = message;
        metrics.agents.inc();
        this.send({ type: 'welcome', server: serverName, settings: settings() });
        registry.connect(this);
        break;
      case 'beat':
        metrics.beats.inc();
        registry.beat(this, message);
        break;
      case 'rows':
        if (this.#speaksForItself(message)) registry.rows(this, message);
        else this.#peer.close(CLOSE.badFrame, 'rows of another host');
        break;
      case 'interval': {
        const { interval } = message;
        const { endMs } = interval;
        const isTaken = ingest.add(this.hello.host, interval, () => {
          this.send({ type: 'ack', endMs });
          registry.stored(this, endMs);
        });
        // Not all of them at the same moment again.
        if (!isTaken) this.send({ type: 'defer', endMs, afterMs: Math.round(DEFER_MS * (1 + Math.random())) });
        break;
      }
      case 'want':
      case 'upgraded':
        registry.upgrade(this, message);
        break;
    }
  }

  #speaksForItself({ total, rows }: AgentRows): boolean {
    const { host } = this.hello;
    return total.host === host && rows.every((row) => (row.host ?? host) === host);
  }

  #onClose(reason: string, code: number): void {
    clearTimeout(this.#helloTimer);
    if (this.#hello === undefined) return;
    const { metrics, registry } = this.#dependencies;
    metrics.agents.dec();
    // The agent's own earlier connection does not answer; who says good-bye is another agent.
    if (code === CLOSE.replaced) registry.contest(this);
    registry.disconnect(this, reason);
  }
}
