import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { RowDataPacket } from 'mysql2/promise';
import { serverOfHolder } from '../../../src/server/duties.ts';
import { ALERT_RIGHTS, emptyDatabase } from '../../store/mysql-database.ts';
import { freePort, launch } from '../../support/command.ts';
import { MariaDb } from '../../support/mariadb.ts';
import type { TestHost } from '../../support/test-host/test-host.ts';
import { TestNetwork } from '../../support/test-hosts.ts';
import { WecomStandIn } from '../../support/wecom.ts';
import { BenchServer, HostsView, SHARED } from './bench-mesh.ts';
import { bringRuntime } from './deploy-bench.ts';

const HOSTS = 3;
/** Nothing is looked for longer than this. */
const PATIENCE_MS = 120_000;

/** A message that the robot was sent. */
export interface Told {
  /** Monotonic ms. */
  at: number;
  by: string;
}

/** Two servers on one MariaDB, hosts that they deployed agents to, and a robot that hears of alerts, from agents too. */
export class AlertMesh {
  readonly servers: BenchServer[] = [];
  readonly hosts: TestHost[] = [];
  readonly #cleanUps: (() => unknown)[] = [];
  readonly #t = { after: (cleanUp: () => unknown) => this.#cleanUps.push(cleanUp) } as unknown as TestContext;
  #mariadb = new MariaDb();
  #robot = new WecomStandIn();
  /** This machine's, by which hosts reach servers, database and robot. */
  #address = '';

  async open(): Promise<this> {
    const network = await TestNetwork.open(this.#t);
    this.#address = network.address;
    this.#robot = await WecomStandIn.start(this.#t, network.address);
    this.#mariadb = new MariaDb([`--bind-address=${network.address}`]);
    this.#cleanUps.push(() => this.#mariadb.remove());
    await this.#mariadb.create();
    const account = await this.#accounts();
    const ports = [await freePort(), await freePort()];
    const settings = {
      ...account,
      PROCMESH_SERVER_SERVERS: ports.map((port) => `wss://${network.address}:${port}`).join(),
      PROCMESH_CLIENT_SSH_KEY: network.keyFile,
      HOME: this.#folder(),
      SSH_AUTH_SOCK: '',
    };
    for (const port of ports) await this.#startServer(port, settings);
    for (let index = 0; index < HOSTS; index += 1) this.hosts.push(await network.host());
    await Promise.all(this.hosts.map(bringRuntime));
    await this.#deploy();
    return this;
  }

  /** Messages that were sent so far. */
  get sent(): number {
    return this.#robot.texts.length;
  }

  /** Of the messages since the first `sent`, those with such a word. */
  count(sent: number, word: string): number {
    return this.#robot.texts.slice(sent).filter((text) => text.includes(word)).length;
  }

  /** Resolves with the next message after the first `sent` with such a word, which may have come already. */
  async told(sent: number, word: string): Promise<Told> {
    const robot = this.#robot;
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    const { promise: late, reject } = Promise.withResolvers<never>();
    deadline.addEventListener('abort', () => reject(new Error(`nobody says "${word}": ${robot.texts.join('\n')}`)));
    for (;;) {
      const at = performance.now();
      const index = robot.texts.findIndex((text, position) => position >= sent && text.includes(word));
      if (index >= 0) return { at, by: await this.#nameOf(robot.senders[index]) };
      await Promise.race([robot.heard(), late]);
    }
  }

  /** How a server calls itself. */
  nameOf({ port }: BenchServer): string {
    return `${hostname()}:${port}`;
  }

  /** The server that does the duties, first, and the other one. */
  async byLease(): Promise<[BenchServer, BenchServer]> {
    const holder = await this.#leaseHolder();
    const [first, second] = this.servers as [BenchServer, BenchServer];
    return holder === this.nameOf(first) ? [first, second] : [second, first];
  }

  /** Kills and removes everything that was started or made, the last first. */
  async close(): Promise<void> {
    for (const cleanUp of this.#cleanUps.splice(0).reverse()) await cleanUp();
  }

  /** Those of the documentation, for whoever comes by the network of the hosts. @returns the settings that name them. */
  async #accounts(): Promise<NodeJS.ProcessEnv> {
    const { address } = await emptyDatabase(this.#mariadb);
    this.#mariadb.script(`RENAME USER monitor_rw@'127.0.0.1' TO monitor_rw@'%';
      CREATE USER monitor_alert@'%' IDENTIFIED BY 'pass3';
      GRANT ${ALERT_RIGHTS} TO monitor_alert@'%';`);
    return {
      PROCMESH_MONITOR_MYSQL_HOST: this.#address,
      PROCMESH_MONITOR_MYSQL_PORT: String(address.port),
      PROCMESH_MONITOR_MYSQL_PASS: address.password,
      PROCMESH_MONITOR_ALERT_USER: 'monitor_alert',
      PROCMESH_MONITOR_ALERT_PASS: 'pass3',
    };
  }

  async #startServer(port: number, settings: NodeJS.ProcessEnv): Promise<void> {
    const dataDir = this.#folder();
    const env = {
      ...settings,
      PROCMESH_GLOBAL_DATA_DIR: dataDir,
      PROCMESH_SERVER_LISTEN: `0.0.0.0:${port}`,
      PROCMESH_MSM_WX_URL: `${this.#robot.url}&by=${hostname()}:${port}`,
    };
    const [first] = this.servers;
    if (first !== undefined) for (const name of SHARED) copyFileSync(join(first.dataDir, name), join(dataDir, name));
    const server = new BenchServer(port, dataDir, () => launch(this.#t, ['server'], env, 'ipc'));
    this.servers.push(server);
    await server.start();
  }

  async #deploy(): Promise<void> {
    const [server] = this.servers as [BenchServer];
    const view = new HostsView(server);
    const values = this.hosts.map(({ address }) => `(0, '${address}', 1)`).join();
    this.#mariadb.script(`INSERT INTO dbzz_monitor.tb_monitor_host_config VALUES ${values}`);
    await view.seen((rows) => rows.filter(({ status }) => status === 'online').length === HOSTS);
    view.close();
  }

  async #nameOf(sender: { address: string; by: string } | undefined): Promise<string> {
    if (sender === undefined || sender.address !== this.#address) return 'an agent';
    return sender.by === (await this.#leaseHolder()) ? 'lease holder' : 'server without the lease';
  }

  async #leaseHolder(): Promise<string> {
    const admin = await this.#mariadb.admin('dbzz_monitor');
    const [[row]] = await admin.query<RowDataPacket[]>('SELECT holder FROM tb_monitor_lease');
    await admin.end();
    return serverOfHolder(String(row?.holder));
  }

  #folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'procmesh-bench-'));
    this.#cleanUps.unshift(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }
}
