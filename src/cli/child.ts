import { type ChildProcess, spawn } from 'node:child_process';
import { Problem } from '../problem.ts';

/** What a child tells its parent once it works. */
export interface Ready {
  /** Where a server listens; 0 for others. */
  port: number;
}

const READY_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 5_000;
const FIRST_RESTART_MS = 500;
const LAST_RESTART_MS = 30_000;
/** A child that lived this long is started again at once. */
const STABLE_MS = 60_000;
const MAX_SAID_LENGTH = 2_000;

/**
 * A part of `procmesh start` in a process of its own, so that no part can hold up another. It is started again when it
 * dies, ever more slowly, and ends when its parent does: its channel closes, however the parent died.
 */
export class Child {
  /** For the next start. */
  readonly environment: NodeJS.ProcessEnv;
  readonly #name: string;
  readonly #args: readonly string[];
  readonly #echo: boolean;
  readonly #mayEnd: boolean;
  #process: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #delayMs = FIRST_RESTART_MS;
  #startedAt = 0;
  #stopping = false;
  #isReady = false;

  /**
   * With `echo`, what the child writes to standard error is written to ours; not so under a terminal UI. With `mayEnd` it may
   * have done its work, and is not started again when it ends with 0.
   */
  constructor(options: {
    name: string;
    args: readonly string[];
    environment: NodeJS.ProcessEnv;
    echo: boolean;
    mayEnd?: boolean;
  }) {
    this.#name = options.name;
    this.#args = options.args;
    this.#echo = options.echo;
    this.#mayEnd = options.mayEnd ?? false;
    this.environment = { ...process.env, ...options.environment };
  }

  /** Resolves when the child says that it works. @throws Problem with what it said last when it ends before. */
  start(): Promise<Ready> {
    const { promise, resolve, reject } = Promise.withResolvers<Ready>();
    const timer = setTimeout(
      () => reject(new Problem('ERR_CHILD', `the ${this.#name} does not get ready`)),
      READY_TIMEOUT_MS,
    );
    const child = this.#spawn();
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      if (this.#isReady) return;
      said = (said + chunk.toString()).slice(-MAX_SAID_LENGTH);
    });
    child.once('message', (message) => {
      this.#isReady = true;
      if (this.#echo) process.stderr.write(said);
      resolve(message as Ready);
    });
    child.once('close', (code) =>
      reject(
        new Problem('ERR_CHILD', lastLine(said) ?? `the ${this.#name} ended with ${code}`, {
          exitCode: code === 2 ? 2 : 1,
        }),
      ),
    );
    return promise.finally(() => clearTimeout(timer));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const child = this.#process;
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
  }

  #spawn(): ChildProcess {
    this.#startedAt = performance.now();
    const child = spawn(process.execPath, this.#args, {
      env: this.environment,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#process = child;
    child.stderr?.on('data', (chunk: Buffer) => {
      if (this.#isReady && this.#echo) process.stderr.write(chunk);
    });
    child.on('exit', (code) => this.#onExit(child, code));
    return child;
  }

  #onExit(child: ChildProcess, code: number | null): void {
    if (this.#process === child) this.#process = undefined;
    if (this.#stopping || !this.#isReady || (this.#mayEnd && code === 0)) return;
    const stable = performance.now() - this.#startedAt > STABLE_MS;
    this.#delayMs = stable ? FIRST_RESTART_MS : Math.min(LAST_RESTART_MS, this.#delayMs * 2);
    this.#restart = setTimeout(() => this.#spawn(), this.#delayMs);
  }
}

function lastLine(said: string): string | undefined {
  return (
    said
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(/^procmesh: /, '') || undefined
  );
}
