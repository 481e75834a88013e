import type WebSocket from 'ws';
import { Problem } from '../problem.ts';
import { decode } from '../protocol/codec.ts';
import {
  type Change,
  type OperatorToServer,
  type Outcome,
  operatorToServerSchema,
  type ServerToOperator,
} from '../protocol/operator.ts';
import { type ChangeDependencies, changeHosts } from './change.ts';
import type { ServerMetrics } from './metrics.ts';
import { Peer } from './peer.ts';

const MAX_CHANGES = 8;

export interface OperatorDependencies extends ChangeDependencies {
  metrics: ServerMetrics;
  heartbeatMs: number;
}

/** One operator's connection: changes of the fleet, whose progress is told while the operator listens. */
export class Operator {
  readonly #dependencies: OperatorDependencies;
  readonly #peer: Peer<OperatorToServer>;
  readonly #gone = new AbortController();
  readonly #underWay = new Set<number>();

  constructor(socket: WebSocket, dependencies: OperatorDependencies) {
    this.#dependencies = dependencies;
    const { metrics, heartbeatMs } = dependencies;
    this.#peer = new Peer(socket, {
      decode: (data, isBinary) => decode(operatorToServerSchema, data, isBinary),
      heartbeatMs,
      metrics,
      onMessage: (message) => {
        if (message.type === 'change') void this.#change(message);
      },
      onClose: () => this.#gone.abort(),
    });
  }

  async #change(change: Change): Promise<void> {
    const { id } = change;
    if (this.#underWay.has(id))
      return this.#send({ type: 'error', id, code: 'ERR_ID', message: `the id ${id} is in use` });
    if (this.#underWay.size >= MAX_CHANGES)
      return this.#send({ type: 'error', id, code: 'ERR_LIMIT', message: `more than ${MAX_CHANGES} changes at once` });
    this.#underWay.add(id);
    try {
      const listener = {
        onPhase: (host: string, phase: string) =>
          this.#peer.sendLive({ type: 'progress', id, host, phase } satisfies ServerToOperator),
        onOutcome: (outcome: Outcome) => this.#send({ type: 'outcome', id, ...outcome }),
      };
      await changeHosts(change, this.#dependencies, listener, this.#gone.signal);
      this.#send({ type: 'done', id });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#send({ type: 'error', id, code: error instanceof Problem ? error.code : 'ERR_CHANGE', message });
    } finally {
      this.#underWay.delete(id);
    }
  }

  #send(message: ServerToOperator): void {
    this.#peer.send(message);
  }
}
