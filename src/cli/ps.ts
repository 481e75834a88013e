import { Option } from 'commander';
import { formatBytes, formatMetric, formatPercent, UNKNOWN } from '../../tui/format.ts';
import { Problem } from '../problem.ts';
import { UNKNOWN_HOST, type ViewerRows } from '../protocol/message.ts';
import { METRICS, SORT_NAMES } from '../protocol/metric.ts';
import { DEFAULT_LIMIT, GROUPINGS, type Grouping, MAX_LIMIT, type Query } from '../protocol/query.ts';
import type { GroupRow, HostTotal, Row } from '../protocol/row.ts';
import { ask } from './ask.ts';
import { say } from './failure.ts';
import { formatJson } from './json.ts';
import { atOption, type ViewerOptions, viewerCommand, viewerTarget, wholeNumber, windowOption } from './options.ts';
import { type Column, formatTable, outputWidth } from './table.ts';

interface PsOptions extends ViewerOptions {
  json?: boolean;
  watch?: boolean;
  host?: string;
  filter?: string;
  sort: Query['sort'];
  group?: Grouping;
  limit: number;
  details?: boolean;
  at?: number;
  window?: number;
}

/** `procmesh ps`: the process query, once or again and again. */
export async function run(args: readonly string[]): Promise<void> {
  const command = viewerCommand('ps', 'The processes that use the most, over all hosts or on one, now or then.')
    .option('--json', 'JSON; with --watch one line for each answer')
    .option('--watch', 'go on, with every sample')
    .option('--host <name>', 'only this host')
    .option('--filter <query>', 'only these: mysqld, user:mysql, cpu:>50, NOT comm:bash, "two words"')
    .addOption(new Option('--sort <metric>', 'largest first by').choices(SORT_NAMES).default('cpu'))
    .addOption(new Option('--group <by>', 'sum by what they share').choices(GROUPINGS))
    .option('--limit <n>', 'rows', wholeNumber(1, MAX_LIMIT), DEFAULT_LIMIT)
    .option('--details', 'of the first rows also shared memory, open files, CPU wait; with --json endpoints and more')
    .addOption(atOption('then'))
    .addOption(windowOption());
  const options = command.parse([...args], { from: 'user' }).opts<PsOptions>();
  if (options.window !== undefined && options.at === undefined)
    throw new Problem('ERR_USAGE', '--window wants --at: without a time the answer is live', { exitCode: 2 });
  if (options.watch && options.at !== undefined)
    throw new Problem('ERR_USAGE', '--watch and --at exclude each other: the past does not change', { exitCode: 2 });
  if (options.details && (options.at !== undefined || options.group !== undefined))
    throw new Problem('ERR_USAGE', '--details wants live processes: leave out --at and --group', { exitCode: 2 });
  await ask(viewerTarget(options), queryOf(options), {
    watch: options.watch ?? false,
    onAnswer: (answer) => {
      if (answer.type === 'rows') print(answer, options);
    },
  });
}

function queryOf(options: PsOptions): Query {
  return {
    view: 'processes',
    sort: options.sort,
    limit: options.limit,
    ...(options.host !== undefined && { host: options.host }),
    ...(options.filter !== undefined && { filter: options.filter }),
    ...(options.group !== undefined && { groupBy: options.group }),
    ...(options.details && { details: true }),
    ...(options.at !== undefined && { atMs: options.at }),
    ...(options.window !== undefined && { windowMs: options.window }),
  };
}

function print({ at, rows, totals, incomplete }: ViewerRows, options: PsOptions): void {
  const unknown = incomplete?.find(({ reason }) => reason === UNKNOWN_HOST);
  if (unknown !== undefined && !options.watch)
    throw new Problem('ERR_HOST', `no host is called ${unknown.host}: procmesh hosts lists those there are`);
  const missing = incomplete?.find(({ host }) => host === options.host);
  if (missing !== undefined && totals.length === 0 && options.at !== undefined)
    throw new Problem(
      'ERR_NOTHING',
      `no history of ${missing.host} at that time (${missing.reason}): name another time, or a host that procmesh hosts lists`,
    );
  if (options.json) {
    const document = { at, view: 'processes', rows, totals, ...(incomplete && { incomplete }) };
    process.stdout.write(`${formatJson(document, options)}\n`);
    return;
  }
  const shown: Line[] =
    options.group === undefined && options.filter === undefined
      ? [...rows, ...totals.map(unattributedLine)]
      : [...rows];
  process.stdout.write(`${formatTable(columns(options), shown, outputWidth())}\n${options.watch ? '\n' : ''}`);
  for (const { host, reason } of incomplete ?? []) say(`without ${host}: ${reason}`);
}

/** A row, or the rest of a host that no process accounts for. */
type Line = Row | (Partial<GroupRow> & { host: string; unattributed: true });

function unattributedLine({ host, unattributed }: HostTotal): Line {
  return { host, unattributed: true, ...unattributed };
}

function columns(options: PsOptions): Column<Line>[] {
  const metrics = METRICS.map(
    ({ name, unit, caption }): Column<Line> => ({
      caption: unit === 'bytesPerSec' ? `${caption}/s` : unit === 'percent' ? `${caption}%` : caption,
      align: 'right',
      text: (line) => formatMetric(unit, line[name]),
    }),
  );
  const host: Column<Line> = { caption: 'HOST', text: (line) => line.host ?? '' };
  if (options.group !== undefined) {
    const group: Column<Line> = {
      caption: options.group.toUpperCase(),
      text: (line) => ('group' in line ? (line.group ?? '') : ''),
    };
    const processes: Column<Line> = {
      caption: 'PROCESSES',
      align: 'right',
      text: (line) => ('processes' in line ? String(line.processes) : ''),
    };
    return [...(options.group === 'instance' ? [host] : []), group, processes, ...metrics];
  }
  return [
    ...(options.host === undefined ? [host] : []),
    {
      caption: 'INSTANCE',
      text: (line) => ('unattributed' in line ? 'unattributed' : 'pid' in line ? line.instance : ''),
    },
    { caption: 'PID', align: 'right', text: (line) => ('pid' in line ? String(line.pid) : '') },
    { caption: 'USER', text: (line) => ('pid' in line ? line.user : '') },
    ...metrics,
    ...(options.details ? DETAIL_COLUMNS : []),
    { caption: 'COMMAND', fills: true, text: (line) => ('pid' in line ? line.cmdline || `[${line.comm}]` : '') },
  ];
}

const DETAIL_COLUMNS: Column<Line>[] = [
  { caption: 'PSS', align: 'right', text: (line) => formatBytes('pid' in line ? line.pssBytes : undefined) },
  { caption: 'FILES', align: 'right', text: (line) => ('pid' in line && line.openFiles?.toFixed()) || UNKNOWN },
  { caption: 'WAIT%', align: 'right', text: (line) => formatPercent('pid' in line ? line.cpuWaitPercent : undefined) },
];
