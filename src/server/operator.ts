import type WebSocket from 'ws';
import { Problem } from '../problem.ts';
import { decode } from '../protocol/codec.ts';
import {
  type Change,
  type OperatorToServer,
  type Outcome,
  operatorToServerSchema,
  type ServerToOperator,
  type Steering,
} from '../protocol/operator.ts';
import { type ChangeDependencies, changeHosts } from './change.ts';
import type { ServerMetrics } from './metrics.ts';
import { Peer } from './peer.ts';

const MAX_CHANGES = 8;

export interface OperatorDependencies extends ChangeDependencies {
  metrics: ServerMetrics;
  heartbeatMs: number;
  /** @throws Problem when there is nothing that it could be done with. */
  steer: (act: Steering) => Promise<void>;
}

/** One operator's connection: changes of the fleet and of rollouts, whose progress is told while the operator listens. */
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
      onMessage: (message) => void this.#do(message),
      onClose: () => this.#gone.abort(),
    });
  }

  async #do(message: OperatorToServer): Promise<void> {
    const { id } = message;
    if (this.#underWay.has(id))
      return this.#send({ type: 'error', id, code: 'ERR_ID', message: `the id ${id} is in use` });
    if (this.#underWay.size >= MAX_CHANGES)
      return this.#send({ type: 'error', id, code: 'ERR_LIMIT', message: `more than ${MAX_CHANGES} changes at once` });
    this.#underWay.add(id);
    try {
      if (message.type === 'steer') await this.#dependencies.steer(message.act);
      else await this.#change(message);
      this.#send({ type: 'done', id });
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.#send({ type: 'error', id, code: error instanceof Problem ? error.code : 'ERR_CHANGE', message: text });
    } finally {
      this.#underWay.delete(id);
    }
  }

  async #change(change: Change): Promise<void> {
    const { id } = change;
    const listener = {
      onPhase: (host: string, phase: string) =>
        this.#peer.sendLive({ type: 'progress', id, host, phase } satisfies ServerToOperator),
      onOutcome: (outcome: Outcome) => this.#send({ type: 'outcome', id, ...outcome }),
    };
    await changeHosts(change, this.#dependencies, listener, this.#gone.signal);
  }

  #send(message: ServerToOperator): void {
    this.#peer.send(message);
  }
}
