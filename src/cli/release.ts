import { Problem } from '../problem.ts';
import { STEERINGS, type Steering } from '../protocol/operator.ts';
import { MAX_LIMIT } from '../protocol/query.ts';
import { ask, type RowsOrHosts } from './ask.ts';
import { say } from './failure.ts';
import { formatJson } from './json.ts';
import { type ViewerOptions, viewerCommand, viewerTarget, wholeNumber } from './options.ts';
import { formatRollout, leftOut } from './release-report.ts';
import { steerRelease } from './release-steer.ts';
import { NOTHING_RELEASED, releaseDocument, releaseQuery, watchRelease } from './release-watch.ts';
import { outputWidth } from './table.ts';

interface ReleaseOptions extends ViewerOptions {
  json?: boolean;
  watch?: boolean;
  host?: string;
  limit: number;
}

/** `procmesh release`: how the newest rollout stands, once or until it is done; or what is to be done with it. */
export async function run(args: readonly string[]): Promise<void> {
  const [act, ...rest] = args;
  if (isSteering(act)) return steerRelease(act, rest);
  if (act !== undefined && !act.startsWith('-'))
    throw new Problem('ERR_USAGE', `release ${act} is no command: write release ${STEERINGS.join(', ')}, or none`, {
      exitCode: 2,
    });
  const command = viewerCommand('release', 'How the newest release comes to the hosts.')
    .option('--json', 'JSON; with --watch one line for each answer')
    .option('--watch', 'stay until it is done; exit code 1 when it is halted')
    .option('--host <name>', 'of the hosts only this one')
    .option('--limit <n>', 'hosts, those that need an eye first', wholeNumber(1, MAX_LIMIT), MAX_LIMIT)
    .addHelpText('after', `\nTo steer it: procmesh release ${STEERINGS.join('|')} (each with --help)`);
  const options = command.parse([...args], { from: 'user' }).opts<ReleaseOptions>();
  const target = viewerTarget(options);
  if (options.watch) await watchRelease(target, options);
  else await ask(target, releaseQuery(options), { watch: false, onAnswer: (answer) => print(answer, options) });
}

function isSteering(text: string | undefined): text is Steering {
  return STEERINGS.some((act) => act === text);
}

function print(answer: RowsOrHosts, { json, host }: ReleaseOptions): void {
  if (answer.type !== 'release') return;
  const { rollout } = answer;
  if (host !== undefined && rollout?.hosts.length === 0)
    throw new Problem('ERR_HOST', `${host} is no host that is upgraded: procmesh release names those that are`);
  if (json) process.stdout.write(`${formatJson(releaseDocument(answer), {})}\n`);
  else if (rollout === undefined) process.stdout.write(`${NOTHING_RELEASED}\n`);
  else {
    process.stdout.write(`${formatRollout(rollout, outputWidth())}\n`);
    if (host === undefined) for (const note of leftOut(rollout)) say(note);
  }
}
