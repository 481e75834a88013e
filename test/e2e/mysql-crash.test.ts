import assert from 'node:assert/strict';
import { type FSWatcher, mkdirSync, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { RowDataPacket } from 'mysql2/promise';
import { ownPin } from '../../src/cli/pin.ts';
import { emptyDatabase } from '../store/mysql-database.ts';
import { type Command, freePort, launch } from '../support/command.ts';
import { MariaDb } from '../support/mariadb.ts';
import { seededRandom } from '../support/random.ts';
import { scratchFolder } from '../support/scratch.ts';
import { writeToken } from '../support/token-file.ts';
import { until } from './mesh.ts';

const ROUNDS = 10;

const mariadb = new MariaDb();
before(async () => void (await mariadb.create()));
after(() => mariadb.remove());

/** An agent of one host, and what it has measured: the name of each interval that its disk ever held. */
class Host {
  readonly name: string;
  readonly #t: TestContext;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #outbox: string;
  readonly #watcher: FSWatcher;
  readonly measured = new Set<number>();
  agent: Command | undefined;

  constructor(t: TestContext, name: string, environment: NodeJS.ProcessEnv) {
    this.#t = t;
    this.name = name;
    const folder = scratchFolder(t);
    this.#environment = { ...environment, PROCMESH_GLOBAL_DATA_DIR: folder };
    this.#outbox = join(folder, 'agent', 'outbox');
    mkdirSync(this.#outbox, { recursive: true });
    // The kernel tells of every file that is renamed to its place or removed, in order, and forgets none.
    this.#watcher = watch(this.#outbox, (_, file) => {
      const [, endMs] = /^(\d+)\.json$/.exec(file ?? '') ?? [];
      if (endMs !== undefined) this.measured.add(Number(endMs));
    });
    t.after(() => this.#watcher.close());
  }

  /** Ends of the intervals that are on its disk. */
  get waiting(): number[] {
    return readdirSync(this.#outbox).map((file) => Number.parseInt(file, 10));
  }

  /** With a token and the pin of the server that has this data folder. */
  async start(serverDir: string): Promise<void> {
    const pin = ownPin({ tls: 'auto', dataDir: serverDir }) ?? '';
    const args = ['agent', '--token-file', writeToken(serverDir, this.name), '--pin', pin, '--net', 'sockets'];
    this.agent = launch(this.#t, args, this.#environment, 'ipc');
    await this.agent.ready();
  }
}

interface Stored extends RowDataPacket {
  startMs: number;
  endMs: number;
  recorded: number;
  found: number;
}

async function stored(host: string): Promise<Stored[]> {
  const admin = await mariadb.admin('dbzz_monitor');
  const [rows] = await admin.query<Stored[]>(
    `SELECT UNIX_TIMESTAMP(a_time) * 1000 AS endMs, UNIX_TIMESTAMP(a_time) * 1000 - length_ms AS startMs, recorded,
      (SELECT COUNT(*) FROM tb_monitor_process_io_info p JOIN tb_monitor_process_info USING (md5_str)
        WHERE p.rshost = h.rshost AND p.a_time = h.a_time) AS found
    FROM tb_monitor_host_info h WHERE rshost = ? ORDER BY a_time`,
    [host],
  );
  await admin.end();
  return rows;
}

describe('whatever dies, with MySQL', { timeout: 280_000 }, () => {
  it('every interval that an agent measured is in the tables once, after ten rounds of kill -9', async (t) => {
    const { address } = await emptyDatabase(mariadb);
    const serverDir = scratchFolder(t);
    const port = await freePort();
    const environment = {
      PROCMESH_GLOBAL_DATA_DIR: serverDir,
      PROCMESH_GLOBAL_INTERVAL_TIME: '1',
      PROCMESH_GLOBAL_SAMPLE_TIME: '0.5',
      PROCMESH_SERVER_LISTEN: `127.0.0.1:${port}`,
      PROCMESH_MONITOR_MYSQL_HOST: address.host,
      PROCMESH_MONITOR_MYSQL_PORT: String(address.port),
      PROCMESH_MONITOR_MYSQL_PASS: address.password,
    };
    const startServer = async (): Promise<Command> => {
      const started = launch(t, ['server'], environment, 'ipc');
      await started.ready();
      return started;
    };
    mariadb.script("INSERT INTO dbzz_monitor.tb_monitor_host_config (rshost, istate) VALUES ('db-1', 2), ('db-2', 2)");
    let server = await startServer();
    const hosts = ['db-1', 'db-2'].map((name) => new Host(t, name, environment));
    for (const host of hosts) await host.start(serverDir);
    await until(() => hosts.every(({ measured }) => measured.size > 0));

    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const random = seededRandom(seed);
    for (let round = 0; round < ROUNDS; round += 1) {
      // Any moment of an interval, of a transaction, of a start: that is what the wait is for.
      await delay(random() * 1_500);
      const victim = ['server', 'mariadb', ...hosts][Math.floor(random() * 4)];
      const restart = async (): Promise<void> => {
        if (victim === 'server') server = await startServer();
        else if (victim === 'mariadb') await mariadb.start();
        else await (victim as Host).start(serverDir);
      };
      if (victim === 'server') await server.kill('SIGKILL');
      else if (victim === 'mariadb') await mariadb.stop('SIGKILL');
      else await (victim as Host).agent?.kill('SIGKILL');
      await delay(random() * 1_500);
      await restart();
    }
    const sofar = hosts.map(({ measured }) => measured.size);
    await until(() => hosts.every(({ measured }, index) => measured.size > (sofar[index] ?? 0) + 1));
    await until(() => hosts.every(({ waiting }) => waiting.length === 0));
    for (const host of hosts) await host.agent?.kill('SIGTERM');
    await server.kill('SIGTERM');

    for (const { name, measured, waiting } of hosts) {
      const rows = await stored(name);
      const ends = rows.map(({ endMs }) => endMs);
      // What was measured while all of it was stopped is on the agent's disk.
      assert.ok(waiting.length <= 2, waiting.join());
      const expected = [...measured].filter((endMs) => ends.includes(endMs) || !waiting.includes(endMs));
      assert.deepEqual(
        ends,
        expected.sort((a, b) => a - b),
        name,
      );
      for (const [index, { startMs, endMs, recorded, found }] of rows.entries()) {
        assert.equal(found, recorded, `process rows of ${name} at ${endMs}`);
        const before = rows[index - 1]?.endMs ?? 0;
        assert.ok(startMs >= before, `${name}: ${before} ${startMs}`);
      }
      assert.ok(rows.length >= ROUNDS, String(rows.length));
    }
  });
});
