import type { HostMaxima, Interval } from '../protocol/interval.ts';
import type { Incomplete } from '../protocol/message.ts';
import type { HostTotal, ProcessRow } from '../protocol/row.ts';
import type { Point } from '../protocol/series.ts';

/**
 * Most records (intervals and recorded processes) one answer reads: thirty days of one host, 40 processes every 30 s.
 * Most process rows it carries: past that it holds the 10,000 largest of each metric, which is all a query may ask for.
 */
export const MAX_RECORDS_READ = 4_000_000;
export const MAX_HISTORY_ROWS = 60_000;

/** The last second that a `timestamp` of MySQL can hold. */
export const LAST_TIME_MS = (2 ** 31 - 1) * 1000;

/** An interval and the host whose session delivered it. */
export interface HostInterval {
  host: string;
  interval: Interval;
}

/**
 * A moment, or with `windowMs` the time (atMs − windowMs, atMs]. Without a window each host answers with the one
 * interval whose (startMs, endMs] holds `atMs`; with one, with every interval that overlaps it, whole. The intervals of
 * one host do not overlap each other.
 */
export interface HistoryQuestion {
  /** Only this host; else all that have history. */
  host?: string;
  atMs: number;
  windowMs?: number;
}

/**
 * What one host did: averages weighted by interval length over the covered time, the largest maxima, and of `cores` and
 * `memTotalBytes` the largest.
 */
export interface HostHistory {
  /** `at` is the end of the last interval. */
  total: HostTotal;
  max: HostMaxima;
  /** Start of the first interval and end of the last, epoch ms. */
  fromMs: number;
  toMs: number;
  /** Sum of the lengths of the intervals: less than `toMs − fromMs` when there are gaps. */
  coveredMs: number;
  intervals: number;
}

export interface HostsAnswer {
  /** End of the newest interval in the answer; the time asked for when there is none. */
  atMs: number;
  /** By name. */
  hosts: HostHistory[];
  /** Hosts left out or cut short: nothing was recorded then, or the answer would be too large. */
  incomplete: Incomplete[];
}

/**
 * Process rows carry averages and `…Max`. An average is over its host's covered time: a process recorded in half of the
 * intervals shows half. Identity, state and threads are those of the last interval that recorded the process.
 */
export interface HistoryAnswer extends HostsAnswer {
  rows: ProcessRow[];
}

/** The intervals of one host that a `HistoryQuestion` of the same times takes in. */
export interface SeriesQuestion extends HistoryQuestion {
  host: string;
  /** Its figures are in the points of intervals that recorded it. */
  process?: { pid: number; startedMs: number };
  /** The newest so many. */
  limit: number;
}

/** Of each maximum of a host the end of the interval that holds it, epoch ms; of equal ones the first. */
export type Peaks = { [name in keyof HostMaxima]: number };

export interface KnownHost {
  host: string;
  lastIntervalEndMs: number;
}

/** `code` of the `Problem`s a store rejects with. */
export type StoreErrorCode =
  /** There is something where the store should be, and it is none of ours; it was left as it is. */
  | 'ERR_STORE_UNRECOGNISED'
  /** Made by a newer procmesh; left as it is. */
  | 'ERR_STORE_NEWER'
  /** Its tables are not there, or an older procmesh made them. */
  | 'ERR_STORE_SCHEMA'
  /** It can never take this: a value does not fit its column. Nothing of the write was kept. */
  | 'ERR_STORE_REFUSED'
  /** Not to be reached. */
  | 'ERR_STORE_AWAY'
  /** Nothing of the rejected write was kept; it works again when there is room. */
  | 'ERR_STORE_FULL'
  /** Another process holds it. */
  | 'ERR_STORE_LOCKED'
  /** Not readable, not writable or not creatable by this user. */
  | 'ERR_STORE_ACCESS'
  | 'ERR_STORE_DAMAGED'
  /** The medium failed. */
  | 'ERR_STORE_IO'
  /** Too many requests wait. */
  | 'ERR_STORE_BUSY'
  /** Not answered before its deadline. A write may have been done all the same: repeat it. */
  | 'ERR_STORE_SLOW'
  /** It died; only opening it anew helps. */
  | 'ERR_STORE_STOPPED'
  | 'ERR_STORE_CLOSED';

/**
 * Where intervals are kept; their ends lie on whole seconds, none after `LAST_TIME_MS`. Every method may reject with a `Problem` whose code is a `StoreErrorCode`, has a deadline
 * of its own, and leaves the caller's event loop free.
 */
export interface Store {
  /**
   * Keeps all intervals or none, and resolves only when they survive a power cut. Idempotent: an interval that is there
   * already (same host, same `endMs`) stays as it is. Of a process (pid, start) or mount listed twice the first counts.
   */
  write(batch: readonly HostInterval[]): Promise<void>;
  /** The processes recorded then, in no particular order, at most `MAX_HISTORY_ROWS`, and their hosts. */
  processes(question: HistoryQuestion): Promise<HistoryAnswer>;
  /** The hosts' own figures then. */
  hosts(question: HistoryQuestion): Promise<HostsAnswer>;
  /** Oldest first. */
  series(question: SeriesQuestion): Promise<Point[]>;
  /** @returns undefined when nothing was recorded then. */
  peaks(question: HistoryQuestion & { host: string }): Promise<Peaks | undefined>;
  /** Every host of which at least one interval is kept, by name. */
  knownHosts(): Promise<KnownHost[]>;
  /**
   * Deletes intervals that ended before `beforeMs`, and what only they needed, in one short step of about `maxRows`
   * rows (an interval goes as a whole). @returns rows deleted; 0 when there is nothing left to delete.
   */
  prune(beforeMs: number, maxRows: number): Promise<number>;
  /** Lets what was asked before finish, then closes; later requests are rejected. May be called again. */
  close(): Promise<void>;
}
