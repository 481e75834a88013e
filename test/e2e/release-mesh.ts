import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestContext } from 'node:test';
import { copyCheckout } from '../support/checkout.ts';
import { Command, cleanEnvironment, type Finished, freePort } from '../support/command.ts';
import { scratchFolder } from '../support/scratch.ts';
import type { TestHost } from '../support/test-host/test-host.ts';
import { TestNetwork } from '../support/test-hosts.ts';
import { until } from './mesh.ts';

/** What `procmesh release --json` prints, as far as these tests care. */
export interface Status {
  version: string;
  hash: string;
  serial: number;
  state: string;
  reason?: string;
  counts: { [phase: string]: number };
  hosts: { host: string; phase: string; version?: string; hash?: string; reason?: string }[];
}

/** Somebody's checkout of procmesh, whose code a test changes, the server that runs from it, and hosts that it deploys. */
export class ReleaseMesh {
  readonly hosts: readonly TestHost[];
  readonly dataDir: string;
  readonly #t: TestContext;
  readonly #main: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #originals = new Map<string, string>();
  #server: Command | undefined;

  private constructor(
    t: TestContext,
    hosts: readonly TestHost[],
    parts: { main: string; dataDir: string; environment: NodeJS.ProcessEnv },
  ) {
    this.#t = t;
    this.hosts = hosts;
    this.#main = parts.main;
    this.dataDir = parts.dataDir;
    this.#environment = parts.environment;
  }

  static async open(
    t: TestContext,
    hostCount: number,
    settings: NodeJS.ProcessEnv = {},
    init: 'shell' | 'systemd' = 'shell',
  ): Promise<ReleaseMesh> {
    const network = await TestNetwork.open(t);
    const hosts = await Promise.all(Array.from({ length: hostCount }, () => network.host({ init })));
    const [dataDir, port] = [scratchFolder(t), await freePort()];
    const environment = {
      HOME: scratchFolder(t),
      PROCMESH_GLOBAL_DATA_DIR: dataDir,
      PROCMESH_SERVER_LISTEN: `0.0.0.0:${port}`,
      PROCMESH_CLIENT_SSH_KEY: network.keyFile,
      PROCMESH_GLOBAL_VERSION: '1.0',
      ...settings,
    };
    return new ReleaseMesh(t, hosts, { main: join(copyCheckout(t), 'src', 'main.ts'), dataDir, environment });
  }

  /** Replaces a text that a file of the checkout has, for the time until `restore`. */
  change(file: string, from: string, to: string): void {
    const path = join(this.#main, '../..', file);
    const text = readFileSync(path, 'utf8');
    if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
    if (!this.#originals.has(path)) this.#originals.set(path, text);
    writeFileSync(path, text.replace(from, to));
  }

  /** Has the checkout be what it was. */
  restore(): void {
    for (const [path, text] of this.#originals) writeFileSync(path, text);
    this.#originals.clear();
  }

  /** Stops the server, if there is one, and starts what the checkout is by now; the settings are for this time alone. */
  async restart(version: string, settings: NodeJS.ProcessEnv = {}): Promise<Command> {
    await this.#server?.kill('SIGTERM');
    this.#environment.PROCMESH_GLOBAL_VERSION = version;
    const server = new Command(this.#t, process.execPath, [this.#main, 'server'], {
      env: cleanEnvironment({ ...this.#environment, ...settings }),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    await server.ready();
    this.#server = server;
    return server;
  }

  /** Kills the server as a crash would. */
  async crash(): Promise<void> {
    await this.#server?.kill('SIGKILL');
    this.#server = undefined;
  }

  run(...args: string[]): Promise<Finished> {
    return new Command(this.#t, process.execPath, [this.#main, ...args], {
      env: cleanEnvironment(this.#environment),
      stdio: ['ignore', 'pipe', 'pipe'],
    }).finished;
  }

  async deploy(): Promise<void> {
    const { code, stderr } = await this.run('hosts', 'add', ...this.hosts.map(({ rshost }) => rshost));
    if (code !== 0) throw new Error(stderr);
  }

  async status(): Promise<Status> {
    const { code, stdout, stderr } = await this.run('release', '--json');
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout).rollout;
  }

  /** Waits until the newest rollout is so. */
  async settled(isSo: (status: Status) => boolean): Promise<Status> {
    let status = await this.status();
    await until(async () => {
      status = await this.status();
      return isSo(status);
    });
    return status;
  }

  /** Of every host: what its link names, and whether something is on trial. */
  async releases(): Promise<string[]> {
    return Promise.all(
      this.hosts.map(async (host) =>
        (await host.sh('cd /opt/procmesh; basename $(readlink current); ls data/trial 2>/dev/null || :')).trim(),
      ),
    );
  }

  async pids(): Promise<string[]> {
    return Promise.all(this.hosts.map(async (host) => (await host.sh('cat /opt/procmesh/data/agent.pid')).trim()));
  }

  /** Of each host's history: intervals, ms that no interval covers, or two do, between the first and the last, and the end of that, epoch ms. */
  history(): { host: string; intervals: number; uncoveredMs: number; endMs: number }[] {
    const db = new DatabaseSync(join(this.dataDir, 'procmesh.db'), { readOnly: true });
    const rows = db
      .prepare(
        `SELECT rshost AS host, count(*) AS intervals, max(a_time) - min(a_time - length_ms) - sum(length_ms) AS uncoveredMs,
          max(a_time) AS endMs
        FROM tb_monitor_host_info GROUP BY rshost ORDER BY rshost`,
      )
      .all() as { host: string; intervals: number; uncoveredMs: number; endMs: number }[];
    db.close();
    return rows;
  }
}

/** A line that a server logs. */
export async function logged(server: Command, text: string): Promise<void> {
  await server.stderr.line((line) => line.includes(text));
}
