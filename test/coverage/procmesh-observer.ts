import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { HostRow } from '../../src/protocol/row.ts';
import { cleanEnvironment, freePort, MAIN } from '../support/command.ts';
import { part } from '../support/processes.ts';
import type { Charge, Observer, Window } from './observer.ts';
import { type Deviations, deviationsOf, type PsAnswer, type PsRow } from './sums.ts';

const START_TIMEOUT_MS = 30_000;
const SAMPLE_TIMEOUT_MS = 20_000;
/** Two thirds of the silence that a server bears. */
const MAX_HOLD_UP_MS = 6_000;
/** As many rows as may be asked for: all of them. */
const ALL_ROWS = '10000';

export interface ProcmeshWindow extends Window {
  /** What rows and unattributed come to, less the host's figure. */
  deviations: Deviations;
  unattributed: PsAnswer['totals'][number]['unattributed'];
}

interface Events {
  sample: [ProcmeshWindow];
}

/**
 * procmesh as a user has it: `procmesh start` of this checkout with a data folder and a port of its own, and beside it
 * `procmesh ps --watch --json`. A sample's rates times its length are the amounts.
 */
export class ProcmeshObserver extends EventEmitter<Events> implements Observer {
  readonly windows: ProcmeshWindow[] = [];
  readonly #environment: NodeJS.ProcessEnv;
  readonly #started: ChildProcess;
  #watching: ChildProcess | undefined;
  #lastAtMs: number | undefined;

  private constructor(environment: NodeJS.ProcessEnv, args: readonly string[]) {
    super();
    this.#environment = environment;
    this.#started = spawn(process.execPath, [MAIN, 'start', '--no-tui', ...args], {
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  /** Resolves with the first sample; `args` are those of `procmesh start`. @throws Error with what it said when it ends before. */
  static async start(dataDir: string, args: readonly string[] = []): Promise<ProcmeshObserver> {
    mkdirSync(dataDir, { recursive: true });
    const environment = cleanEnvironment({
      PROCMESH_GLOBAL_DATA_DIR: dataDir,
      PROCMESH_GLOBAL_SAMPLE_TIME: '1',
      PROCMESH_SERVER_LISTEN: `127.0.0.1:${await freePort()}`,
    });
    const observer = new ProcmeshObserver(environment, args);
    try {
      await observer.#connected();
      observer.#watch();
      await observer.samples(1);
    } catch (error) {
      await observer.stop();
      throw error;
    }
    return observer;
  }

  /** Resolves when that many more samples have come. @throws Error when they do not. */
  async samples(count: number): Promise<void> {
    const signal = AbortSignal.timeout(count * SAMPLE_TIMEOUT_MS);
    try {
      for (let seen = 0; seen < count; seen += 1) await once(this, 'sample', { signal });
    } catch (cause) {
      throw new Error('procmesh ps --watch says nothing any more', { cause });
    }
  }

  /** The row that `procmesh ps --sort METRIC` shows first, now. */
  async first(sort: string): Promise<PsRow | undefined> {
    return (await this.#ask<PsRow>('ps', '--sort', sort, '--limit', '1'))[0];
  }

  /** The row that `procmesh hosts` shows, now. */
  async host(): Promise<HostRow | undefined> {
    return (await this.#ask<HostRow>('hosts'))[0];
  }

  /** Stops the agent while something is awaited, but not until the server takes it for lost. */
  async holdUp<Result>(awaited: Promise<Result>): Promise<Result> {
    const agent = part(this.#started.pid ?? 0, 'agent');
    process.kill(agent.pid, 'SIGSTOP');
    await Promise.race([awaited, delay(MAX_HOLD_UP_MS)]).finally(() => process.kill(agent.pid, 'SIGCONT'));
    return awaited;
  }

  async #ask<Row>(...args: readonly string[]): Promise<Row[]> {
    const options = { env: this.#environment };
    const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args, '--json'], options);
    return (JSON.parse(stdout) as { rows: Row[] }).rows;
  }

  async stop(): Promise<void> {
    for (const child of [this.#watching, this.#started]) {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    }
  }

  async #connected(): Promise<void> {
    let said = '';
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error(`procmesh does not get ready: ${said}`)), START_TIMEOUT_MS);
    this.#started.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      said = (said + chunk).slice(-4_000);
      if (said.includes('agent connected')) resolve();
    });
    this.#started.once('exit', (code) => reject(new Error(`procmesh start ended with ${code}: ${said.trim()}`)));
    await promise.finally(() => clearTimeout(timer));
  }

  #watch(): void {
    const child = spawn(process.execPath, [MAIN, 'ps', '--watch', '--json', '--limit', ALL_ROWS], {
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: child.stdout }).on('line', (line) => this.#read(JSON.parse(line) as PsAnswer));
    this.#watching = child;
  }

  #read(answer: PsAnswer): void {
    const total = answer.totals[0];
    if (total === undefined) return;
    const endMs = Date.parse(total.at);
    const beginMs = this.#lastAtMs;
    // An answer can come again, when something else of the server's has changed.
    if (beginMs !== undefined && endMs <= beginMs) return;
    this.#lastAtMs = endMs;
    // Of the first sample it is not known how long it was.
    if (beginMs === undefined) return;
    const seconds = (endMs - beginMs) / 1000;
    const window: ProcmeshWindow = {
      endMs,
      charges: answer.rows.map((row) => chargeOf(row, seconds)),
      deviations: deviationsOf(answer),
      unattributed: total.unattributed,
    };
    this.windows.push(window);
    this.emit('sample', window);
  }
}

function chargeOf(row: PsRow, seconds: number): Charge {
  const charge: Charge = { pid: row.pid, comm: row.comm, cpuSeconds: ((row.cpuPercent ?? 0) / 100) * seconds };
  for (const [resource, rate] of [
    ['readBytes', row.readBytesPerSec],
    ['writeBytes', row.writeBytesPerSec],
    ['netInBytes', row.netInBytesPerSec],
    ['netOutBytes', row.netOutBytesPerSec],
  ] as const)
    if (rate !== undefined) charge[resource] = rate * seconds;
  return charge;
}
