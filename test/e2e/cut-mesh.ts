import { copyFileSync, type FSWatcher, mkdirSync, readdirSync, watch } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { HostRow } from '../../src/protocol/row.ts';
import { Command, cleanEnvironment, MAIN } from '../support/command.ts';
import { joinedNamespaces, type NetNamespace } from '../support/net-namespaces.ts';
import { scratchFolder } from '../support/scratch.ts';
import { until } from './mesh.ts';

/** The agent is the one of this machine, so that its token is where a server puts it. */
export const HOST = hostname();
const PORT = 9300;
const LATE_RELAY = fileURLToPath(new URL('../support/late-relay.ts', import.meta.url));

interface Server {
  command: Command;
  dataDir: string;
}

/**
 * Servers in one network namespace, an agent in another, and a cable between them for each server: what happens to one
 * cable does not touch the others. Intervals last one second.
 */
export class CutMesh {
  readonly servers: NetNamespace;
  readonly hosts: NetNamespace;
  readonly urls: readonly string[];
  /** The end of each interval that the agent's disk ever held. */
  readonly measured = new Set<number>();
  readonly #t: TestContext;
  readonly #settings: NodeJS.ProcessEnv;
  readonly #dataDirs: readonly string[];
  readonly #outbox: string;
  readonly #agentDir: string;
  #watcher: FSWatcher | undefined;

  constructor(t: TestContext, servers: number, settings: NodeJS.ProcessEnv = {}) {
    this.#t = t;
    this.#settings = settings;
    [this.servers, this.hosts] = joinedNamespaces(t, servers);
    this.urls = this.servers.addresses4.map((address) => `ws://${address}:${PORT}/`);
    this.#dataDirs = this.urls.map(() => scratchFolder(t));
    this.#agentDir = scratchFolder(t);
    this.#outbox = join(this.#agentDir, 'agent', 'outbox');
  }

  /** Starts a server; resolves when it works. All of them have the secrets of the first, which is to be started first. */
  async server(index = 0, settings: NodeJS.ProcessEnv = {}): Promise<Server> {
    const [first = '', dataDir = ''] = [this.#dataDirs[0], this.#dataDirs[index]];
    if (index > 0)
      for (const name of readdirSync(first).filter((file) => /\.(token|secret|crt|key)$/.test(file)))
        copyFileSync(join(first, name), join(dataDir, name));
    const command = this.#launch(this.servers, ['server', '--with-agent'], dataDir, {
      PROCMESH_SERVER_LISTEN: `${this.servers.addresses4[index]}:${PORT}`,
      ...settings,
    });
    await command.ready();
    return { command, dataDir };
  }

  /** Starts the agent; resolves when it measures, connected or not. */
  async agent(urls = this.urls): Promise<Command> {
    mkdirSync(this.#outbox, { recursive: true });
    this.#watcher ??= this.#watch();
    const tokenFile = join(this.#dataDirs[0] ?? '', 'agent.token');
    const args = ['agent', '--server', urls.join(), '--token-file', tokenFile, '--net', 'sockets'];
    const agent = this.#launch(this.hosts, args, this.#agentDir);
    await agent.ready();
    return agent;
  }

  /** Another way to the first server, by which everything takes so much longer each way. */
  async lateUrl(delayMs: number): Promise<string> {
    const args = [LATE_RELAY, this.servers.address4, String(PORT), String(delayMs)];
    const relay = new Command(this.#t, ...this.hosts.inside(process.execPath, ...args), {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    return `ws://127.0.0.1:${(await relay.ready()).port}`;
  }

  /** `procmesh hosts --watch` of a server; `row` resolves with the agent's host once it is as wanted. */
  watch(index = 0) {
    const tokenFile = join(this.#dataDirs[0] ?? '', 'viewer.token');
    const args = ['hosts', '--watch', '--json', '--server', this.urls[index] ?? '', '--token-file', tokenFile];
    const command = this.#launch(this.servers, args, scratchFolder(this.#t));
    const rows = (): HostRow[] => command.stdout.text.split('\n').slice(0, -1).flatMap(rowsOf);
    return {
      /** Every state of the host that was told so far. */
      rows,
      /** Resolves with the next one that is as wanted. */
      row: async (wanted: (row: HostRow) => boolean): Promise<HostRow> => {
        const seen = rows().length;
        const found = (): HostRow | undefined => rows().slice(seen).find(wanted);
        await until(() => found() !== undefined);
        return found() as HostRow;
      },
    };
  }

  /** Ends of the intervals that wait on the agent's disk, epoch ms. */
  waiting(): number[] {
    return readdirSync(this.#outbox)
      .flatMap((name) => /^(\d+)\.json$/.exec(name)?.[1] ?? [])
      .map(Number);
  }

  /** Resolves when so many more intervals were measured, and with `stored` are off the agent's disk. */
  async intervals(count: number, fate: 'measured' | 'stored'): Promise<void> {
    const enough = this.measured.size + count;
    const ends = (): number[] => [...this.measured].sort((a, b) => a - b);
    await until(() => {
      if (this.measured.size < enough) return false;
      const waiting = new Set(this.waiting());
      return (
        fate === 'measured' ||
        ends()
          .slice(0, enough)
          .every((endMs) => !waiting.has(endMs))
      );
    });
  }

  /** The kernel tells of every file that is renamed to its place or removed, in order, and forgets none. */
  #watch(): FSWatcher {
    const watcher = watch(this.#outbox, (_, file) => {
      const endMs = /^(\d+)\.json$/.exec(file ?? '')?.[1];
      if (endMs !== undefined) this.measured.add(Number(endMs));
    });
    this.#t.after(() => watcher.close());
    return watcher;
  }

  #launch(where: NetNamespace, args: readonly string[], dataDir: string, settings: NodeJS.ProcessEnv = {}): Command {
    const [file, inside] = where.inside(process.execPath, MAIN, ...args);
    const env = cleanEnvironment({
      PROCMESH_GLOBAL_DATA_DIR: dataDir,
      PROCMESH_GLOBAL_INTERVAL_TIME: '1',
      PROCMESH_GLOBAL_SAMPLE_TIME: '0.5',
      PROCMESH_SERVER_TLS: 'off',
      ...this.#settings,
      ...settings,
    });
    return new Command(this.#t, file, inside, { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  }
}

function rowsOf(line: string): HostRow[] {
  return (JSON.parse(line) as { rows: HostRow[] }).rows.filter(({ host }) => host === HOST);
}
