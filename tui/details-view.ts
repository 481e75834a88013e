import { METRICS } from '../src/protocol/metric.ts';
import type { EndedChildren, Endpoint, ProcessRow } from '../src/protocol/row.ts';
import { sparkline } from './chart.ts';
import { formatAge, formatBytes, formatInstant, formatMetric, formatPercent, UNKNOWN } from './format.ts';
import { BOLD, DIM, type Line, line, rule, type Span, span } from './frame.ts';
import type { DetailsView, Model } from './model.ts';
import { fit, wrap } from './text.ts';

const CAPTION_WIDTH = 12;

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
export function detailsLines({ columns }: Model, view: DetailsView): Line[] {
  const { process, samples, ended, seen } = view;
  const figures = METRICS.map(({ name, unit, caption }) => {
    const past = samples.map((sample) => sample[name]);
    const ceiling = Math.max(unit === 'percent' ? 100 : 1, ...past.map((value) => value ?? 0));
    const figure = formatMetric(unit, process[name]) + (process[name] === undefined ? '' : SUFFIXES[unit]);
    return line(columns, [
      span(fit(` ${caption}`, CAPTION_WIDTH), DIM),
      span(fit(figure, 8, 'right'), BOLD),
      span('  '),
      span(sparkline(past, ceiling, columns - CAPTION_WIDTH - 12), { fg: 'green' }),
    ]);
  });
  const command = process.cmdline === '' ? '(none: a kernel thread)' : process.cmdline;
  return [
    ...(ended
      ? [line(columns, [span(' this process has ended; below is what was seen last', { fg: 'yellow', bold: true })])]
      : []),
    ...fields(process, seen.at).map(([caption, text]) => field(columns, caption, text)),
    rule(columns, [span('usage since opened', BOLD)]),
    ...figures,
    ...section(columns, 'network, by endpoint', (process.endpoints ?? []).map(endpointText)),
    ...section(columns, 'ended below it and charged to it', (process.endedChildren ?? []).map(endedText)),
    rule(columns, [span('command line', BOLD)]),
    ...wrap(command, columns - 2).map((text) => line(columns, [span(` ${text}`)])),
  ];
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

function fields(process: ProcessRow, at: string): [string, string][] {
  const { state } = process;
  const ageMs = Date.parse(at) - Date.parse(process.startedAt);
  const age = Number.isNaN(ageMs) ? '' : `, ${formatAge(ageMs)} ago`;
  return [
    ['host', process.host],
    ['instance', process.instance],
    ['command', process.comm],
    ['pid', String(process.pid)],
    ['user', process.user],
    ['state', `${state} ${STATES[state] ?? ''}, ${process.threads} thread${process.threads === 1 ? '' : 's'}`],
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
