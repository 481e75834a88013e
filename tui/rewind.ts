import type { ProcessRow } from '../src/protocol/row.ts';
import { KEPT } from './history.ts';
import { type Asked, type Model, type Moment, openView, shownData, type View } from './model.ts';
import { hostToSeek } from './query.ts';

const LIVE: Moment = { state: 'live' };
/** Until an interval was seen: the default `interval_time`. */
const INTERVAL_MS = 30_000;

/** The server's clock, epoch ms. */
export function serverNowMs({ nowMs, clockOffsetMs }: Model): number {
  return Math.round(nowMs + clockOffsetMs);
}

/**
 * Goes so many intervals on, or back where it is negative. Going back from the present finds the newest intervals first;
 * going on from the newest one ends in the present.
 */
export function stepped(model: Model, by: number, isPlaying = false): Model {
  const { moment } = model;
  switch (moment.state) {
    case 'live':
      if (by > 0 || hostToSeek(model) === undefined) return model;
      return { ...model, moment: { state: 'seeking', atMs: serverNowMs(model), back: -by } };
    case 'seeking': {
      const back = Math.min(moment.back - by, KEPT);
      return { ...model, moment: back > 0 ? { ...moment, back } : LIVE };
    }
    case 'past': {
      const { fromMs, toMs } = stretch(model, moment.atMs);
      const lengthMs = toMs - fromMs;
      // An interval begins with the sample before it, which is up to a sample earlier or later than its neighbour ends:
      // the middle of the neighbour is in it all the same.
      if (by < 0) return jumped(model, Math.round(fromMs + (by + 0.5) * lengthMs));
      const endMs = toMs + (by - 1) * lengthMs + Math.max(lengthMs, model.intervalMs ?? 0);
      if (endMs > serverNowMs(model)) return returned(model);
      return jumped(model, Math.round(toMs + (by - 0.5) * lengthMs), isPlaying);
    }
  }
}

/** Goes to a moment of the past. */
export function jumped(model: Model, atMs: number, isPlaying = false): Model {
  const moment: Moment = { state: 'past', atMs: Math.max(atMs, 0), isPlaying };
  return model.moment.state === 'past' ? { ...model, moment } : turned(model, moment);
}

/** Goes back to the present, of which everything is asked anew. */
export function returned(model: Model): Model {
  return model.moment.state === 'past' ? turned(model, LIVE) : { ...model, moment: LIVE };
}

/** Plays the past as it went, or stops. */
export function toggledPlay(model: Model): Model {
  const { moment } = model;
  return moment.state === 'past' ? { ...model, moment: { ...moment, isPlaying: !moment.isPlaying } } : model;
}

/** A second of a past that plays: an interval, once the one before is on the screen. */
export function played(model: Model): Model {
  const { moment } = model;
  if (moment.state !== 'past' || !moment.isPlaying || isAwaited(model)) return model;
  return model.refusal === undefined ? stepped(model, 1, true) : toggledPlay(model);
}

/** Whether the open view has not been answered yet. */
export function isAwaited(model: Model): boolean {
  return askedOf(model)?.isAwaited ?? true;
}

/** What the open view is an answer to. */
export function askedOf(model: Model): Asked | undefined {
  return model.asked[openView(model).name === 'hosts' ? 'hosts' : 'processes'];
}

/** The view with nothing in it that is known of one moment only. */
export function emptied(view: View): View {
  switch (view.name) {
    case 'hosts':
      return { ...view, rows: [] };
    case 'processes':
      return { ...view, data: undefined };
    case 'process':
      return { ...view, process: identityOf(view.process), seen: undefined, absence: undefined, samples: [] };
  }
}

/** What a process is, whatever it does. */
export function identityOf(process: ProcessRow): ProcessRow {
  const { host, pid, instance, comm, user, cmdline, unit, container, ports, state, threads, startedAt } = process;
  return { host, pid, instance, comm, user, cmdline, unit, container, ports, state, threads, startedAt };
}

/** From the present into the past, or out of it: what was on the screens is not true there. */
function turned(model: Model, moment: Moment): Model {
  const [first, ...more] = model.views;
  return {
    ...{ ...model, moment, views: [emptied(first), ...more.map(emptied)] },
    ...{
      paused: false,
      hosts: undefined,
      history: new Map(),
      series: undefined,
      rollout: undefined,
      refusal: undefined,
    },
  };
}

/** The interval on the screen; while there is none, such a one around what was asked for: it is stepped through a gap too. */
function stretch(model: Model, askedMs: number): { fromMs: number; toMs: number } {
  const shown = isAwaited(model) ? undefined : shownData(model);
  if (shown?.from !== undefined) return { fromMs: Date.parse(shown.from), toMs: Date.parse(shown.at) };
  const { intervalMs = INTERVAL_MS } = model;
  return { fromMs: askedMs - intervalMs / 2, toMs: askedMs + intervalMs / 2 };
}
