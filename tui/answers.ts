import type { Answer } from '../src/client/client.ts';
import type { Query } from '../src/protocol/query.ts';
import { appended, recorded } from './history.ts';
import { type Dated, isPast, type Model, openView, processesView, type Subject, withView } from './model.ts';
import { rowKey } from './process-columns.ts';
import { isSameQuery, questionOf } from './query.ts';
import { emptied, identityOf, jumped, returned } from './rewind.ts';

type AnswerOf<Type extends Answer['type']> = Extract<Answer, { type: Type }>;

/** While paused nothing moves, but for what was asked for since: another view must show something. */
export function answered(model: Model, to: Subject, answer: Answer): Model {
  const asked = model.asked[to];
  if (asked === undefined || (model.paused && !asked.isAwaited)) return model;
  const heard = { ...model, asked: { ...model.asked, [to]: { ...asked, isAwaited: false } } };
  // It is of a moment, or a view, that was left before it came: the next question has waited for it.
  if (!isSameQuery(asked.query, questionOf(model, to))) return heard;
  if (answer.type === 'error') return refused(heard, to, answer.message);
  const next = { ...heard, refusal: heard.refusal?.to === to ? undefined : heard.refusal };
  switch (answer.type) {
    case 'hosts':
      return withHosts(next, answer);
    case 'rows':
      return withRows(next, answer);
    case 'series':
      return withSeries(next, answer, asked.query.process);
    case 'release':
      return { ...next, rollout: answer.rollout };
    case 'blame':
      return next;
  }
}

function withHosts(model: Model, { at, from, rows }: AnswerOf<'hosts'>): Model {
  const hosts = { ...dated(model, at, from), rows };
  if (isPast(model)) return started({ ...measured(model, at, from), hosts });
  const clockOffsetMs = Date.parse(at) - model.nowMs;
  return started({ ...model, hosts, clockOffsetMs, history: recorded(model.history, rows) });
}

function withRows(model: Model, answer: AnswerOf<'rows'>): Model {
  const { at, from, totals, incomplete = [] } = answer;
  const next = measured(model, at, from);
  const seen = dated(model, at, from);
  const view = openView(model);
  if (view.name === 'processes') {
    const isGrouped = view.groupBy !== undefined;
    const rows = answer.rows.filter((row) => 'group' in row === isGrouped);
    return withView(next, { ...view, data: { ...seen, rows, totals, incomplete } });
  }
  if (view.name !== 'process') return next;
  const row = answer.rows.find((candidate) => rowKey(candidate) === rowKey(view.process));
  if (row !== undefined && 'pid' in row)
    return withView(next, { ...view, process: row, seen, absence: undefined, samples: appended(view.samples, row) });
  if (isPast(model)) return withView(next, { ...view, process: identityOf(view.process), seen, absence: 'unrecorded' });
  return incomplete.length > 0 ? next : withView(next, { ...view, absence: 'ended' });
}

function withSeries(model: Model, { host, points }: AnswerOf<'series'>, process: Query['process']): Model {
  const { moment } = model;
  if (moment.state !== 'seeking') return { ...model, series: { host, process, points } };
  const found = points.at(-moment.back) ?? points[0];
  if (found === undefined) return { ...returned(model), said: 'nothing has been recorded yet' };
  return jumped(measured(model, found.at, found.from), Date.parse(found.at));
}

function dated({ nowMs }: Model, at: string, from: string | undefined): Dated {
  return { at, from, receivedAtMs: nowMs };
}

function measured(model: Model, at: string, from: string | undefined): Model {
  if (from === undefined) return model;
  return { ...model, intervalMs: Math.max(model.intervalMs ?? 0, Date.parse(at) - Date.parse(from)) };
}

/** What was there answers another question than the one that stands on the screen now: it goes. */
function refused(model: Model, to: Subject, text: string): Model {
  if (to === 'series')
    return model.moment.state === 'seeking' ? { ...returned(model), said: text } : { ...model, series: undefined };
  // A server that is too old for it: nothing is missing.
  if (to === 'release') return { ...model, rollout: undefined };
  const next = { ...model, refusal: { to, text } };
  if (to === 'processes') return withView(next, emptied(openView(model)));
  return isPast(model) ? { ...next, hosts: undefined } : next;
}

/** Somebody who watches a single machine wants to see that machine, not a list of one. */
function started(model: Model): Model {
  const [first, second] = (model.hosts?.rows ?? []).filter(({ status }) => status !== 'retired');
  if (model.started || first === undefined) return model;
  const isOne = second === undefined;
  return { ...model, started: true, ...(isOne && { views: [...model.views, processesView({ host: first.host })] }) };
}
