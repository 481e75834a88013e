import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Client } from '../../../src/client/client.ts';
import type { HostRow } from '../../../src/protocol/row.ts';
import { emptyDatabase } from '../../store/mysql-database.ts';
import { type Command, freePort, launch } from '../../support/command.ts';
import { MariaDb } from '../../support/mariadb.ts';
import { writeToken } from '../../support/token-file.ts';

export const SHARED = ['agents.secret', 'viewer.token', 'operator.token', 'server.crt', 'server.key'];

/** A server of the mesh, which can be killed and started again on its port. */
export class BenchServer {
  readonly port: number;
  readonly dataDir: string;
  readonly #start: () => Command;
  command: Command | undefined;

  constructor(port: number, dataDir: string, start: () => Command) {
    this.port = port;
    this.dataDir = dataDir;
    this.#start = start;
  }

  get url(): string {
    return `wss://127.0.0.1:${this.port}/`;
  }

  get pin(): string {
    return new X509Certificate(readFileSync(join(this.dataDir, 'server.crt'))).fingerprint256;
  }

  async start(): Promise<void> {
    this.command = this.#start();
    await this.command.ready();
  }
}

/** What a viewer sees of the hosts, as it comes. */
export class HostsView {
  readonly #client: Client;
  readonly #waiting = new Set<() => void>();
  #rows: HostRow[] = [];

  constructor(server: Pick<BenchServer, 'url' | 'pin' | 'dataDir'>) {
    const token = readFileSync(join(server.dataDir, 'viewer.token'), 'utf8').trim();
    this.#client = new Client({ url: server.url, token, pin: server.pin });
    this.#client.subscribe({ view: 'hosts', sort: 'cpu', limit: 10_000 }, (answer) => {
      if (answer.type === 'hosts') this.#rows = answer.rows;
      for (const look of this.#waiting) look();
    });
    this.#client.connect();
  }

  /** Resolves with the moment, monotonic ms, in which the rows are seen to be as wanted. */
  seen(wanted: (rows: readonly HostRow[]) => boolean): Promise<number> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!wanted(this.#rows)) return;
        this.#waiting.delete(look);
        resolve(performance.now());
      };
      this.#waiting.add(look);
      look();
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** Two servers on one MariaDB, and agents of this very machine under names of their own. */
export class BenchMesh {
  readonly mariadb = new MariaDb();
  readonly servers: BenchServer[] = [];
  readonly #cleanUps: (() => unknown)[] = [];
  /** What is made for a test goes with this. */
  readonly t = { after: (cleanUp: () => unknown) => this.#cleanUps.push(cleanUp) } as unknown as TestContext;
  #environment: NodeJS.ProcessEnv = {};

  /** @param keyFile opens hosts that are deployed to. */
  async open(keyFile: string): Promise<this> {
    this.#cleanUps.push(() => this.mariadb.remove());
    await this.mariadb.create();
    const { address } = await emptyDatabase(this.mariadb);
    this.#environment = {
      PROCMESH_MONITOR_MYSQL_HOST: address.host,
      PROCMESH_MONITOR_MYSQL_PORT: String(address.port),
      PROCMESH_MONITOR_MYSQL_PASS: address.password,
      PROCMESH_GLOBAL_INTERVAL_TIME: '1',
      PROCMESH_GLOBAL_SAMPLE_TIME: '0.5',
      PROCMESH_CLIENT_SSH_KEY: keyFile,
      HOME: this.folder(),
      SSH_AUTH_SOCK: '',
    };
    for (let index = 0; index < 2; index += 1) {
      const [port, dataDir] = [await freePort(), this.folder()];
      const env = {
        ...this.#environment,
        PROCMESH_GLOBAL_DATA_DIR: dataDir,
        PROCMESH_SERVER_LISTEN: `0.0.0.0:${port}`,
      };
      const server = new BenchServer(port, dataDir, () => launch(this.t, ['server'], env, 'ipc'));
      const [first] = this.servers;
      if (first !== undefined) for (const name of SHARED) copyFileSync(join(first.dataDir, name), join(dataDir, name));
      this.servers.push(server);
      await server.start();
    }
    return this;
  }

  get urls(): string {
    return this.servers.map(({ url }) => url).join();
  }

  /** What is asked for of hosts, by SQL. */
  async list(hosts: readonly string[], istate: number): Promise<void> {
    const admin = await this.mariadb.admin('dbzz_monitor');
    await admin.query('REPLACE INTO tb_monitor_host_config (rshost, istate) VALUES ?', [
      hosts.map((host) => [host, istate]),
    ]);
    await admin.end();
  }

  async agent(host: string): Promise<{ command: Command; outbox: string }> {
    const [first] = this.servers as [BenchServer];
    const dataDir = this.folder();
    await this.list([host], 2);
    const args = [
      'agent',
      '--server',
      this.urls,
      '--token-file',
      writeToken(first.dataDir, host),
      '--pin',
      first.pin,
      '--net',
      'sockets',
    ];
    const env = { ...this.#environment, PROCMESH_GLOBAL_DATA_DIR: dataDir };
    const command = launch(this.t, args, env, 'ipc');
    await command.ready();
    return { command, outbox: join(dataDir, 'agent', 'outbox') };
  }

  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'procmesh-bench-'));
    this.#cleanUps.unshift(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }

  /** Kills and removes everything that was started or made, the last first. */
  async close(): Promise<void> {
    for (const cleanUp of this.#cleanUps.splice(0).reverse()) await cleanUp();
  }
}
