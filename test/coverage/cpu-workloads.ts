import { writeFileSync } from 'node:fs';
import { ancestorsCpuSeconds, openCpuTruth } from './cpu-truth.ts';
import { type Observer, type Span, type Which, windowsIn } from './observer.ts';
import { Program } from './program.ts';
import { coverage, type Heir, question, type Result } from './result.ts';
import { observed, type Rig, type Workshop } from './rig.ts';

const ALL_OF_IT = { from: 97, to: 103 };
const ITS_OWN_TIMES = { from: 98, to: 102 };

/** A storm of short processes. */
export interface CpuWorkload {
  name: string;
  title: string;
  command: (workshop: Workshop) => string[];
  /** Processes it starts, where its program does not count them itself. */
  processes?: number;
  /** Its first process waits for all others, so that its own `getrusage` is a truth of its own. */
  waits?: boolean;
  /** The agent is stopped meanwhile, so that the kernel has to drop what it would tell of ends. */
  isUntold?: boolean;
}

/** `factor` shortens every storm: full ones take three to five seconds on two cores. */
export function cpuWorkloads(factor = 1): CpuWorkload[] {
  const count = (full: number): number => Math.round(full * factor);
  const storm = (mode: string, processes: number, atOnce: number, minUs: number, maxUs: number) => (at: Workshop) => [
    at.program('storm'),
    ...[mode, count(processes), atOnce, minUs, maxUs].map(String),
  ];
  return [
    {
      name: 'cpu-fork-wait',
      title: 'fork + wait, 5–20 ms each',
      command: storm('wait', 600, 2, 5_000, 20_000),
      waits: true,
    },
    {
      name: 'cpu-fork-wait-fast',
      title: 'fork + wait, 0.5–1.5 ms each',
      command: storm('wait', 6_000, 4, 500, 1_500),
      waits: true,
    },
    {
      name: 'cpu-fork-wait-fastest',
      title: 'fork + wait, 0.05 ms each',
      command: storm('wait', 50_000, 4, 50, 50),
      waits: true,
    },
    {
      name: 'cpu-fork-wait-untold',
      title: 'fork + wait, 0.05 ms each, the agent stopped meanwhile',
      command: storm('wait', 50_000, 4, 50, 50),
      waits: true,
      isUntold: true,
    },
    {
      name: 'cpu-shell-loop',
      title: 'two shells, /bin/true in a loop',
      command: (at) => shellLoop(at, count(4_000)),
      processes: 2 * count(4_000),
    },
    { name: 'cpu-make-j2', title: 'make -j2', command: (at) => make(at, 2, count(6_000)), processes: count(6_000) },
    { name: 'cpu-make-j4', title: 'make -j4', command: (at) => make(at, 4, count(6_000)), processes: count(6_000) },
    { name: 'cpu-double-fork', title: 'double fork, left to init', command: storm('double', 5_000, 4, 500, 1_500) },
    {
      name: 'cpu-double-fork-subreaper',
      title: 'double fork, left to a subreaper',
      command: storm('subreaper', 5_000, 4, 500, 1_500),
    },
    {
      name: 'cpu-sigchld-ignored',
      title: 'SIGCHLD ignored, 5–20 ms each',
      command: storm('ignored', 600, 2, 5_000, 20_000),
    },
    {
      name: 'cpu-sigchld-ignored-fast',
      title: 'SIGCHLD ignored, 0.5–1.5 ms each',
      command: storm('ignored', 6_000, 4, 500, 1_500),
    },
  ];
}

/** The loops run below a shell that says when they are through, and waits. */
function shellLoop(at: Workshop, count: number): string[] {
  const loop = `i=0; while [ $i -lt ${count} ]; do ${at.program('true')}; i=$((i+1)); done`;
  return reporting(at, `(${loop}) & (${loop}) & wait`);
}

function make(at: Workshop, jobs: number, count: number): string[] {
  const targets = Array.from({ length: count }, (_, job) => `job${job}`).join(' ');
  const file = at.path('Makefile');
  writeFileSync(file, `all: ${targets}\n${targets}:\n\t@${at.program('job')} 500\n.PHONY: all ${targets}\n`);
  return reporting(at, `${at.program('make')} -s -j${jobs} -f ${file}`);
}

/** A shell cannot say what it used, so that is all of its report. */
function reporting(at: Workshop, script: string): string[] {
  return [at.program('sh'), '-c', `${script}; echo "{\\"pid\\":$$}"; read line`];
}

/** Runs one storm; one line for all that it used, and one for its first process where that has a truth of its own. */
export async function runCpuWorkload(rig: Rig, workload: CpuWorkload): Promise<Result[]> {
  const truth = await openCpuTruth();
  const ancestorsBefore = ancestorsCpuSeconds();
  const { span, result: report } = await observed(rig, async () => {
    const startedAt = performance.now();
    const program = new Program(truth.counted(workload.command(rig.workshop)));
    const report = program.report();
    const own = await (workload.isUntold ? rig.procmesh.holdUp(report) : report);
    const result: Record<string, number> = { wallSeconds: (performance.now() - startedAt) / 1000, ...own };
    return { result, end: () => program.end() };
  });
  const usedSeconds = truth.usedSeconds();
  const { pid = 0, reaper = pid, wallSeconds = 1, processes = workload.processes ?? 0, cpuSeconds } = report;
  const heir = heirOf(reaper, ancestorsBefore);
  const title = `${workload.title}, ${Math.round(processes / wallSeconds)}/s`;
  const which = rig.workshop.owns;
  const shares = sharesOf(rig.procmesh, span, (process) => which(process) || process.pid === heir?.pid, usedSeconds);
  const results = [
    coverage(
      { workload: title, measured: `CPU: ${shares}`, truth: usedSeconds, unit: 'CPU s' },
      rig,
      { span, resource: 'cpuSeconds', which, heir },
      // In what the host used is everybody's share: something to look at, but nothing to be asked for.
      truth.isExact ? ALL_OF_IT : undefined,
    ),
  ];
  if (workload.waits && cpuSeconds !== undefined)
    results.push(
      coverage(
        { workload: title, measured: 'CPU of the parent, against its own getrusage', truth: cpuSeconds, unit: 'CPU s' },
        rig,
        { span, resource: 'cpuSeconds', which: (process) => process.pid === pid },
        ITS_OWN_TIMES,
      ),
    );
  if (workload.isUntold) {
    const message = (await rig.procmesh.host())?.message ?? 'no message';
    results.push(question(title, 'hosts says that ends were lost', /ended faster/.test(message), message));
  }
  return results;
}

/** Init, or a subreaper above this process; undefined when the workload reaps its own. */
function heirOf(reaper: number, before: ReadonlyMap<number, number>): Heir | undefined {
  const own = ancestorsCpuSeconds().get(reaper);
  return own === undefined ? undefined : { pid: reaper, own: own - (before.get(reaper) ?? 0) };
}

/** Who was charged with it: `pmc-storm 98 %, pmc-job 1 %`. */
function sharesOf(observer: Observer, span: Span, which: Which, truth: number): string {
  const byComm = new Map<string, number>();
  for (const { charges } of windowsIn(observer, span))
    for (const charge of charges.filter(which))
      byComm.set(charge.comm, (byComm.get(charge.comm) ?? 0) + (charge.cpuSeconds ?? 0));
  return [...byComm]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, 3)
    .map(([comm, seconds]) => `${comm} ${((100 * seconds) / truth).toFixed(0)} %`)
    .join(', ');
}
