import type { Answer, ConnectionStatus } from '../../src/client/client.ts';
import type { Incomplete } from '../../src/protocol/message.ts';
import type { Query } from '../../src/protocol/query.ts';
import type { RolloutStatus } from '../../src/protocol/release.ts';
import type { HostRow, HostTotal, Row } from '../../src/protocol/row.ts';
import type { Point } from '../../src/protocol/series.ts';
import type { Frame } from '../../tui/frame.ts';
import type { Command, Message, Model, Subject } from '../../tui/model.ts';
import { begun, update } from '../../tui/update.ts';
import { view } from '../../tui/view.ts';
import { AT, hostRow, hostTotal, processRow } from './fleet.ts';

/** The terminal UI without a terminal and without a server: messages go in, frames and commands come out. */
export class Stage {
  model: Model;
  readonly commands: Command[];
  nowMs = 1_000;

  constructor(columns = 80, rows = 24, notice?: string, atMs?: number) {
    const clockOffsetMs = Date.parse(AT) - this.nowMs;
    const { model, commands } = begun({ columns, rows, nowMs: this.nowMs, clockOffsetMs, notice, atMs });
    this.model = model;
    this.commands = [...commands];
  }

  send(message: Message): this {
    const { model, commands } = update(this.model, message);
    this.model = model;
    this.commands.push(...commands);
    return this;
  }

  keys(...keys: string[]): this {
    for (const key of keys) this.send({ type: 'key', key });
    return this;
  }

  type(text: string): this {
    return this.keys(...text);
  }

  status(status: ConnectionStatus): this {
    return this.send({ type: 'status', status });
  }

  hosts(rows: HostRow[] = [hostRow()], at = AT, from?: string): this {
    return this.#answer('hosts', { type: 'hosts', id: 1, at, ...(from !== undefined && { from }), rows });
  }

  rows(
    rows: Row[] = [processRow()],
    more: { totals?: HostTotal[]; incomplete?: Incomplete[]; from?: string } = {},
    at = AT,
  ): this {
    const answer = { type: 'rows', id: 2, at, rows, totals: [hostTotal()], ...more };
    return this.#answer('processes', answer as Answer);
  }

  series(points: Point[], host = 'db-01'): this {
    return this.#answer('series', { type: 'series', id: 3, host, points });
  }

  release(rollout?: RolloutStatus): this {
    return this.#answer('release', { type: 'release', id: 4, at: AT, ...(rollout !== undefined && { rollout }) });
  }

  refuse(message: string, to: Subject = 'processes'): this {
    return this.#answer(to, { type: 'error', id: 2, code: 'ERR_FILTER', message });
  }

  event(host: string, state: 'alerted' | 'recovered', text: string): this {
    return this.send({ type: 'event', event: { type: 'event', at: AT, host, state, text }, nowMs: this.nowMs });
  }

  /** A second goes by. */
  second(): this {
    this.nowMs += 1_000;
    return this.send({ type: 'clock', nowMs: this.nowMs });
  }

  /** Connected, one host known, its view open, these processes on it. */
  oneHost(rows?: Row[], more?: { totals?: HostTotal[] }): this {
    return this.status({ state: 'open' }).hosts().rows(rows, more);
  }

  /** Connected to several hosts. */
  fleet(...names: string[]): this {
    return this.status({ state: 'open' }).hosts(names.map((host) => hostRow({ host })));
  }

  /** The question about processes that stands now. */
  get asked(): Query | undefined {
    return this.standing('processes');
  }

  standing(subject: Subject): Query | undefined {
    return this.model.asked[subject]?.query;
  }

  frame(charset: 'unicode' | 'ascii' = 'unicode'): Frame {
    return view(this.model, charset);
  }

  /** The screen as plain lines. */
  lines(charset?: 'unicode' | 'ascii'): string[] {
    return plain(this.frame(charset));
  }

  text(): string {
    return `${this.lines()
      .map((line) => line.trimEnd())
      .join('\n')}\n`;
  }

  /** The line that contains this; fails if there is none. */
  line(part: string): string {
    const found = this.lines().find((line) => line.includes(part));
    if (found === undefined) throw new Error(`no line with ${part} in\n${this.text()}`);
    return found;
  }

  /** The line of the selected row. */
  selected(): string {
    return this.lines().find((line) => line.startsWith('›')) ?? '';
  }

  #answer(to: Subject, answer: Answer): this {
    return this.send({ type: 'answer', to, answer, nowMs: this.nowMs });
  }
}

export function plain(frame: Frame): string[] {
  return frame.map((line) => line.map(({ text }) => text).join(''));
}
