import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, createConnection } from 'mysql2/promise';
import { freePort } from './command.ts';
import type { NetNamespace } from './net-namespaces.ts';
import { findProgram } from './requirements.ts';

const START_TIMEOUT_MS = 30_000;

/** A MariaDB server of a test's own, in a temporary folder, with an administrator `root` that needs no password. */
export class MariaDb {
  readonly folder = mkdtempSync(join(tmpdir(), 'procmesh-mariadb-'));
  readonly #options: readonly string[];
  readonly #inside: NetNamespace['inside'];
  #server: ReturnType<typeof spawn> | undefined;
  port = 0;

  /** @param options further options of mariadbd. @param inside of the network namespace whose loopback it listens on. */
  constructor(options: readonly string[] = [], inside: NetNamespace['inside'] = (file, ...args) => [file, [...args]]) {
    this.#options = options;
    this.#inside = inside;
  }

  get socketPath(): string {
    return join(this.folder, 'socket');
  }

  get dataDir(): string {
    return join(this.folder, 'data');
  }

  get pid(): number {
    return this.#server?.pid ?? 0;
  }

  /** Makes the tables of the system, then starts the server. */
  async create(): Promise<this> {
    execFileSync(
      program('mariadb-install-db'),
      ['--no-defaults', ...asRoot(), `--datadir=${this.dataDir}`, '--auth-root-authentication-method=normal'],
      { stdio: 'ignore' },
    );
    this.port = await freePort();
    await this.start();
    return this;
  }

  /** Starts it on the same port and folder as before; resolves when it takes connections. */
  async start(...more: string[]): Promise<void> {
    const server = spawn(
      ...this.#inside(
        program('mariadbd'),
        ...['--no-defaults', ...asRoot(), `--datadir=${this.dataDir}`, `--socket=${this.socketPath}`],
        ...[`--port=${this.port}`, '--bind-address=127.0.0.1', `--pid-file=${join(this.folder, 'pid')}`],
        // In a folder that it shares, a server that starts removes the temporary tables of those that run.
        `--tmpdir=${this.folder}`,
        ...this.#options,
        ...more,
      ),
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.#server = server;
    let said = '';
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk).slice(-10_000);
      if (said.includes('ready for connections')) resolve();
    });
    server.once('exit', () => reject(new Error(`mariadbd ended: ${said}`)));
    const deadline = setTimeout(() => reject(new Error(`mariadbd does not get ready: ${said}`)), START_TIMEOUT_MS);
    await promise.finally(() => clearTimeout(deadline));
  }

  /** Ends it and waits until it has. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    const server = this.#server;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill(signal);
    await ended;
  }

  /** A connection of the administrator's. */
  admin(database?: string): Promise<Connection> {
    // By its socket, as it may listen in another network namespace.
    const { socketPath } = this;
    return createConnection({ socketPath, user: 'root', database, timezone: 'Z', decimalNumbers: true });
  }

  /** Runs a script by the client of MariaDB's own, as an administrator would. @returns what it printed. */
  script(sql: string): string {
    const args = ['--no-defaults', `--socket=${this.socketPath}`, '--user=root', '--batch'];
    return execFileSync(program('mariadb'), args, { input: sql, encoding: 'utf8', stdio: 'pipe' });
  }

  /** Teaches the server these zones of the machine's own. */
  loadTimeZones(zones: readonly string[]): void {
    for (const zone of zones) {
      const file = `/usr/share/zoneinfo/${zone}`;
      const sql = execFileSync(program('mariadb-tzinfo-to-sql'), [file, zone], { encoding: 'utf8' });
      this.script(`USE mysql;\n${sql}`);
    }
  }

  async remove(): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function program(name: string): string {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`${name} is missing: apt-get install mariadb-server`);
  return path;
}

/** mariadbd runs as root only when told so. */
function asRoot(): string[] {
  return process.geteuid?.() === 0 ? ['--user=root'] : [];
}
