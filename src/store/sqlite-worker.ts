import type { DatabaseSync } from 'node:sqlite';
import { type MessagePort, parentPort } from 'node:worker_threads';
import { Problem } from '../problem.ts';
import { storeError } from './sqlite-errors.ts';
import { openReader, openWriter } from './sqlite-file.ts';
import { SqliteFleet } from './sqlite-fleet.ts';
import { SqliteReader } from './sqlite-read.ts';
import { SqliteRollouts } from './sqlite-rollout.ts';
import type { Operations, Role, ThreadReply, ThreadRequest } from './sqlite-thread.ts';
import { SqliteWriter } from './sqlite-write.ts';
import type { StoreErrorCode } from './store.ts';

/** Rows handed over at once: about 3 ms of the other side's event loop. */
const ROWS_PER_PART = 2_000;

/** The thread's program: one file, one connection, one request at a time. */
class StoreProgram {
  readonly #port: MessagePort;
  #file = '';
  #db: DatabaseSync | undefined;
  #operations: Partial<Operations> = {};
  /** What is still to be handed over of the last answer. */
  #rest: unknown[] = [];

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (request: ThreadRequest) => this.#portOnMessage(request));
  }

  #portOnMessage({ call, args }: ThreadRequest): void {
    if (call === 'close') {
      this.#close();
      return;
    }
    let reply: ThreadReply;
    try {
      if (call === 'more') reply = { rows: this.#rest.splice(0, ROWS_PER_PART), more: this.#rest.length > 0 };
      else reply = this.#answer(call === 'open' ? this.#open(...(args as [string, Role])) : this.#run(call, args));
    } catch (error) {
      reply = failure(storeError(this.#file, error));
    }
    this.#port.postMessage(reply);
  }

  #open(file: string, role: Role): void {
    this.#file = file;
    this.#db = role === 'writer' ? openWriter(file) : openReader(file);
    this.#operations = role === 'writer' ? writing(this.#db) : new SqliteReader(this.#db);
  }

  #run(call: keyof Operations, args: readonly unknown[]): unknown {
    const operation = this.#operations[call] as ((...args: readonly unknown[]) => unknown) | undefined;
    if (operation === undefined) throw new TypeError(`this thread does not do ${call}`);
    return operation.apply(this.#operations, [...args]);
  }

  #answer(value: unknown): ThreadReply {
    this.#rest = [];
    if (typeof value === 'object' && value !== null && 'rows' in value && Array.isArray(value.rows))
      this.#rest = value.rows.splice(ROWS_PER_PART);
    return { value, more: this.#rest.length > 0 };
  }

  /** As the last connection, closing moves the write-ahead log into the file. Without its port the thread ends. */
  #close(): void {
    this.#db?.close();
    this.#port.close();
  }
}

function writing(db: DatabaseSync): Partial<Operations> {
  const writer = new SqliteWriter(db);
  const fleet = new SqliteFleet(db);
  const rollouts = new SqliteRollouts(db);
  return {
    write: (batch) => writer.write(batch),
    prune: (beforeMs, maxRows) => writer.prune(beforeMs, maxRows),
    fleet: (call, args) => (fleet[call] as (...args: readonly unknown[]) => unknown).apply(fleet, [...args]),
    rollout: (call, args) => (rollouts[call] as (...args: readonly unknown[]) => unknown).apply(rollouts, [...args]),
  };
}

function failure(error: unknown): ThreadReply {
  // An error's own class and fields do not survive the way to another thread.
  if (!(error instanceof Problem)) return { bug: error };
  return { problem: { code: error.code as StoreErrorCode, message: error.message, cause: error.cause } };
}

if (parentPort !== null) new StoreProgram(parentPort);
