import type { ConnectionStatus } from '../src/client/client.ts';
import type { Query } from '../src/protocol/query.ts';
import { answered } from './answers.ts';
import { type Cursor, settled } from './cursor.ts';
import { shownHosts } from './hosts-view.ts';
import { onKey } from './keys.ts';
import { tableHeight } from './layout.ts';
import {
  type Asked,
  type Command,
  initialModel,
  type Message,
  type Model,
  type Opening,
  openView,
  SUBJECTS,
  withView,
} from './model.ts';
import { rowKey } from './process-columns.ts';
import { orderedRows } from './processes-view.ts';
import { isSameQuery, LEAST_LIMIT, questionOf } from './query.ts';
import { isAwaited, played } from './rewind.ts';

export interface Step {
  readonly model: Model;
  readonly commands: readonly Command[];
}

/** The model that a terminal begins with, and what it asks first. */
export function begun(opening: Opening): Step {
  return asking(initialModel(opening));
}

/** What happened, and what is to be done about it. Pure: the caller carries out the commands. */
export function update(model: Model, message: Message): Step {
  const next = applied(model, message);
  if (next === 'quit') return { model, commands: [{ type: 'quit' }] };
  return asking(reaching(settledTable(next)));
}

function applied(model: Model, message: Message): Model | 'quit' {
  switch (message.type) {
    case 'key':
      return onKey({ ...model, started: true, said: undefined }, message.key);
    case 'resize':
      return { ...model, columns: message.columns, rows: message.rows };
    case 'status':
      return connected(model, message.status);
    case 'answer':
      return answered({ ...model, nowMs: message.nowMs }, message.to, message.answer);
    case 'event': {
      const { host, state, text } = message.event;
      return { ...model, nowMs: message.nowMs, event: { host, state, text, receivedAtMs: message.nowMs } };
    }
    case 'clock':
      return played({ ...model, nowMs: message.nowMs });
  }
}

/** Asks what the screen needs and was not asked yet. */
function asking(model: Model): Step {
  let { asked, refusal } = model;
  const commands: Command[] = [];
  for (const about of SUBJECTS) {
    const query = questionOf(model, about);
    if (isSameQuery(query, asked[about]?.query) || mustWait(asked[about], query)) continue;
    commands.push({ type: 'ask', about, query });
    asked = { ...asked, [about]: query && { query, isAwaited: true, sinceMs: model.nowMs } };
    if (refusal?.to === about) refusal = undefined;
  }
  return { model: commands.length === 0 ? model : { ...model, asked, refusal }, commands };
}

/** A key that is held down would line up a question for each of its moments before the store: one is under way at a time. */
function mustWait(asked: Asked | undefined, query: Query | undefined): boolean {
  return asked?.isAwaited === true && asked.query.atMs !== undefined && query?.atMs !== undefined;
}

/** Between two attempts the reason stays: a banner that comes and goes with every dial could not be read. */
function connected(model: Model, status: ConnectionStatus): Model {
  switch (status.state) {
    case 'open':
      return { ...model, connection: { state: 'live' } };
    case 'lost':
    case 'refused':
      return { ...model, connection: { state: 'gone', reason: status.reason } };
    default:
      return model;
  }
}

/** Brings the rows of the open table into their order, and its cursor back to the selected row. */
function settledTable(model: Model): Model {
  const view = openView(model);
  const settle = (cursor: Cursor, keys: string[]) => settled(cursor, keys, tableHeight(model));
  if (view.name === 'hosts') {
    const rows = shownHosts(model, view);
    const names = rows.map(({ host }) => host);
    return withView(model, { ...view, rows, cursor: settle(view.cursor, names) });
  }
  if (view.name !== 'processes' || view.data === undefined) return model;
  const rows = orderedRows(model, view, view.data.rows);
  return withView(model, { ...view, data: { ...view.data, rows }, cursor: settle(view.cursor, rows.map(rowKey)) });
}

/** Asks for twice as many rows as soon as the selection comes within a page of the last one and there may be more. */
function reaching(model: Model): Model {
  const view = openView(model);
  if (view.name !== 'processes' || view.data === undefined || isAwaited(model)) return model;
  const limit = model.asked.processes?.query.limit ?? LEAST_LIMIT;
  const isNear = view.cursor.index + tableHeight(model) >= view.data.rows.length;
  const isMoved = view.cursor.key !== undefined;
  return isNear && isMoved && view.data.rows.length >= limit ? withView(model, { ...view, limit: limit * 2 }) : model;
}
