import { parseArgs } from 'node:util';
import { isRoot, missing } from '../support/requirements.ts';
import { AtopObserver } from './atop-observer.ts';
import { cpuWorkloads, runCpuWorkload } from './cpu-workloads.ts';
import { diskWorkloads, runDiskWorkload } from './disk-workloads.ts';
import { type Exchange, runNetWorkload } from './exchange.ts';
import { farEnds, namedFirst, wrongProcesses } from './exchanges.ts';
import { NaiveObserver } from './naive-observer.ts';
import { Namespace } from './namespace.ts';
import { netWorkloads } from './net-workloads.ts';
import { NethogsObserver } from './nethogs-observer.ts';
import { PidstatObserver } from './pidstat-observer.ts';
import { ProcmeshObserver } from './procmesh-observer.ts';
import type { Result } from './result.ts';
import { Workshop } from './rig.ts';
import { sumsLine } from './sums-line.ts';
import { jsonTable, markdownTable, plainTable } from './table.ts';

const HELP = `npm run coverage -- [--only NAME] [--markdown | --json]

Runs workloads whose use of CPU, disk and network is known, and prints what procmesh charges to their processes in % of
that, beside what others say at the same time of the same run: a reader of /proc as naive as top, pidstat and atop of CPU
and disk; nethogs, and a second procmesh with --net sockets, of the network. Exit code 1: a bound that is asked for was missed.

  --only NAME  only the workloads whose name begins so: cpu, disk, net, net-http, …
  --markdown   the table of the README
  --json       figures for programs
  --help       this, and the names of all workloads

`;

/** What a run has open, to be closed in reverse order, also when it is interrupted. */
const open = new AsyncDisposableStack();

function progress(text: string): void {
  process.stderr.write(`coverage: ${text}\n`);
}

function fail(text: string, exitCode: 1 | 2): never {
  progress(text);
  process.exit(exitCode);
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        only: { type: 'string', default: '' },
        markdown: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : error}: see --help`, 2);
  }
}

const options = readArguments();
const chosen = <Workload extends { name: string }>(all: readonly Workload[]): Workload[] =>
  all.filter(({ name }) => name.startsWith(options.only));
const [cpu, disk, net] = [chosen(cpuWorkloads()), chosen(diskWorkloads()), chosen(netWorkloads())];

if (options.help) {
  const names = [...cpuWorkloads(), ...diskWorkloads(), ...netWorkloads()].map(
    ({ name, title }) => `  ${name.padEnd(26)} ${title}`,
  );
  process.stdout.write(`${HELP}${names.join('\n')}\n`);
  process.exit(0);
}
if (cpu.length + disk.length + net.length === 0) fail(`no workload's name begins with ${options.only}: see --help`, 2);
const wanted = missing(['gcc', 'make', 'sysstat', 'atop', 'nethogs', 'iproute2']);
if (wanted !== undefined) fail(wanted, 1);
if (!isRoot()) fail("wants root: for network namespaces, and to see everybody's disk use", 1);

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    open.disposeAsync().finally(() => process.exit(130));
  });

/** Starts something that is stopped at the end of the run. */
function opened<Stoppable extends { stop(): Promise<void> }>(it: Stoppable): Stoppable {
  open.defer(() => it.stop());
  return it;
}

async function run(): Promise<Result[]> {
  const results: Result[] = [];
  progress('building the workloads');
  const workshop = open.adopt(new Workshop(), (it) => it.close());
  progress('starting procmesh and those beside it');
  const procmesh = opened(await ProcmeshObserver.start(workshop.path('data')));
  const others = {
    naive: opened(new NaiveObserver()),
    pidstat: opened(new PidstatObserver()),
    atop: opened(new AtopObserver()),
  };
  const rig = { workshop, procmesh, others };
  for (const workload of cpu) {
    progress(workload.title);
    results.push(...(await runCpuWorkload(rig, workload)));
  }
  for (const workload of disk) {
    progress(workload.title);
    results.push(...(await runDiskWorkload(rig, workload)));
  }
  const networks = net.length > 0 ? await runNetworks(workshop, procmesh) : undefined;
  return [...results, ...(networks?.results ?? []), sumsLine(procmesh, networks?.sockets)];
}

async function runNetworks(
  workshop: Workshop,
  procmesh: ProcmeshObserver,
): Promise<{ results: Result[]; sockets: ProcmeshObserver }> {
  const results: Result[] = [];
  const exchanges: Exchange[] = [];
  const namespace = open.adopt(await Namespace.open(), (it) => it.close());
  progress('starting procmesh --net sockets and nethogs');
  const sockets = opened(await ProcmeshObserver.start(workshop.path('data-sockets'), ['--net', 'sockets']));
  const nethogs = opened(new NethogsObserver(namespace.device));
  const rig = { workshop, procmesh, others: { nethogs, sockets } };
  for (const workload of net)
    for (const role of ['client', 'server'] as const) {
      progress(`${workload.title}, ${role} here`);
      const { results: lines, exchange } = await runNetWorkload(rig, namespace, workload, role);
      results.push(...lines);
      exchanges.push(exchange);
    }
  results.push(...namedFirst(exchanges), farEnds(exchanges), ...wrongProcesses(exchanges));
  return { results, sockets };
}

try {
  const results = await run();
  const text = options.json ? jsonTable(results) : options.markdown ? markdownTable(results) : plainTable(results);
  process.stdout.write(`${text}\n`);
  if (results.some(({ met }) => met === false)) process.exitCode = 1;
} catch (error) {
  progress(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
} finally {
  await open.disposeAsync();
}
