import { Worker } from 'node:worker_threads';
import { Problem } from '../problem.ts';
import type { Point } from '../protocol/series.ts';
import type { FleetStore } from './fleet.ts';
import type { Presence } from './fleet-rows.ts';
import type { RolloutStore } from './rollout.ts';
import type { UpgradeNote } from './rollout-rows.ts';
import type {
  HistoryAnswer,
  HistoryQuestion,
  HostInterval,
  HostsAnswer,
  KnownHost,
  Peaks,
  SeriesQuestion,
  StoreErrorCode,
} from './store.ts';

/** What such a port does, at once. */
type AtOnce<Port extends { [Call in keyof Port]: (...args: never[]) => Promise<unknown> }> = {
  [Call in keyof Port]: (...args: Parameters<Port[Call]>) => Awaited<ReturnType<Port[Call]>>;
};
export type FleetOperations = AtOnce<Omit<FleetStore, 'connected' | 'disconnected'>> & {
  notePresences(presences: readonly Presence[]): void;
};
export type RolloutOperations = AtOnce<Omit<RolloutStore, 'noteUpgrade'>> & {
  noteUpgrades(notes: readonly UpgradeNote[]): void;
};

/** What a thread does on request, once it is open: a writer the first four, a reader the others. */
export interface Operations {
  write(batch: readonly HostInterval[]): void;
  prune(beforeMs: number, maxRows: number): number;
  fleet(call: keyof FleetOperations, args: readonly unknown[]): unknown;
  rollout(call: keyof RolloutOperations, args: readonly unknown[]): unknown;
  processes(question: HistoryQuestion): HistoryAnswer;
  hosts(question: HistoryQuestion): HostsAnswer;
  series(question: SeriesQuestion): Point[];
  peaks(question: HistoryQuestion & { host: string }): Peaks | undefined;
  knownHosts(): KnownHost[];
}

export type Role = 'writer' | 'reader';

/**
 * Each but `close` has one reply. `open` comes first, with a file and a role; `more` asks for the next rows of the
 * answer before it; `close` ends the thread.
 */
export interface ThreadRequest {
  call: 'open' | keyof Operations | 'more' | 'close';
  args: readonly unknown[];
}

/**
 * An answer with many rows comes in parts, the first of them inside `value`: taking 60,000 rows from another thread at
 * once would hold the event loop for a tenth of a second. A `bug` is an error no user can mend, with its stack.
 */
export type ThreadReply =
  | { value: unknown; more: boolean }
  | { rows: unknown[]; more: boolean }
  | { problem: { code: StoreErrorCode; message: string; cause: unknown } }
  | { bug: unknown };

export interface ThreadLimits {
  /** Requests that wait or run. */
  requests: number;
  /** From request to answer, waiting included. */
  deadlineMs: number;
}

interface Task {
  request: ThreadRequest;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  deadline: NodeJS.Timeout;
  /** Nobody waits for it any more. */
  expired: boolean;
  answer: unknown;
}

/**
 * A thread with a connection to a store file. Requests are answered one after another, in order; those that wait do so
 * on this side, so that one whose deadline has passed is never begun.
 */
export class StoreThread {
  /** Resolves when the file is open; rejects with what prevented it. */
  readonly ready: Promise<unknown>;
  readonly #limits: ThreadLimits;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #waiting: Task[] = [];
  #running: Task | undefined;
  /** Why nothing can be asked any more. */
  #ended: Problem | undefined;

  /** @param url the thread's program, which takes a `ThreadRequest` and posts a `ThreadReply`. */
  constructor(url: URL, file: string, role: Role, limits: ThreadLimits) {
    this.#limits = limits;
    this.#worker = new Worker(url, { name: `procmesh store ${role}` });
    this.#worker.on('message', (reply: ThreadReply) => this.#workerOnMessage(reply));
    this.#worker.on('error', (error) => this.#workerOnEnd(error));
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#workerOnEnd(new Error(`exit code ${code}`));
        resolve();
      });
    });
    this.ready = this.#ask({ call: 'open', args: [file, role] });
  }

  request<Call extends keyof Operations>(
    call: Call,
    ...args: Parameters<Operations[Call]>
  ): Promise<ReturnType<Operations[Call]>> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const { requests } = this.#limits;
    if (this.#waiting.length + (this.#running === undefined ? 0 : 1) >= requests)
      return Promise.reject(problem('ERR_STORE_BUSY', `${requests} requests to the store wait: its disk is too slow`));
    return this.#ask({ call, args }) as Promise<ReturnType<Operations[Call]>>;
  }

  /** Answers what was asked before, then closes the file. A thread that has not done so by the deadline is stopped. */
  async close(): Promise<void> {
    if (this.#ended === undefined) {
      this.#ended = problem('ERR_STORE_CLOSED', 'the store is closed');
      // There is no reply: this ends by the exit below, or by the deadline.
      this.#ask({ call: 'close', args: [] }).catch(() => this.#worker.terminate());
    }
    await this.#exited;
  }

  #ask(request: ThreadRequest): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => this.#deadlineOnPass(task), this.#limits.deadlineMs);
      const task: Task = { request, resolve, reject, deadline, expired: false, answer: undefined };
      this.#waiting.push(task);
      this.#next();
    });
  }

  #deadlineOnPass(task: Task): void {
    // One that runs cannot be interrupted: it stays `#running` until its reply, which nobody hears.
    task.expired = true;
    const position = this.#waiting.indexOf(task);
    if (position >= 0) this.#waiting.splice(position, 1);
    const seconds = this.#limits.deadlineMs / 1000;
    task.reject(problem('ERR_STORE_SLOW', `the store has not answered within ${seconds} s: its disk is too slow`));
  }

  #next(): void {
    if (this.#running !== undefined) return;
    this.#running = this.#waiting.shift();
    if (this.#running !== undefined) this.#worker.postMessage(this.#running.request);
  }

  #workerOnMessage(reply: ThreadReply): void {
    const task = this.#running;
    if (task === undefined) return;
    if ('value' in reply) task.answer = reply.value;
    if ('rows' in reply) (task.answer as { rows: unknown[] }).rows.push(...reply.rows);
    if ('more' in reply && reply.more && !task.expired) {
      this.#worker.postMessage({ call: 'more', args: [] } satisfies ThreadRequest);
      return;
    }
    clearTimeout(task.deadline);
    this.#running = undefined;
    if ('bug' in reply) task.reject(reply.bug);
    else if ('problem' in reply) task.reject(problem(reply.problem.code, reply.problem.message, reply.problem.cause));
    else task.resolve(task.answer);
    this.#next();
  }

  #workerOnEnd(cause: unknown): void {
    this.#ended ??= problem('ERR_STORE_STOPPED', 'the store has stopped working: restart procmesh', cause);
    const unanswered = this.#waiting.splice(0);
    if (this.#running !== undefined) unanswered.push(this.#running);
    this.#running = undefined;
    for (const task of unanswered) {
      clearTimeout(task.deadline);
      task.reject(this.#ended);
    }
  }
}

function problem(code: StoreErrorCode, message: string, cause?: unknown): Problem {
  return new Problem(code, message, { cause });
}
