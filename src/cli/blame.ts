import { Problem } from '../problem.ts';
import type { Blame } from '../protocol/blame.ts';
import { ask } from './ask.ts';
import { blameReport } from './blame-report.ts';
import { formatJson } from './json.ts';
import { atOption, type ViewerOptions, viewerCommand, viewerTarget, windowOption } from './options.ts';
import { outputHasColours, outputWidth } from './table.ts';

/** Instances that are named for each resource. */
const CULPRITS = 5;

interface BlameOptions extends ViewerOptions {
  json?: boolean;
  host?: string;
  at?: number;
  window: number;
}

/** `procmesh blame`: who used up a machine, of each resource. */
export async function run(args: readonly string[]): Promise<void> {
  const command = viewerCommand('blame', 'Who used up a machine then, of each resource, and the rest that nobody did.')
    .option('--json', 'JSON')
    .option('--host <name>', 'the machine')
    .addOption(atOption('then').default(undefined, 'now'))
    .addOption(windowOption().default(600_000, '10m'));
  const { host, at, window, ...options } = command.parse([...args], { from: 'user' }).opts<BlameOptions>();
  if (host === undefined)
    throw new Problem('ERR_USAGE', 'blame wants --host: procmesh hosts lists those there are', { exitCode: 2 });
  await ask(
    viewerTarget(options),
    { view: 'blame', host, sort: 'cpu', limit: CULPRITS, atMs: at ?? Date.now(), windowMs: window },
    {
      watch: false,
      onAnswer: (answer) => {
        if (answer.type !== 'blame') return;
        const { type: _, id: __, ...blame } = answer;
        process.stdout.write(options.json ? `${formatJson(blame, {})}\n` : report(blame));
      },
    },
  );
}

function report(blame: Blame): string {
  const lines = blameReport(blame, { width: outputWidth(), hasColours: outputHasColours() });
  return `${lines.join('\n')}\n`;
}
