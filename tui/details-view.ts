import { METRICS, type Metric } from '../src/protocol/metric.ts';
import type { EndedChildren, Endpoint, ProcessRow } from '../src/protocol/row.ts';
import { sparkline } from './chart.ts';
import { formatAge, formatBytes, formatInstant, formatMetric, formatPercent, UNKNOWN } from './format.ts';
import { BOLD, DIM, type Line, line, rule, type Span, span, width } from './frame.ts';
import { type Dated, type DetailsView, isPast, type Model } from './model.ts';
import { averagesOf } from './moment-view.ts';
import { pointsOf } from './series.ts';
import { fit, wrap } from './text.ts';

const CAPTION_WIDTH = 12;
const FIGURE_WIDTH = 8;

/** proc_pid_stat(5). */
const STATES: { [letter: string]: string } = {
  R: 'running',
  S: 'sleeping',
  D: 'waiting for I/O',
  Z: 'zombie',
  T: 'stopped',
  t: 'traced',
  I: 'idle',
  X: 'dead',
};

/** All that is known of one process, as many lines as it takes. */
export function detailsLines(model: Model, view: DetailsView): Line[] {
  const { columns } = model;
  const { process, seen } = view;
  const command = process.cmdline === '' ? '(none: a kernel thread)' : process.cmdline;
  const absence = absenceOf(view);
  return [
    ...(absence === undefined ? [] : [line(columns, [span(` ${absence}`, { fg: 'yellow', bold: true })])]),
    ...fields(view).map(([caption, text]) => field(columns, caption, text)),
    rule(columns, isPast(model) ? pastTitle(seen) : [span('usage since opened', BOLD)]),
    ...METRICS.map((metric) => metricLine(model, view, metric)),
    ...section(columns, 'network, by endpoint', (process.endpoints ?? []).map(endpointText)),
    ...section(columns, 'ended below it and charged to it', (process.endedChildren ?? []).map(endedText)),
    rule(columns, [span('command line', BOLD)]),
    ...wrap(command, columns - 2).map((text) => line(columns, [span(` ${text}`)])),
  ];
}

/** Why the figures are old, or are not there. */
function absenceOf({ absence, process, seen }: DetailsView): string | undefined {
  if (absence === undefined) return undefined;
  if (absence === 'ended') return 'this process has ended; below is what was seen last';
  if (seen?.from === undefined) return 'nothing was recorded then';
  if (Date.parse(process.startedAt) > Date.parse(seen.at)) return 'it had not started then';
  return 'it was not recorded then: it used little, or did not run';
}

/** A figure and its past: of the present the samples since the view was opened, else the intervals that led up to it. */
function metricLine(model: Model, { process, samples, seen }: DetailsView, { name, unit, caption }: Metric): Line {
  const text = (value: number | undefined): string =>
    fit(formatMetric(unit, value) + (value === undefined ? '' : SUFFIXES[unit]), FIGURE_WIDTH, 'right');
  const { host, pid, startedAt } = process;
  const points =
    isPast(model) && seen !== undefined ? pointsOf(model, { host, process: { pid, startedAt } }, seen.at) : [];
  const past = isPast(model) ? points.map((point) => point?.process?.[name]) : samples.map((sample) => sample[name]);
  const ceiling = Math.max(unit === 'percent' ? 100 : 1, ...past.map((value) => value ?? 0));
  const figures = [span(text(process[name]), BOLD), ...(isPast(model) ? [span(text(process[`${name}Max`]))] : [])];
  const left = model.columns - CAPTION_WIDTH - width(figures) - 4;
  return line(model.columns, [
    span(fit(` ${caption}`, CAPTION_WIDTH), DIM),
    ...figures,
    span('  '),
    span(sparkline(past, ceiling, left), { fg: 'green' }),
  ]);
}

function pastTitle(seen: Dated | undefined): Span[] {
  return [span('usage', BOLD), ...(seen === undefined ? [] : averagesOf(seen)), span(', and the largest samples', DIM)];
}

/** `:3306 from 10.0.0.7` is a port it serves, `to 10.0.0.9:22` one it uses. */
function endpointText({ localPort, remotePort, remoteAddress, inBytesPerSec, outBytesPerSec }: Endpoint): string {
  const remote = remoteAddress.includes(':') && remotePort !== undefined ? `[${remoteAddress}]` : remoteAddress;
  const peer = remotePort === undefined ? remote : `${remote}:${remotePort}`;
  const ends = localPort === undefined ? `to ${peer}` : `:${localPort} from ${peer}`;
  return `${fit(ends, 48)} ${fit(`${formatBytes(inBytesPerSec)}/s in`, 10, 'right')} ${fit(`${formatBytes(outBytesPerSec)}/s out`, 11, 'right')}`;
}

function endedText({ comm, count, cpuPercent }: EndedChildren): string {
  return `${fit(`${count} × ${comm}`, 48)} ${fit(`${formatPercent(cpuPercent)}% CPU`, 10, 'right')}`;
}

function section(columns: number, title: string, lines: readonly string[]): Line[] {
  if (lines.length === 0) return [];
  return [rule(columns, [span(title, BOLD)]), ...lines.map((text) => line(columns, [span(` ${text}`)]))];
}

const SUFFIXES = { percent: '%', bytes: '', bytesPerSec: '/s' };

function fields({ process, seen, absence }: DetailsView): [string, string][] {
  const { state } = process;
  const running = `${state} ${STATES[state] ?? ''}, ${process.threads} thread${process.threads === 1 ? '' : 's'}`;
  const ageMs = Date.parse(seen?.at ?? '') - Date.parse(process.startedAt);
  const age = ageMs >= 0 ? `, ${formatAge(ageMs)} ago` : '';
  return [
    ['host', process.host],
    ['instance', process.instance],
    ['command', process.comm],
    ['pid', String(process.pid)],
    ['user', process.user],
    ['state', absence === 'unrecorded' ? UNKNOWN : running],
    ['started', formatInstant(process.startedAt) + age],
    ['unit', process.unit ?? UNKNOWN],
    ['container', process.container ?? UNKNOWN],
    ['ports', process.ports.length === 0 ? UNKNOWN : process.ports.join(', ')],
    ...known(process),
  ];
}

/** What was read because somebody looks; an agent that does not tell gets no line for it. */
function known(process: ProcessRow): [string, string][] {
  const { pssBytes, openFiles, cpuWaitPercent, loopbackInBytesPerSec, loopbackOutBytesPerSec } = process;
  const lines: [string, string | undefined][] = [
    ['open files', openFiles?.toFixed()],
    ['PSS', pssBytes === undefined ? undefined : `${formatBytes(pssBytes)}, its share of shared pages`],
    ['CPU wait', cpuWaitPercent === undefined ? undefined : `${formatPercent(cpuWaitPercent)}% of a thread's time`],
    [
      'loopback',
      loopbackInBytesPerSec === undefined
        ? undefined
        : `${formatBytes(loopbackInBytesPerSec)}/s in, ${formatBytes(loopbackOutBytesPerSec)}/s out`,
    ],
  ];
  return lines.flatMap(([caption, text]) => (text === undefined ? [] : [[caption, text]]));
}

function field(columns: number, caption: string, text: string): Line {
  const spans: Span[] = [span(fit(` ${caption}`, CAPTION_WIDTH), DIM), span(text)];
  return line(columns, spans);
}
