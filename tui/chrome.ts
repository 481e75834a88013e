import { formatAge, formatClock } from './format.ts';
import { BOLD, DIM, type Line, line, type Span, span, width } from './frame.ts';
import { type Model, openView, shownData, type View } from './model.ts';
import { fit } from './text.ts';

/** Data older than this shows its age. A quiet fleet may have nothing to say for some seconds. */
const OLD_MS = 10_000;

/** The first line: where we are, at the right the hosts, the instant of the data and the connection. */
export function headerLine(model: Model): Line {
  const trail = model.views.length > 1 ? model.views.slice(1) : model.views;
  const where = trail.flatMap((view) => [span(' › ', DIM), span(nameOf(view))]);
  return line(
    model.columns,
    [span(' procmesh', { bold: true, fg: 'cyan' }), ...where],
    [...hostsOnline(model), ...clock(model), ...connection(model), span(' ')],
  );
}

/** Below the header as long as the server is gone: why, and that what is on the screen is old. */
export function bannerLine(model: Model): Line[] {
  if (model.connection.state !== 'gone') return [];
  const data = shownData(model);
  const since = data === undefined ? '' : `; this is from ${formatClock(data.at)}`;
  const text = ` ✗ server gone: ${model.connection.reason}, trying again${since}`;
  return [line(model.columns, [span(fit(text, model.columns), { inverse: true, fg: 'red', bold: true })])];
}

/** The last line: the filter that is being typed, or the keys and what the caller wants seen. */
export function footerLine(model: Model): Line {
  const { columns, typing, notice } = model;
  if (typing !== undefined) {
    const end = [span('  Enter applies  Esc cancels ', DIM)];
    const text = lastCells(typing, columns - width(end) - 10);
    return line(columns, [span(' filter ', BOLD), span(text), span(' ', { inverse: true })], end);
  }
  const said = notice === undefined ? [] : [span(`  ${notice} `, DIM)];
  const keys = keysOf(model).map(([key, does]) => [span(` ${key} `, BOLD), span(`${does} `, DIM)]);
  // Help and quit stay whatever else must go.
  while (keys.length > 2 && width(keys.flat()) > columns - width(said)) keys.splice(-3, 1);
  return line(columns, keys.flat(), said);
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

function connection({ connection: { state }, paused }: Model): Span[] {
  if (state === 'gone') return [span('✗ gone', { fg: 'red', bold: true })];
  if (state === 'connecting') return [span('◐ connecting', { fg: 'yellow' })];
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
  const pause: [string, string] = ['p', model.paused ? 'go on' : 'pause'];
  const end: [string, string][] = [pause, ['?', 'help'], ['q', 'quit']];
  if (view.name === 'process') return [...back, ['↑↓', 'scroll'], ...end];
  const filter: [string, string] = view.filter === undefined ? ['/', 'filter'] : ['x', 'no filter'];
  if (view.name === 'hosts') return [['Enter', 'open'], ['2', 'processes'], ['←→', 'sort'], filter, ...end];
  return [...back, ['Enter', 'open'], ['←→', 'sort'], ['t', 'group'], filter, ...end];
}

/** The end of a text that is being typed, where the cursor is. */
function lastCells(text: string, columns: number): string {
  let shown = text;
  while (width([span(shown)]) > columns) shown = shown.slice(1);
  return shown;
}
