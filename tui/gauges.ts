import type { HostRow } from '../src/protocol/row.ts';
import { bar, sparkline } from './chart.ts';
import { formatBytes, formatPercent, formatShare } from './format.ts';
import { BOLD, DIM, type Line, line, type Span, type Style, span } from './frame.ts';
import { isLive, shareStyle, stateOf } from './host-columns.ts';
import { isPast, type Model } from './model.ts';
import { fit } from './text.ts';
import { type Shares, sharesOf, sum, type Usage } from './usage.ts';

/** One line each: CPU, memory, disk, network. */
const GAUGES = 4;
const BAR_WIDTH = 14;
const DETAIL_WIDTH = 17;
const QUIET_BYTES_PER_SEC = 1024;

interface Gauge {
  caption: string;
  share: number | undefined;
  figure: string;
  style: Style;
  detail: string;
  /** What else there is to say, most important first; as many as there is room for. */
  notes: readonly string[];
  past: readonly (number | undefined)[];
  ceiling: number;
}

/**
 * The figures of one host, each as a bar, in words, and as a line of its past.
 * @param usage Of the same sample as the processes beside it, so that they add up.
 */
export function gaugeLines(columns: number, usage: Usage, history: readonly Shares[], host?: HostRow): Line[] {
  const shares = sharesOf(usage);
  const busiest = history.reduce((most, sample) => Math.max(most, sample.netBytesPerSec ?? 0), QUIET_BYTES_PER_SEC);
  const share = (caption: string, name: 'cpu' | 'mem' | 'disk', detail: string, notes: string[]): Gauge => ({
    ...{
      caption,
      detail,
      notes,
      share: shares[name],
      figure: formatShare(shares[name]),
      style: shareStyle(shares[name]),
    },
    ...{ past: history.map((sample) => sample[name]), ceiling: 1 },
  });
  const { cores, load1, iowaitPercent, stealPercent, diskQueue } = usage;
  const gauges: Gauge[] = [
    share('CPU', 'cpu', `${formatPercent(usage.cpuPercent)}% / ${cores ?? '-'} cores`, [
      ...(load1 === undefined ? [] : [`load ${load1.toFixed(2)}`]),
      ...(stealPercent ? [`steal ${formatPercent(stealPercent)}%`] : []),
    ]),
    share('MEM', 'mem', `${formatBytes(usage.memUsedBytes)} of ${formatBytes(usage.memTotalBytes)}`, [
      ...(usage.processes === undefined ? [] : [`${usage.processes} processes`]),
    ]),
    share('DISK', 'disk', `${formatBytes(usage.readBytesPerSec)} r  ${formatBytes(usage.writeBytesPerSec)} w`, [
      ...(iowaitPercent === undefined ? [] : [`iowait ${formatPercent(iowaitPercent)}%`]),
      ...(diskQueue === undefined ? [] : [`queue ${diskQueue.toFixed(1)}`]),
    ]),
    {
      ...{ caption: 'NET', figure: formatBytes(shares.netBytesPerSec), style: { fg: 'cyan' }, ceiling: busiest },
      share: shares.netBytesPerSec === undefined ? undefined : shares.netBytesPerSec / busiest,
      detail: `${formatBytes(usage.netInBytesPerSec)} in  ${formatBytes(usage.netOutBytesPerSec)} out`,
      notes: networkNotes(usage, host),
      past: history.map((sample) => sample.netBytesPerSec),
    },
  ];
  return gauges.map((gauge) => gaugeLine(columns, gauge));
}

/** How well the network is known, and how much of it no process could have moved. */
function networkNotes({ netInBytesPerSec = 0, netOutBytesPerSec = 0 }: Usage, host: HostRow | undefined): string[] {
  const { netSource, network } = host ?? {};
  const all = netInBytesPerSec + netOutBytesPerSec;
  const overhead = (network?.overheadInBytesPerSec ?? 0) + (network?.overheadOutBytesPerSec ?? 0);
  return [
    ...(netSource === undefined ? [] : [`seen by ${netSource}`]),
    ...(all < QUIET_BYTES_PER_SEC || overhead === 0 ? [] : [`headers ${formatShare(Math.min(1, overhead / all))}`]),
  ];
}

/** What an agent has to say about itself, or that its host is not there: of the present, both of them. */
export function hostNote(model: Model, name: string): string | undefined {
  const host = isPast(model) ? undefined : model.hosts?.rows.find((row) => row.host === name);
  if (host === undefined) return undefined;
  return isLive(host) && host.status !== 'late' ? host.message : stateOf(host, model.hosts?.at ?? '');
}

/** Lines that the gauges of a host take, its note included. */
export function gaugesHeight(model: Model, name: string): number {
  return GAUGES + (hostNote(model, name) === undefined ? 0 : 1);
}

/** Several hosts in one line: sums, and how much of the sum no process accounts for. */
export function summaryLine(columns: number, usages: readonly Usage[]): Line {
  const total = (name: 'cpuPercent' | 'cores' | 'memUsedBytes' | 'memTotalBytes') =>
    sum(...usages.map((usage) => usage[name]));
  const flow = (name: 'readBytesPerSec' | 'writeBytesPerSec' | 'netInBytesPerSec' | 'netOutBytesPerSec') =>
    formatBytes(sum(...usages.map((usage) => usage[name])));
  const { cpu, mem } = sharesOf({
    ...{ cpuPercent: total('cpuPercent'), cores: total('cores') },
    ...{ memUsedBytes: total('memUsedBytes'), memTotalBytes: total('memTotalBytes') },
  });
  return line(columns, [
    ...pair(' cpu', `${formatShare(cpu)} of ${total('cores') ?? '-'} cores`),
    ...pair('  mem', `${formatShare(mem)} of ${formatBytes(total('memTotalBytes'))}`),
    ...pair('  read', flow('readBytesPerSec')),
    ...pair('  write', flow('writeBytesPerSec')),
    ...pair('  in', flow('netInBytesPerSec')),
    ...pair('  out', flow('netOutBytesPerSec')),
  ]);
}

function gaugeLine(columns: number, gauge: Gauge): Line {
  const { filled, track } = bar(gauge.share ?? 0, BAR_WIDTH);
  const head = [
    span(fit(` ${gauge.caption}`, 6), BOLD),
    span(filled, gauge.style),
    span(track, DIM),
    span(fit(gauge.figure, 6, 'right'), gauge.share === undefined ? DIM : BOLD),
    span(fit(`  ${gauge.detail}`, DETAIL_WIDTH + 3)),
  ];
  const left = columns - 6 - BAR_WIDTH - 6 - DETAIL_WIDTH - 3;
  const noteWidth = Math.floor(left * 0.4);
  return line(columns, [
    ...head,
    span(fit(asManyAs(gauge.notes, noteWidth), noteWidth + 1), DIM),
    span(sparkline(gauge.past, gauge.ceiling, left - noteWidth - 2), gauge.style),
  ]);
}

function asManyAs(notes: readonly string[], width: number): string {
  let text = '';
  for (const note of notes) {
    const longer = text === '' ? note : `${text}  ${note}`;
    if (longer.length > width) break;
    text = longer;
  }
  return text;
}

function pair(name: string, figure: string): Span[] {
  return [span(name, DIM), span(` ${figure}`)];
}
