import { mostInOneWindow, type Span, type Which } from './observer.ts';
import { Program } from './program.ts';
import { type Bound, coverage, isWithin, question, type Result } from './result.ts';
import { observed, type Rig, TOOLS, type Tool, type Workshop } from './rig.ts';

const ALL_OF_IT: Bound = { from: 97, to: 103 };
const NO_SPIKE: Bound = { from: 0, to: 1 };
/** Samples after its begin in which a workload is in the middle of its work. */
const SAMPLES_TO_THE_MIDDLE = 2;

export interface DiskWorkload {
  name: string;
  title: string;
  /** Runs below a shell that goes on for a while after it, so that what its end does to an ancestor is seen. */
  script: (workshop: Workshop) => string;
  bytes: number;
  /** One process writes all of it, and is seen to before its parent reaps it. */
  hasSeenWriter?: boolean;
}

const MIB = 1 << 20;

/** `factor` makes less of everything. */
export function diskWorkloads(factor = 1): DiskWorkload[] {
  const blocks = Math.round(40 * factor);
  const writers = Math.round(120 * factor);
  const block = 2_498_560;
  const seen = (how: 'direct' | 'synced'): DiskWorkload => ({
    name: `disk-writer-${how}`,
    title: `child writes ${Math.round((blocks * block) / 1e6)} MB, ${how}, and is reaped`,
    // It stays for more than a sample after its last write: so all of it was seen while it was alive.
    script: (at) => `${storm(at, 'wait', 1)} ${writer(at, block, blocks, 100_000, how)} 2000000`,
    bytes: blocks * block,
    hasSeenWriter: true,
  });
  return [
    seen('direct'),
    seen('synced'),
    {
      name: 'disk-short-writers',
      title: `${writers} short writers of a shell`,
      script: (at) =>
        `i=0; while [ $i -lt ${writers} ]; do ${writer(at, MIB, 1, 25_000, 'direct')} 0; i=$((i+1)); done; echo '{}'; read line`,
      bytes: writers * MIB,
    },
    {
      name: 'disk-sigchld-ignored',
      title: `${writers} short writers, SIGCHLD ignored`,
      script: (at) => `${storm(at, 'ignored', writers)} ${writer(at, MIB, 1, 25_000, 'direct')} 0`,
      bytes: writers * MIB,
    },
  ];
}

function storm(at: Workshop, mode: string, count: number): string {
  return `${at.program('storm')} ${mode} ${count} 1 0 0`;
}

function writer(at: Workshop, block: number, blocks: number, pauseUs: number, how: string): string {
  return `${at.program('writer')} ${at.path('written')} ${block} ${blocks} ${pauseUs} ${how}`;
}

/** Runs one; lines for the bytes, for the writer's ancestors, and for what `ps --sort write` names first meanwhile. */
export async function runDiskWorkload(rig: Rig, workload: DiskWorkload): Promise<Result[]> {
  const { span, result } = await observed(rig, async () => {
    const { workshop, procmesh } = rig;
    const program = new Program([workshop.program('sh'), '-c', `${workload.script(workshop)}; sleep 3`]);
    await procmesh.samples(SAMPLES_TO_THE_MIDDLE);
    const first = await procmesh.first('write');
    await program.report();
    return { result: { first, shell: program.pid }, end: () => program.end() };
  });
  const about = { span, resource: 'writeBytes' } as const;
  const line = (measured: string, which: Which): Result =>
    coverage(
      { workload: workload.title, measured, truth: workload.bytes, unit: 'MB' },
      rig,
      { ...about, which },
      ALL_OF_IT,
    );
  const results = [line('bytes written, all of it', rig.workshop.owns)];
  if (workload.hasSeenWriter) {
    results.push(line('bytes written, by the writer itself', isWriterOf(rig)));
    results.push(worstAncestor(rig, workload, span));
  }
  const isRight = workload.hasSeenWriter ? isWriterOf(rig) : rig.workshop.owns;
  const named = result.first !== undefined && isRight(result.first);
  const found = result.first === undefined ? 'nothing' : `${result.first.comm} ${result.first.pid}`;
  results.push(question(workload.title, 'ps --sort write names it first', named, found));
  return results;
}

function isWriterOf({ workshop }: Rig): Which {
  return (process) => workshop.owns(process) && process.comm.endsWith('-writer');
}

/** What the kernel adds to the counters of whoever reaps a writer, and of whoever reaps that one, nobody of them wrote. */
function worstAncestor(rig: Rig, workload: DiskWorkload, span: Span): Result {
  const isWriter = isWriterOf(rig);
  const which: Which = (process) =>
    (rig.workshop.owns(process) && !isWriter(process)) || process.pid === globalThis.process.pid;
  const worst = (observer: Rig['procmesh'] | Rig['others'][Tool]): number =>
    observer === undefined ? 0 : mostInOneWindow(observer, span, 'writeBytes', which) / 1e6;
  const others: { [tool in Tool]?: number } = {};
  for (const tool of TOOLS)
    if (rig.others[tool] !== undefined && tool !== 'nethogs' && tool !== 'sockets')
      others[tool] = worst(rig.others[tool]);
  const procmesh = worst(rig.procmesh);
  return {
    workload: workload.title,
    measured: 'most that a parent or grandparent is charged in a window',
    truth: '0.0 MB',
    procmesh,
    others,
    unit: 'MB',
    asked: '≤ 1 MB',
    met: isWithin(procmesh, NO_SPIKE),
  };
}
