import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Command, type Finished, freePort, launch, procmesh } from '../support/command.ts';
import { readBody } from '../support/https.ts';
import { scratchFolder } from '../support/scratch.ts';
import { writeToken } from '../support/token-file.ts';

/** The host's name everywhere in these tests. */
export const HOST = 'e2e-host';

/** One data folder and one port, and the processes that are started with them: all of them real. */
export class Mesh {
  readonly dataDir: string;
  readonly port: number;
  readonly #t: TestContext;
  readonly #settings: NodeJS.ProcessEnv;
  #isListed = false;

  constructor(t: TestContext, dataDir: string, port: number, settings: NodeJS.ProcessEnv) {
    this.#t = t;
    this.dataDir = dataDir;
    this.port = port;
    this.#settings = settings;
  }

  get url(): string {
    return `wss://127.0.0.1:${this.port}`;
  }

  get environment(): NodeJS.ProcessEnv {
    const PROCMESH_SERVER_LISTEN = `127.0.0.1:${this.port}`;
    return { PROCMESH_GLOBAL_DATA_DIR: this.dataDir, PROCMESH_SERVER_LISTEN, ...this.#settings };
  }

  /** `procmesh start`; resolves when its agent is connected. */
  async start(): Promise<Command> {
    const started = launch(this.#t, ['start', '--no-tui'], this.environment);
    await started.stderr.line((line) => line.includes('agent connected'));
    return started;
  }

  /** A server that works. */
  async server(): Promise<Command> {
    const server = launch(this.#t, ['server'], this.environment, 'ipc');
    await server.ready();
    if (!this.#isListed) await this.list(HOST);
    this.#isListed = true;
    return server;
  }

  /** Lists a host whose agent is started by hand. @returns its token. */
  async list(host: string): Promise<string> {
    const { stdout } = await this.run('hosts', 'token', host);
    return stdout.trim();
  }

  /** An agent that measures, connected or not. */
  async agent(): Promise<Command> {
    const args = ['agent', '--token-file', writeToken(this.dataDir, HOST)];
    const agent = launch(this.#t, args, this.environment, 'ipc');
    await agent.ready();
    return agent;
  }

  run(...args: string[]): Promise<Finished> {
    return procmesh(this.#t, args, this.environment);
  }

  watch(...args: string[]): Command {
    return launch(this.#t, [...args, '--watch', '--json'], this.environment);
  }

  async health(): Promise<Record<string, unknown>> {
    return JSON.parse(await readBody(`https://127.0.0.1:${this.port}/healthz`));
  }

  /** Ends of the intervals that wait on the agent's disk, epoch ms. */
  outbox(): number[] {
    const names = readdirSync(join(this.dataDir, 'agent', 'outbox'));
    return names.flatMap((name) => /^(\d+)\.json$/.exec(name)?.[1] ?? []).map(Number);
  }
}

export async function openMesh(t: TestContext, settings: NodeJS.ProcessEnv = {}): Promise<Mesh> {
  return new Mesh(t, scratchFolder(t), await freePort(), settings);
}

/** Waits for what no event tells; the test's own time limit bounds it. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(20);
}
