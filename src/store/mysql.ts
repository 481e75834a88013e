import type { Point } from '../protocol/series.ts';
import type { Limits } from './budget.ts';
import type { FleetStore } from './fleet.ts';
import { MysqlFleet } from './mysql-fleet.ts';
import { MysqlReader } from './mysql-read.ts';
import { MysqlRetention } from './mysql-retention.ts';
import { MysqlRollouts } from './mysql-rollout.ts';
import { type MysqlAddress, Sessions } from './mysql-sessions.ts';
import { MysqlWriter } from './mysql-write.ts';
import type { RolloutStore } from './rollout.ts';
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

/** A statement that writes is a thousand rows; one that reads may have to read millions. */
const WRITE_LIMITS = { connections: 2, waiting: 100, deadlineMs: 20_000 };
const READ_LIMITS = { connections: 4, waiting: 200, deadlineMs: 60_000 };

/** A database of the MySQL protocol. It need not be there yet: what is asked of it is rejected until it is. */
export class MysqlStore implements Store {
  readonly #writing: Sessions;
  readonly #reading: Sessions;
  readonly #writer = new MysqlWriter();
  readonly #reader: MysqlReader;
  readonly #retention = new MysqlRetention();
  readonly #fleet: MysqlFleet;
  readonly #rollouts: MysqlRollouts;

  constructor(address: MysqlAddress, limits?: Limits) {
    this.#writing = new Sessions(address, WRITE_LIMITS);
    this.#reading = new Sessions(address, READ_LIMITS);
    this.#reader = new MysqlReader(limits);
    this.#fleet = new MysqlFleet(address);
    this.#rollouts = new MysqlRollouts(address);
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
    return this.#writing.with((session) => this.#writer.write(session, batch));
  }

  processes(question: HistoryQuestion): Promise<HistoryAnswer> {
    return this.#reading.with((session) => this.#reader.processes(session, question));
  }

  hosts(question: HistoryQuestion): Promise<HostsAnswer> {
    return this.#reading.with((session) => this.#reader.hosts(session, question));
  }

  series(question: SeriesQuestion): Promise<Point[]> {
    return this.#reading.with((session) => this.#reader.series(session, question));
  }

  peaks(question: HistoryQuestion & { host: string }): Promise<Peaks | undefined> {
    return this.#reading.with((session) => this.#reader.peaks(session, question));
  }

  knownHosts(): Promise<KnownHost[]> {
    return this.#reading.with((session) => this.#reader.knownHosts(session));
  }

  prune(beforeMs: number, maxRows: number): Promise<number> {
    return this.#writing.with((session) => this.#retention.prune(session, beforeMs, maxRows));
  }

  async close(): Promise<void> {
    await Promise.all([this.#fleet.close(), this.#rollouts.close(), this.#writing.close(), this.#reading.close()]);
  }
}
