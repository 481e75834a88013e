import type { Answer, ConnectionStatus } from '../../src/client/client.ts';
import type { Incomplete } from '../../src/protocol/message.ts';
import type { Query } from '../../src/protocol/query.ts';
import type { HostRow, HostTotal, Row } from '../../src/protocol/row.ts';
import type { Frame } from '../../tui/frame.ts';
import { type Command, initialModel, type Message, type Model } from '../../tui/model.ts';
import { update } from '../../tui/update.ts';
import { view } from '../../tui/view.ts';
import { AT, hostRow, hostTotal, processRow } from './fleet.ts';

/** The terminal UI without a terminal and without a server: messages go in, frames and commands come out. */
export class Stage {
  model: Model;
  commands: Command[] = [];
  nowMs = 1_000;

  constructor(columns = 80, rows = 24, notice?: string) {
    this.model = initialModel({ columns, rows, nowMs: this.nowMs, ...(notice !== undefined && { notice }) });
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

  hosts(rows: HostRow[] = [hostRow()], at = AT): this {
    return this.#answer('hosts', { type: 'hosts', id: 1, at, rows });
  }

  rows(rows: Row[] = [processRow()], more: { totals?: HostTotal[]; incomplete?: Incomplete[] } = {}, at = AT): this {
    const { totals = [hostTotal()], incomplete } = more;
    const answer = { type: 'rows', id: 2, at, rows, totals, ...(incomplete !== undefined && { incomplete }) };
    return this.#answer('processes', answer as Answer);
  }

  refuse(message: string, to: 'hosts' | 'processes' = 'processes'): this {
    return this.#answer(to, { type: 'error', id: 2, code: 'ERR_FILTER', message });
  }

  /** Connected, one host known, its view open, these processes on it. */
  oneHost(rows?: Row[], more?: { totals?: HostTotal[] }): this {
    return this.status({ state: 'open' }).hosts().rows(rows, more);
  }

  /** Connected to several hosts. */
  fleet(...names: string[]): this {
    return this.status({ state: 'open' }).hosts(names.map((host) => hostRow({ host })));
  }

  /** The question that stands now. */
  get asked(): Query | undefined {
    return this.model.asked;
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

  #answer(to: 'hosts' | 'processes', answer: Answer): this {
    return this.send({ type: 'answer', to, answer, nowMs: this.nowMs });
  }
}

export function plain(frame: Frame): string[] {
  return frame.map((line) => line.map(({ text }) => text).join(''));
}
