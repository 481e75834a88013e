import { styleText } from 'node:util';
import { bar } from '../../tui/chart.ts';
import { formatAge, formatBytes, formatClock, formatInstant, formatMetric, formatPercent } from '../../tui/format.ts';
import { cells, clean, fit } from '../../tui/text.ts';
import type { Blame, BlamedResource, CulpritShare } from '../protocol/blame.ts';
import { type MetricUnit, metricBySort } from '../protocol/metric.ts';

type Style = 'bold' | 'dim' | 'cyan' | 'yellow' | 'plain';
/** Text of one look, as it came: it is cleaned when it is painted. */
type Part = readonly [text: string, style: Style];

/** Where the report goes: a terminal has a width that no line exceeds. */
export interface Output {
  width: number | undefined;
  hasColours: boolean;
}

/** A culprit, or what is left when the culprits are told. */
interface Entry extends Partial<CulpritShare> {
  name: string;
  avg: number;
  sharePercent: number;
}

const BAR_WIDTH = 10;
const PIDS_SHOWN = 2;
const SUFFIXES: { [unit in MetricUnit]: string } = { percent: '%', bytes: '', bytesPerSec: '/s' };

/** Who used up a machine, for people: of each resource what the host did, the culprits, and the rest; the shares add up. */
export function blameReport(blame: Blame, output: Output): string[] {
  const told = blame.resources.map((resource) => ({ resource, entries: entriesOf(resource) }));
  const all = told.flatMap(({ entries }) => entries);
  const { width = Number.POSITIVE_INFINITY } = output;
  const widths = {
    name: Math.min(widest(all.map(({ name }) => name)), Math.max(Math.floor(width / 5), 12)),
    pids: Math.min(widest(all.map(pidsOf)), Math.max(Math.floor(width / 5), 15)),
  };
  const captions: Part = [
    `${' '.repeat(BAR_WIDTH)}   SHARE    AVG    MAX  ${named('INSTANCE', 'PIDS', widths)}  COMMAND`,
    'dim',
  ];
  const lines = told.flatMap(({ resource, entries }) => [
    resourceLine(blame, resource),
    ...entries.map((entry) => entryLine(entry, metricBySort(resource.resource).unit, widths)),
  ]);
  return [headLine(blame), [captions], ...lines].map((parts) => painted(parts, output));
}

function headLine({ host, from, to, coveredMs, cores, memTotalBytes }: Blame): Part[] {
  const missingMs = Date.parse(to) - Date.parse(from) - coveredMs;
  const parts: Part[] = [
    [host, 'bold'],
    [`  ${formatInstant(from)} – ${isOneDay(from, to) ? formatClock(to) : formatInstant(to)}`, 'plain'],
    [`  ${cores} core${cores === 1 ? '' : 's'}, ${formatBytes(memTotalBytes)}`, 'plain'],
  ];
  return missingMs >= 1_000 ? [...parts, [`  ${formatAge(missingMs)} of it not recorded`, 'yellow']] : parts;
}

/** `cpu      average 92.8% of 200%, maximum 200.0% at 19:08:45`. */
function resourceLine({ from, to, cores, memTotalBytes }: Blame, blamed: BlamedResource): Part[] {
  const { resource, hostAvg, hostMax, hostMaxAt } = blamed;
  if (hostMax === 0) return [[`${resource}: nothing`, 'dim']];
  const { unit } = metricBySort(resource);
  const figure = (value: number): string => formatMetric(unit, value) + SUFFIXES[unit];
  const wholes: { [resource: string]: string } = {
    cpu: ` of ${cores * 100}%`,
    mem: ` of ${formatBytes(memTotalBytes)}`,
  };
  const peak = isOneDay(from, to) ? formatClock(hostMaxAt) : formatInstant(hostMaxAt);
  return [
    [resource.padEnd(9), 'bold'],
    [`average ${figure(hostAvg)}${wholes[resource] ?? ''}, maximum ${figure(hostMax)} at ${peak}`, 'plain'],
  ];
}

function entriesOf({ hostAvg, hostMax, culprits, others, unattributed }: BlamedResource): Entry[] {
  if (hostMax === 0) return [];
  const rest = (name: string, avg: number): Entry => ({
    ...{ name, avg, sharePercent: hostAvg === 0 ? 0 : (avg / hostAvg) * 100 },
  });
  const entries = [
    ...culprits.map((culprit): Entry => ({ ...culprit, name: culprit.instance })),
    ...(others > 0 ? [rest('others', others)] : []),
    ...(unattributed === undefined ? [] : [rest('unattributed', unattributed)]),
  ];
  const shares = roundedShares(entries.map(({ sharePercent }) => sharePercent));
  return entries.map((entry, index) => ({ ...entry, sharePercent: shares[index] ?? 0 }));
}

/** Tenths of a percent that add up to the rounded sum: each rounded by itself, a hundred would read as 99.9. */
function roundedShares(shares: readonly number[]): number[] {
  const tenths = shares.map((share) => Math.floor(share * 10));
  const sum = Math.round(shares.reduce((total, share) => total + share, 0) * 10);
  const missing = sum - tenths.reduce((total, share) => total + share, 0);
  // Equal ones must not be told apart by the last bits of a number: the first, who is the largest, is raised.
  const remainder = (index: number): number => Math.round(((shares[index] ?? 0) * 10 - (tenths[index] ?? 0)) * 1e6);
  const raised = [...shares.keys()].sort((a, b) => remainder(b) - remainder(a)).slice(0, missing);
  return tenths.map((share, index) => (share + (raised.includes(index) ? 1 : 0)) / 10);
}

function entryLine(entry: Entry, unit: MetricUnit, widths: { name: number; pids: number }): Part[] {
  const { instance, comm, cmdline, avg, max, sharePercent, name } = entry;
  const { filled, track } = bar(sharePercent / 100, BAR_WIDTH);
  const figures = [
    `${formatPercent(sharePercent)}%`.padStart(7),
    formatMetric(unit, avg).padStart(7),
    (max === undefined ? '' : formatMetric(unit, max)).padStart(7),
  ].join('');
  const isRest = instance === undefined;
  return [
    [' ', 'plain'],
    [filled, isRest ? 'dim' : 'cyan'],
    [track, 'dim'],
    [`${figures}  ${named(name, pidsOf(entry), widths)}`, isRest ? 'dim' : 'plain'],
    [isRest ? '' : `  ${cmdline || `[${comm}]`}`, 'plain'],
  ];
}

function named(name: string, pids: string, widths: { name: number; pids: number }): string {
  return `${fit(name, widths.name)}  ${fit(pids, widths.pids)}`;
}

/** `2913 2914 +25`: the largest. */
function pidsOf({ pids = [] }: Entry): string {
  const more = pids.length - PIDS_SHOWN;
  return [...pids.slice(0, PIDS_SHOWN), ...(more > 0 ? [`+${more}`] : [])].join(' ');
}

function painted(parts: readonly Part[], { width = Number.POSITIVE_INFINITY, hasColours }: Output): string {
  let left = width;
  let text = '';
  for (const [part, style] of parts) {
    const whole = clean(part);
    const shown = cells(whole) > left ? fit(whole, left) : whole;
    left -= cells(shown);
    text += hasColours && style !== 'plain' ? styleText(style, shown, { validateStream: false }) : shown;
  }
  return hasColours ? text : text.trimEnd();
}

function widest(texts: readonly string[]): number {
  return Math.max('INSTANCE'.length, ...texts.map((text) => cells(clean(text))));
}

/** In local time. */
function isOneDay(from: string, to: string): boolean {
  return new Date(from).toDateString() === new Date(to).toDateString();
}
