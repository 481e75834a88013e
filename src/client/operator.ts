import { EventEmitter } from 'node:events';
import type WebSocket from 'ws';
import { CLOSE, decode, FrameError } from '../protocol/codec.ts';
import { OPERATE_PATH } from '../protocol/message.ts';
import {
  type Change,
  type OperatorToServer,
  type ServerToOperator,
  type Steering,
  serverToOperatorSchema,
} from '../protocol/operator.ts';
import type { ConnectionStatus, ReconnectingSocket } from '../protocol/reconnect.ts';
import { type ClientOptions, clientSocket } from './socket.ts';

interface OperatorEvents {
  status: [ConnectionStatus];
  /** How a command goes on, by its id. */
  answer: [ServerToOperator];
}

/**
 * An operator's connection to a server. Each command is sent once: what becomes of one whose connection was lost is not
 * told any more, but the server goes on with it.
 */
export class OperatorClient extends EventEmitter<OperatorEvents> {
  readonly #socket: ReconnectingSocket;
  readonly #unsent: OperatorToServer[] = [];
  #lastId = 0;

  /** The token is the operators' one. */
  constructor(options: ClientOptions) {
    super();
    this.#socket = clientSocket(OPERATE_PATH, options);
    this.#socket.on('status', (status) => this.#onStatus(status));
    this.#socket.on('frame', (data, isBinary) => this.#onFrame(data, isBinary));
  }

  connect(): void {
    this.#socket.open();
  }

  close(): void {
    this.#socket.close();
  }

  /** Sends it as soon as there is a connection. @returns the id that its answers bear. */
  change(change: Omit<Change, 'type' | 'id'>): number {
    return this.#send({ type: 'change', id: this.#nextId(), ...change });
  }

  /** Sends it as soon as there is a connection. @returns the id that its answer bears. */
  steer(act: Steering): number {
    return this.#send({ type: 'steer', id: this.#nextId(), act });
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #send(message: OperatorToServer): number {
    if (!this.#socket.send(JSON.stringify(message))) this.#unsent.push(message);
    return message.id;
  }

  #onStatus(status: ConnectionStatus): void {
    if (status.state === 'open')
      for (const message of this.#unsent.splice(0)) this.#socket.send(JSON.stringify(message));
    this.emit('status', status);
  }

  #onFrame(data: WebSocket.RawData, isBinary: boolean): void {
    try {
      const message = decode(serverToOperatorSchema, data, isBinary);
      if (message.type !== undefined) this.emit('answer', message);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#socket.drop(CLOSE.badFrame, error.message);
    }
  }
}
