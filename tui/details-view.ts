import { METRICS } from '../src/protocol/metric.ts';
import type { ProcessRow } from '../src/protocol/row.ts';
import { sparkline } from './chart.ts';
import { formatAge, formatInstant, formatMetric, UNKNOWN } from './format.ts';
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
    rule(columns, [span('command line', BOLD)]),
    ...wrap(command, columns - 2).map((text) => line(columns, [span(` ${text}`)])),
  ];
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
  ];
}

function field(columns: number, caption: string, text: string): Line {
  const spans: Span[] = [span(fit(` ${caption}`, CAPTION_WIDTH), DIM), span(text)];
  return line(columns, spans);
}
