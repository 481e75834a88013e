import { type AgentRows, type Incomplete, UNKNOWN_HOST, type Watch } from '../protocol/message.ts';
import { metricBySort } from '../protocol/metric.ts';
import type { Query } from '../protocol/query.ts';
import type { GroupRow, HostTotal, ProcessRow, Row } from '../protocol/row.ts';
import { largest, sumGroups } from '../protocol/select.ts';
import type { Deliver, LiveAnswer, LiveQuery } from './live-query.ts';
import type { AgentConnection, Registry } from './registry.ts';

/** How long an agent answers without being asked again. */
const TTL_MS = 15_000;
const RENEW_MS = 5_000;
/** Answers of several hosts are gathered this long before they are merged. */
const GATHER_MS = 15;
/** A first answer, or one after the floor was lowered, waits this long for the slowest host, then goes without it. */
const PATIENCE_MS = 1_000;
/** The floor is put this far below the last row shown, and raised when it has come to be too low by a fifth. */
const FLOOR_SHARE = 0.8;

/**
 * A process query over all hosts it concerns: asks their agents, merges what they answer, and asks again when hosts come.
 *
 * Over several hosts the agents are told the value of the last row shown, the floor, and stay silent below it. The
 * result stays exact: when fewer rows than the limit reach the floor, it is taken away and everybody is asked anew, under
 * a new id, before anything is shown. An answer to the old id may still be on its way and lack rows.
 */
export class LiveProcesses implements LiveQuery {
  readonly #nextId: () => number;
  readonly #query: Query;
  readonly #registry: Registry;
  readonly #deliver: Deliver;
  readonly #answers = new Map<string, AgentRows>();
  /** Hosts whose answer is still awaited before anything is shown. */
  readonly #awaited = new Set<string>();
  readonly #renewal: NodeJS.Timeout;
  readonly #onConnected = (host: string, connection: AgentConnection): void => {
    if (this.#concerns(host)) this.#ask(connection);
  };
  readonly #onDisconnected = (host: string): void => {
    if (!this.#concerns(host)) return;
    this.#answers.delete(host);
    this.#awaited.delete(host);
    this.#schedule();
  };
  readonly #onRows = (host: string, rows: AgentRows): void => {
    if (rows.id !== this.#id) return;
    this.#answers.set(host, rows);
    this.#awaited.delete(host);
    this.#schedule();
  };
  #id: number;
  #floor = 0;
  #timer: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;
  latest: LiveAnswer | undefined;

  /** @param nextId gives ids that no other query has. */
  constructor(nextId: () => number, query: Query, registry: Registry, deliver: Deliver) {
    this.#nextId = nextId;
    this.#id = nextId();
    this.#query = query;
    this.#registry = registry;
    this.#deliver = deliver;
    registry.on('connected', this.#onConnected);
    registry.on('disconnected', this.#onDisconnected);
    registry.on('rows', this.#onRows);
    this.#renewal = setInterval(() => this.#askAll(), RENEW_MS);
    this.#awaitAll();
  }

  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#patience);
    clearInterval(this.#renewal);
    this.#registry.off('connected', this.#onConnected);
    this.#registry.off('disconnected', this.#onDisconnected);
    this.#registry.off('rows', this.#onRows);
    this.#unwatchAll();
  }

  #concerns(host: string): boolean {
    return this.#query.host === undefined || this.#query.host === host;
  }

  *#connected(): Iterable<{ host: string; connection: AgentConnection }> {
    for (const host of this.#registry.hostNames()) {
      const connection = this.#concerns(host) ? this.#registry.connectionOf(host) : undefined;
      if (connection !== undefined) yield { host, connection };
    }
  }

  #ask(connection: AgentConnection): void {
    const watch: Watch = { type: 'watch', id: this.#id, query: this.#query, ttlMs: TTL_MS };
    connection.send(this.#floor > 0 ? { ...watch, floor: this.#floor } : watch);
  }

  #askAll(): void {
    for (const { connection } of this.#connected()) this.#ask(connection);
  }

  #unwatchAll(): void {
    for (const { connection } of this.#connected()) connection.send({ type: 'unwatch', id: this.#id });
  }

  /** Asks everybody, and shows nothing until all have answered or patience is at its end. */
  #awaitAll(): void {
    for (const { host } of this.#connected()) this.#awaited.add(host);
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => {
      for (const host of this.#awaited) this.#answers.delete(host);
      this.#awaited.clear();
      this.#answer();
    }, PATIENCE_MS);
    this.#askAll();
  }

  #schedule(): void {
    if (this.#awaited.size > 0) return;
    const isWhole = [...this.#connected()].length === 1;
    if (isWhole) this.#answer();
    else this.#timer ??= setTimeout(() => this.#answer(), GATHER_MS);
  }

  #answer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#awaited.size > 0) return;
    clearTimeout(this.#patience);
    const rows = this.#merge();
    if (this.#adjustFloor(rows)) return;
    const newest = Math.max(0, ...Array.from(this.#answers.values(), ({ atMs }) => atMs));
    const incomplete = this.#incomplete();
    this.latest = {
      type: 'rows',
      at: new Date(newest || Date.now()).toISOString(),
      rows: rows as ProcessRow[],
      totals: Array.from(this.#answers, ([host, answer]) => this.#total(host, answer)),
      ...(incomplete.length > 0 && { incomplete }),
    };
    this.#deliver(this.latest);
  }

  #merge(): Row[] {
    const rows = Array.from(this.#answers.values(), (answer): readonly Row[] => answer.rows).flat();
    if (this.#query.groupBy === undefined) return largest(this.#query, rows as ProcessRow[]);
    return largest(this.#query, sumGroups(rows as GroupRow[]));
  }

  /**
   * Keeps the floor below the last row shown.
   * @returns true when the rows may not be all: then everybody has been asked anew, without a floor.
   */
  #adjustFloor(rows: readonly Row[]): boolean {
    // A group's parts add up over hosts, so that no single part can be ruled out.
    if (this.#query.groupBy !== undefined || this.#query.host !== undefined) return false;
    const { name } = metricBySort(this.#query.sort);
    const last = rows.length < this.#query.limit ? 0 : (rows.at(-1)?.[name] ?? 0);
    if (last < this.#floor) {
      this.#unwatchAll();
      this.#id = this.#nextId();
      this.#floor = 0;
      this.#awaitAll();
      return true;
    }
    const wanted = this.#answers.size > 1 ? last * FLOOR_SHARE : 0;
    if (wanted - this.#floor > wanted / 5) {
      this.#floor = wanted;
      this.#askAll();
    }
    return false;
  }

  /** A host that stays silent below the floor has newer figures in its beat. */
  #total(host: string, answer: AgentRows): HostTotal {
    const beat = this.#registry.beatOf(host);
    if (beat === undefined || beat.atMs <= answer.atMs) return answer.total;
    return { host, at: new Date(beat.atMs).toISOString(), ...beat.usage };
  }

  #incomplete(): Incomplete[] {
    const hosts = this.#query.host === undefined ? this.#registry.hostNames() : [this.#query.host];
    return hosts
      .filter((host) => !this.#answers.has(host))
      .map((host) => ({ host, reason: this.#absence(host) }))
      .filter(({ host, reason }) => reason !== 'retired' || host === this.#query.host);
  }

  #absence(host: string): string {
    if (this.#registry.connectionOf(host) !== undefined) return 'has not answered in time';
    const row = this.#registry.row(host);
    if (row === undefined) return UNKNOWN_HOST;
    return row.status === 'online' ? `connected to ${row.server}` : row.status;
  }
}
