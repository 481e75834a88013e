import { formatBytes, formatPercent } from '../../tui/format.ts';
import { ACTS, type Act } from '../protocol/operator.ts';
import { MAX_LIMIT } from '../protocol/query.ts';
import type { HostRow } from '../protocol/row.ts';
import { ask } from './ask.ts';
import { changeHosts } from './hosts-change.ts';
import { formatJson } from './json.ts';
import { type ViewerOptions, viewerCommand, viewerTarget } from './options.ts';
import { type Column, formatTable, outputWidth } from './table.ts';

interface HostsOptions extends ViewerOptions {
  json?: boolean;
  watch?: boolean;
}

/** `procmesh hosts`: every host and its state, once or again and again; or a change of the fleet. */
export async function run(args: readonly string[]): Promise<void> {
  const [act, ...rest] = args;
  if (isAct(act)) return changeHosts(act, rest);
  const command = viewerCommand('hosts', 'The hosts, their state and what they use.')
    .option('--json', 'JSON; with --watch one line for each answer')
    .option('--watch', 'go on, whenever something changes')
    .addHelpText('after', `\nTo change them: procmesh hosts ${ACTS.join('|')} HOST… (each with --help)`);
  const options = command.parse([...args], { from: 'user' }).opts<HostsOptions>();
  await ask(
    viewerTarget(options),
    { view: 'hosts', sort: 'cpu', limit: MAX_LIMIT },
    {
      watch: options.watch ?? false,
      onAnswer: (answer) => {
        if (answer.type !== 'hosts') return;
        const { at, rows } = answer;
        if (options.json) process.stdout.write(`${formatJson({ at, view: 'hosts', rows }, options)}\n`);
        else process.stdout.write(`${formatTable(COLUMNS, rows, outputWidth())}\n${options.watch ? '\n' : ''}`);
      },
    },
  );
}

function isAct(text: string | undefined): text is Act {
  return ACTS.some((act) => act === text);
}

const COLUMNS: Column<HostRow>[] = [
  { caption: 'HOST', text: ({ host }) => host },
  { caption: 'STATUS', text: ({ status }) => status },
  { caption: 'CPU%', align: 'right', text: ({ cpuPercent }) => formatPercent(cpuPercent) },
  { caption: 'CORES', align: 'right', text: ({ cores }) => String(cores ?? '-') },
  { caption: 'MEM', align: 'right', text: ({ memUsedBytes }) => formatBytes(memUsedBytes) },
  { caption: 'OF', align: 'right', text: ({ memTotalBytes }) => formatBytes(memTotalBytes) },
  { caption: 'READ/s', align: 'right', text: ({ readBytesPerSec }) => formatBytes(readBytesPerSec) },
  { caption: 'WRITE/s', align: 'right', text: ({ writeBytesPerSec }) => formatBytes(writeBytesPerSec) },
  { caption: 'UTIL%', align: 'right', text: ({ diskUtilPercent }) => formatPercent(diskUtilPercent) },
  { caption: 'NET-IN/s', align: 'right', text: ({ netInBytesPerSec }) => formatBytes(netInBytesPerSec) },
  { caption: 'NET-OUT/s', align: 'right', text: ({ netOutBytesPerSec }) => formatBytes(netOutBytesPerSec) },
  { caption: 'PROCS', align: 'right', text: ({ processes }) => String(processes ?? '-') },
  { caption: 'UNATTR%', align: 'right', text: ({ unattributed }) => formatPercent(unattributed?.cpuPercent) },
  { caption: 'TOP', fills: true, text: topCulprit },
];

function topCulprit({ culprits, message }: HostRow): string {
  const culprit = culprits?.cpu?.[0];
  return [culprit === undefined ? '' : `${culprit.instance} ${formatPercent(culprit.value)}%`, message ?? '']
    .filter((part) => part !== '')
    .join('  ');
}
