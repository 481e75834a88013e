import type { Point } from '../protocol/series.ts';
import type { FleetStore } from './fleet.ts';
import type { RolloutStore } from './rollout.ts';
import { SqliteFleetThread } from './sqlite-fleet-thread.ts';
import { SqliteRolloutThread } from './sqlite-rollout-thread.ts';
import { StoreThread, type ThreadLimits } from './sqlite-thread.ts';
import type {
  HistoryAnswer,
  HistoryQuestion,
  HostInterval,
  HostsAnswer,
  KnownHost,
  Peaks,
  SeriesQuestion,
  Store,
} from './store.ts';

const LIMITS: ThreadLimits = { requests: 200, deadlineMs: 60_000 };

/**
 * Opens the embedded store, making file and folder if they are not there. A process opens a file once; several
 * processes may have it open.
 * @throws Problem with a `StoreErrorCode` when the file is not a procmesh store, is a newer one or cannot be used.
 */
export async function openSqliteStore(file: string): Promise<SqliteStore> {
  // Bundled, this module is part of dist/main.js and the thread's program lies beside it.
  const url = new URL(import.meta.url.endsWith('.ts') ? './sqlite-worker.ts' : './sqlite-worker.js', import.meta.url);
  const writer = new StoreThread(url, file, 'writer', LIMITS);
  let reader: StoreThread | undefined;
  try {
    await writer.ready;
    reader = new StoreThread(url, file, 'reader', LIMITS);
    await reader.ready;
    return new SqliteStore(writer, reader);
  } catch (error) {
    await Promise.all([reader?.close(), writer.close()]);
    throw error;
  }
}

/**
 * `node:sqlite` is synchronous, so the work is done in two threads: a commit waits for the disk and a query over a month
 * reads for seconds, and neither may hold up the event loop or the other.
 */
export class SqliteStore implements Store {
  readonly #writer: StoreThread;
  readonly #reader: StoreThread;
  readonly #fleet: SqliteFleetThread;
  readonly #rollouts: SqliteRolloutThread;

  constructor(writer: StoreThread, reader: StoreThread) {
    this.#writer = writer;
    this.#reader = reader;
    this.#fleet = new SqliteFleetThread(writer);
    this.#rollouts = new SqliteRolloutThread(writer);
  }

  /** Closed with the store. */
  get fleet(): FleetStore {
    return this.#fleet;
  }

  /** Closed with the store. */
  get rollouts(): RolloutStore {
    return this.#rollouts;
  }

  write(batch: readonly HostInterval[]): Promise<void> {
    return this.#writer.request('write', batch);
  }

  processes(question: HistoryQuestion): Promise<HistoryAnswer> {
    return this.#reader.request('processes', question);
  }

  hosts(question: HistoryQuestion): Promise<HostsAnswer> {
    return this.#reader.request('hosts', question);
  }

  series(question: SeriesQuestion): Promise<Point[]> {
    return this.#reader.request('series', question);
  }

  peaks(question: HistoryQuestion & { host: string }): Promise<Peaks | undefined> {
    return this.#reader.request('peaks', question);
  }

  knownHosts(): Promise<KnownHost[]> {
    return this.#reader.request('knownHosts');
  }

  prune(beforeMs: number, maxRows: number): Promise<number> {
    return this.#writer.request('prune', beforeMs, maxRows);
  }

  /** The writer closes last: whoever does moves the write-ahead log into the file. */
  async close(): Promise<void> {
    await Promise.all([this.#fleet.settled(), this.#rollouts.settled()]);
    await this.#reader.close();
    await this.#writer.close();
  }
}
