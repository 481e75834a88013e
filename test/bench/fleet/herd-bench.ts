import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { RowDataPacket } from 'mysql2/promise';
import { SyntheticFleet } from '../history/fleet.ts';
import { type BenchMesh, type BenchServer, HostsView } from './bench-mesh.ts';
import { LoopProbe } from './loop-probe.ts';

const HERD = fileURLToPath(new URL('herd.ts', import.meta.url));

export interface Stampede {
  /** From the end of the server until a viewer has seen all of them beat, seconds. */
  tookS: number;
  /** The longest that the event loop of the server they came to was held up meanwhile. */
  worstLoopMs: number;
  /** Intervals they had measured meanwhile that never came. */
  lost: number;
}

/** Simulated agents of two servers. */
export class Herd {
  readonly #mesh: BenchMesh;
  readonly #count: number;
  #process: ChildProcess | undefined;

  constructor(mesh: BenchMesh, count: number) {
    this.#mesh = mesh;
    this.#count = count;
  }

  /** Resolves when the first server has seen all of them beat. */
  async start(servers: readonly BenchServer[]): Promise<void> {
    const urls = servers.map(({ url }) => url).join();
    const [{ dataDir, pin }] = servers as [BenchServer];
    const hosts = [...new SyntheticFleet(this.#count, 1).intervals(0, 1)].map(({ host }) => host);
    await this.#mesh.list(hosts, 2);
    const args = [HERD, String(this.#count), urls, dataDir, pin, this.#mesh.folder()];
    this.#process = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    await once(this.#process, 'message');
    await this.#streaming(servers[0] as BenchServer);
  }

  /** Kills a server under them; `to` is where they go, which may be the same one, started again at once. */
  async stampede(from: BenchServer, to: BenchServer): Promise<Stampede> {
    const startedAt = performance.now();
    await from.command?.kill('SIGKILL');
    if (from === to) await to.start();
    const probe = new LoopProbe(to.port);
    // What was measured while there was no server comes after it.
    const endMs = Math.floor(Date.now() / 30_000) * 30_000;
    this.#process?.send(endMs);
    const seenAt = await this.#streaming(to);
    const lost = this.#count - (await this.#stored(endMs));
    return { tookS: (seenAt - startedAt) / 1_000, worstLoopMs: await probe.end(), lost };
  }

  async end(): Promise<void> {
    if (this.#process === undefined) return;
    const ended = once(this.#process, 'exit');
    this.#process.disconnect();
    await ended;
  }

  async #streaming(server: BenchServer): Promise<number> {
    const view = new HostsView(server);
    const seenAt = await view.seen(
      (rows) =>
        rows.filter(({ host, cpuPercent }) => host.startsWith('10.20.') && cpuPercent !== undefined).length ===
        this.#count,
    );
    view.close();
    return seenAt;
  }

  /** Waits for all, as long as more come. */
  async #stored(endMs: number): Promise<number> {
    const admin = await this.#mesh.mariadb.admin('dbzz_monitor');
    let stored = -1;
    for (let before = -2; stored > before && stored < this.#count; ) {
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      before = stored;
      const [[row] = []] = await admin.query<RowDataPacket[]>(
        "SELECT COUNT(*) AS stored FROM tb_monitor_host_info WHERE rshost LIKE '10.20.%' AND UNIX_TIMESTAMP(a_time) = ?",
        [endMs / 1_000],
      );
      stored = Number(row?.stored);
    }
    await admin.end();
    return stored;
  }
}
