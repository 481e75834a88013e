import { formatAge, formatClock, formatInstant } from './format.ts';
import { BOLD, DIM, type Line, line, type Span, type Style, span, width } from './frame.ts';
import { isPast, type Model, openView, shownData, shownEvent, type View } from './model.ts';
import { momentSpans, PAST_STYLE } from './moment-view.ts';
import { fit } from './text.ts';

/** Data older than this shows its age. A quiet fleet may have nothing to say for some seconds. */
const OLD_MS = 10_000;
/** Cells of what was typed that stay beside what is wrong with it. */
const COMPLAINED_OF = 20;
const COMPLAINT: Style = { fg: 'yellow', bold: true };

/** The first line: where we are, at the right the hosts, the instant of the data and the connection; or the past. */
export function headerLine(model: Model): Line {
  const trail = model.views.length > 1 ? model.views.slice(1) : model.views;
  const where = trail.flatMap((view) => [span(' › ', DIM), span(nameOf(view))]);
  const start = [span(' procmesh', { bold: true, fg: 'cyan' }), ...where];
  if (!isPast(model))
    return line(model.columns, start, [...hostsOnline(model), ...clock(model), ...connection(model), span(' ')]);
  // How many hosts are there and whether the server is, are facts of the present.
  return line(model.columns, start, [...momentSpans(model), span(' ')]).map(({ text }) => span(text, PAST_STYLE));
}

/** Below the header as long as the server is gone: why, and that what is on the screen is old. Else what was alerted just now. */
export function bannerLine(model: Model): Line[] {
  if (model.connection.state !== 'gone') return eventLine(model);
  const data = shownData(model);
  const from = isPast(model) ? formatInstant : formatClock;
  const since = data === undefined ? '' : `; this is from ${from(data.at)}`;
  const text = ` ✗ server gone: ${model.connection.reason}, trying again${since}`;
  return [line(model.columns, [span(fit(text, model.columns), { inverse: true, fg: 'red', bold: true })])];
}

function eventLine(model: Model): Line[] {
  const event = shownEvent(model);
  if (event === undefined) return [];
  const [mark, fg] = event.state === 'alerted' ? (['▲', 'red'] as const) : (['●', 'green'] as const);
  const text = fit(` ${mark} ${event.host}: ${event.text}`, model.columns);
  return [line(model.columns, [span(text, { fg, bold: true })])];
}

/** The last line: what is being typed, or the keys; and what came of the last one, or what the caller wants seen. */
export function footerLine(model: Model): Line {
  const { columns, typing, notice, said } = model;
  if (typing !== undefined) {
    const { what, text } = typing;
    const typed = (cells: number) => [
      span(` ${what} `, BOLD),
      span(lastCells(text, cells)),
      span(' ', { inverse: true }),
    ];
    if (said !== undefined) return line(columns, [...typed(COMPLAINED_OF), span(`  ${said}`, COMPLAINT)]);
    const end = [span(`  Enter ${what === 'time' ? 'goes there' : 'applies'}  Esc cancels `, DIM)];
    return line(columns, typed(columns - width(end) - 10), end);
  }
  const end =
    said !== undefined ? [span(`  ${said} `, COMPLAINT)] : notice !== undefined ? [span(`  ${notice} `, DIM)] : [];
  const keys = keysOf(model).map(([key, does]) => [span(` ${key} `, BOLD), span(`${does} `, DIM)]);
  // Help and quit stay whatever else must go.
  while (keys.length > 2 && width(keys.flat()) > columns - width(end)) keys.splice(-3, 1);
  return line(columns, keys.flat(), end);
}

function nameOf(view: View): string {
  if (view.name === 'hosts') return 'hosts';
  if (view.name === 'process') return `${view.process.instance} [${view.process.pid}]`;
  return view.group ?? view.host ?? 'processes';
}

function hostsOnline({ hosts }: Model): Span[] {
  if (hosts === undefined) return [];
  const wanted = hosts.rows.filter(({ status }) => status !== 'retired');
  const online = wanted.filter(({ status }) => status === 'online').length;
  const style = online < wanted.length ? ({ fg: 'yellow' } as const) : {};
  return [span(`${online}/${wanted.length} online`, style), span('   ')];
}

function clock(model: Model): Span[] {
  const data = shownData(model);
  if (data === undefined) return [];
  const ageMs = model.nowMs - data.receivedAtMs;
  const age = ageMs > OLD_MS ? ` (${formatAge(ageMs)} ago)` : '';
  return [span(formatClock(data.at) + age), span('   ')];
}

function connection({ connection: { state }, paused, moment }: Model): Span[] {
  if (state === 'gone') return [span('✗ gone', { fg: 'red', bold: true })];
  if (state === 'connecting') return [span('◐ connecting', { fg: 'yellow' })];
  if (moment.state === 'seeking') return [span('◐ rewinding', { fg: 'yellow' })];
  return paused ? [span('○ paused', { fg: 'yellow', bold: true })] : [span('● live', { fg: 'green' })];
}

function keysOf(model: Model): [string, string][] {
  const view = openView(model);
  if (model.helping)
    return [
      ['Esc', 'back'],
      ['q', 'quit'],
    ];
  const back: [string, string][] = model.views.length > 1 ? [['Esc', 'back']] : [];
  const then = rewoundKeys(model);
  const pause: [string, string] = ['p', model.paused ? 'go on' : 'pause'];
  const end: [string, string][] = [
    ...(isPast(model) ? [] : ([['[', 'rewind'], pause] satisfies [string, string][])),
    ['?', 'help'],
    ['q', 'quit'],
  ];
  if (view.name === 'process') return [...then, ...back, ['↑↓', 'scroll'], ...end];
  const filter: [string, string] = view.filter === undefined ? ['/', 'filter'] : ['x', 'no filter'];
  if (view.name === 'hosts') return [...then, ['Enter', 'open'], ['2', 'processes'], ['←→', 'sort'], filter, ...end];
  return [...then, ...back, ['Enter', 'open'], ['←→', 'sort'], ['t', 'group'], filter, ...end];
}

/** The keys of the past come first: they are the last to go where there is little room. */
function rewoundKeys({ moment }: Model): [string, string][] {
  if (moment.state !== 'past') return [];
  return [
    ['L', 'live'],
    ['[ ]', 'step'],
    ['p', moment.isPlaying ? 'stop' : 'play'],
    ['@', 'go to'],
  ];
}

/** The end of a text that is being typed, where the cursor is. */
function lastCells(text: string, columns: number): string {
  let shown = text;
  while (width([span(shown)]) > columns) shown = shown.slice(1);
  return shown;
}
