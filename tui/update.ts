import type { Answer, ConnectionStatus } from '../src/client/client.ts';
import { type Cursor, settled } from './cursor.ts';
import { appended, recorded } from './history.ts';
import { shownHosts } from './hosts-view.ts';
import { onKey } from './keys.ts';
import { tableHeight } from './layout.ts';
import { type Command, type Message, type Model, openView, processesView, type View, withView } from './model.ts';
import { rowKey } from './process-columns.ts';
import { orderedRows } from './processes-view.ts';
import { LEAST_LIMIT, processesQuery } from './query.ts';

/** What happened, and what is to be done about it. Pure: the caller carries out the commands. */
export function update(model: Model, message: Message): { model: Model; commands: readonly Command[] } {
  if (message.type === 'clock') return { model: { ...model, nowMs: message.nowMs }, commands: [] };
  const next = applied(model, message);
  if (next === 'quit') return { model, commands: [{ type: 'quit' }] };
  const arranged = reaching(settledTable(next));
  const query = processesQuery(arranged);
  if (JSON.stringify(query) === JSON.stringify(model.asked)) return { model: arranged, commands: [] };
  return {
    model: { ...arranged, asked: query, awaiting: query !== undefined, refusal: undefined },
    commands: [{ type: 'ask', query }],
  };
}

function applied(model: Model, message: Exclude<Message, { type: 'clock' }>): Model | 'quit' {
  switch (message.type) {
    case 'key':
      return onKey({ ...model, started: true }, message.key);
    case 'resize':
      return { ...model, columns: message.columns, rows: message.rows };
    case 'status':
      return connected(model, message.status);
    case 'answer':
      return answered({ ...model, nowMs: message.nowMs }, message.to, message.answer);
  }
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

/** While paused nothing moves, but for what was asked for since: another view must show something. */
function answered(model: Model, to: 'hosts' | 'processes', answer: Answer): Model {
  const isFirst = to === 'hosts' ? model.hosts === undefined : model.awaiting;
  if (model.paused && !isFirst) return model;
  if (answer.type === 'error') return refused(model, to, answer.message);
  if (answer.type === 'series' || answer.type === 'blame') return model;
  const heard = { ...model, refusal: model.refusal?.to === to ? undefined : model.refusal };
  const dated = { at: answer.at, receivedAtMs: model.nowMs };
  if (answer.type === 'hosts') {
    const hosts = { ...dated, rows: answer.rows };
    return started({ ...heard, hosts, history: recorded(model.history, answer.rows) });
  }
  const view = openView(model);
  const next = { ...heard, awaiting: false };
  if (view.name === 'processes') {
    const isGrouped = view.groupBy !== undefined;
    const rows = answer.rows.filter((row) => 'group' in row === isGrouped);
    const { totals, incomplete = [] } = answer;
    return withView(next, { ...view, data: { ...dated, rows, totals, incomplete } });
  }
  if (view.name !== 'process') return next;
  const row = answer.rows.find((candidate) => rowKey(candidate) === rowKey(view.process));
  if (row === undefined || !('pid' in row)) return withView(next, { ...view, ended: !answer.incomplete?.length });
  return withView(next, { ...view, process: row, seen: dated, samples: appended(view.samples, row), ended: false });
}

/** The rows that were there answer another question than the one that stands on the screen now: they go. */
function refused(model: Model, to: 'hosts' | 'processes', text: string): Model {
  const next = { ...model, refusal: { to, text } };
  if (to === 'hosts') return next;
  const view = openView(model);
  const emptied = view.name === 'processes' ? withView(next, { ...view, data: undefined }) : next;
  return { ...emptied, awaiting: false };
}

/** Somebody who watches a single machine wants to see that machine, not a list of one. */
function started(model: Model): Model {
  const [first, second] = (model.hosts?.rows ?? []).filter(({ status }) => status !== 'retired');
  if (model.started || first === undefined) return model;
  const isOne = second === undefined;
  return { ...model, started: true, ...(isOne && { views: [...model.views, processesView({ host: first.host })] }) };
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
  const view: View = openView(model);
  if (view.name !== 'processes' || view.data === undefined || model.awaiting) return model;
  const limit = model.asked?.limit ?? LEAST_LIMIT;
  const isNear = view.cursor.index + tableHeight(model) >= view.data.rows.length;
  const isMoved = view.cursor.key !== undefined;
  return isNear && isMoved && view.data.rows.length >= limit ? withView(model, { ...view, limit: limit * 2 }) : model;
}
