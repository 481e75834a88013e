import { text } from 'node:stream/consumers';
import { clean } from '../../tui/text.ts';
import { Problem } from '../problem.ts';
import { type Act, MAX_CHANGED_HOSTS, type Outcome } from '../protocol/operator.ts';
import { parseHostAddress } from '../server/host-address.ts';
import { formatJson } from './json.ts';
import { operate } from './operate.ts';
import { type OperatorOptions, operatorCommand, operatorTarget } from './options.ts';
import { Progress } from './progress.ts';
import { type Column, formatTable, outputWidth } from './table.ts';

const DESCRIPTIONS: { [act in Act]: string } = {
  add: 'Lists hosts, HOST or user@HOST:port, and has agents deployed there by SSH.',
  remove: 'Has the agents of hosts stopped and everything of theirs taken away.',
  rotate: 'Gives agents new tokens and makes their old ones void; without a name all of them.',
  token: 'Lists a host whose agent is started by hand, and prints the token for it.',
};

interface ChangeOptions extends OperatorOptions {
  json?: boolean;
}

/** `procmesh hosts add|remove|rotate|token`: changes the fleet, and stays until every host is done or has failed. */
export async function changeHosts(act: Act, args: readonly string[]): Promise<void> {
  const command = operatorCommand(`hosts ${act}`, DESCRIPTIONS[act])
    .argument(act === 'rotate' ? '[hosts...]' : '<hosts...>', 'hosts; - reads them from standard input')
    .option('--json', 'JSON, when all are done');
  command.parse([...args], { from: 'user' });
  const options = command.opts<ChangeOptions>();
  const hosts = await named(command.args);
  const progress = new Progress(process.stderr);
  const outcomes: Outcome[] = [];
  try {
    await operate(
      operatorTarget(options),
      { act, hosts },
      {
        onPhase: (host, phase) => progress.step(host, phase),
        onOutcome: (outcome) => {
          outcomes.push(outcome);
          // The reason of a single host is what the command ends with.
          const ending = hosts.length > 1 ? (outcome.failure ?? outcome.state) : outcome.state;
          if (act === 'add' || act === 'remove') progress.end(outcome.host, ending);
        },
      },
    );
  } finally {
    progress.close();
  }
  print(act, outcomes, options);
}

/** @throws Problem when one is none, before anything is done. */
async function named(args: readonly string[]): Promise<string[]> {
  const names = args.flatMap((arg) => (arg === '-' ? [] : arg));
  if (args.includes('-')) names.push(...(await text(process.stdin)).split(/\s+/).filter((name) => name !== ''));
  if (names.length === 0 && args.length > 0)
    throw new Problem('ERR_USAGE', 'standard input names no host', { exitCode: 2 });
  const wrong = names.find((name) => parseHostAddress(name) === undefined);
  if (wrong !== undefined)
    throw new Problem('ERR_HOST', `${wrong} is no host: write HOST or user@HOST:port`, { exitCode: 2 });
  if (names.length > MAX_CHANGED_HOSTS)
    throw new Problem('ERR_USAGE', `${names.length} hosts are too many: name ${MAX_CHANGED_HOSTS} at most`, {
      exitCode: 2,
    });
  return names;
}

/** @throws Problem when a host failed: the exit code tells. */
function print(act: Act, outcomes: Outcome[], options: ChangeOptions): void {
  const rows = outcomes.toSorted((a, b) => (a.host < b.host ? -1 : 1));
  const [only, ...more] = rows;
  if (options.json) process.stdout.write(`${formatJson({ act, rows }, {})}\n`);
  else if (act === 'token' && only?.token !== undefined && more.length === 0) process.stdout.write(`${only.token}\n`);
  else if (rows.length > 0) process.stdout.write(`${formatTable(columns(rows), rows, outputWidth())}\n`);
  const failed = rows.filter(({ state }) => state === 'failed');
  const [first] = failed;
  if (first === undefined) return;
  const others = failed.length > 1 ? `, and ${failed.length - 1} more` : '';
  // What a host answered to a deployment may be anything.
  throw new Problem('ERR_HOSTS', clean(`${first.host}: ${first.failure}${others}`));
}

function columns(rows: readonly Outcome[]): Column<Outcome>[] {
  const withToken = rows.some(({ token }) => token !== undefined);
  const withFailure = rows.some(({ failure }) => failure !== undefined);
  return [
    { caption: 'HOST', text: ({ host }) => host },
    { caption: 'STATE', text: ({ state }) => state },
    // A token that is cut is none.
    ...(withToken ? [{ caption: 'TOKEN', text: ({ token }: Outcome) => token ?? '' }] : []),
    ...(withFailure ? [{ caption: 'REASON', fills: true, text: ({ failure }: Outcome) => failure ?? '' }] : []),
  ];
}
