import type { Beat, Watch } from '../../src/protocol/message.ts';
import { metricBySort } from '../../src/protocol/metric.ts';
import { MAX_LIMIT } from '../../src/protocol/query.ts';
import type { RunningRelease } from '../../src/protocol/release.ts';
import type { HostUsage, ProcessRow } from '../../src/protocol/row.ts';
import { select } from '../../src/protocol/select.ts';
import { aProcess, usage } from '../store/sample.ts';
import type { Received, Wire } from './wire.ts';

const FIRST_SAMPLE_MS = Date.UTC(2026, 0, 1);

/** A process row of a host that uses so much CPU. */
export function aRow(host: string, pid: number, cpuPercent: number, fields: Partial<ProcessRow> = {}): ProcessRow {
  const { cpuPercentMax: _, rssBytesMax: __, ...process } = aProcess({ pid, cpuPercent });
  return { host, ...process, ...fields };
}

/** Keeps the wire's rules of an agent, with a process table that a test sets. */
export class FakeAgent {
  readonly host: string;
  readonly wire: Wire;
  /** What is watched, by id, as the agent understands it. */
  readonly watched = new Map<number, { watch: Watch; saidNothing: boolean }>();
  /** Every watch and unwatch that came, oldest first. */
  readonly asked: Received[] = [];
  table: ProcessRow[] = [];
  usage: HostUsage = usage();
  /** Time of its latest sample, epoch ms; a second later each time. */
  atMs = FIRST_SAMPLE_MS;
  /** Takes questions and never answers one. */
  isMute = false;
  /** What the server asks has not arrived here yet; `catchUp` ends it. */
  isFar = false;
  readonly #underWay: Received[] = [];

  constructor(host: string, wire: Wire) {
    this.host = host;
    this.wire = wire;
    wire.on('message', (message) => {
      if (this.isFar) this.#underWay.push(message);
      else this.#onMessage(message);
    });
  }

  catchUp(): void {
    this.isFar = false;
    for (const message of this.#underWay.splice(0)) this.#onMessage(message);
  }

  hello(version = '1.0.0', release?: RunningRelease): void {
    const outbox = { waiting: 0, dropped: 0 };
    this.wire.send({ type: 'hello', host: this.host, version, outbox, ...(release !== undefined && { release }) });
  }

  /** A new sample: answers to what is watched, then the beat. */
  sample(table: ProcessRow[] = this.table): void {
    this.table = table;
    this.atMs += 1_000;
    for (const id of this.watched.keys()) this.#answer(id);
    this.beat();
  }

  beat(fields: Partial<Beat> = {}): void {
    const agent = { cpuPercent: 0.5, rssBytes: 5e7 };
    this.wire.send({ type: 'beat', atMs: this.atMs, usage: this.usage, culprits: {}, agent, ...fields });
  }

  #onMessage(message: Received): void {
    if (message.type === 'unwatch') {
      this.asked.push(message);
      this.watched.delete(message.id);
    } else if (message.type === 'watch') {
      this.asked.push(message);
      const known = this.watched.get(message.id);
      const changed = JSON.stringify(known?.watch) !== JSON.stringify(message);
      this.watched.set(message.id, { watch: message, saidNothing: !changed && known?.saidNothing === true });
      if (changed) this.#answer(message.id);
    }
  }

  #answer(id: number): void {
    const watched = this.watched.get(id);
    if (watched === undefined || this.isMute) return;
    const { query, floor = 0 } = watched.watch;
    const { name } = metricBySort(query.sort);
    // A group's parts may be spread over hosts: all of them are told, whatever the limit.
    const all = query.groupBy === undefined ? query : { ...query, limit: MAX_LIMIT };
    const rows = select(all, this.table).filter((row) => floor === 0 || (row[name] ?? -1) >= floor);
    const nothing = floor > 0 && rows.length === 0;
    if (nothing && watched.saidNothing) return;
    watched.saidNothing = nothing;
    const total = { host: this.host, at: new Date(this.atMs).toISOString(), ...this.usage };
    this.wire.send({ type: 'rows', id, atMs: this.atMs, total, rows });
  }
}
