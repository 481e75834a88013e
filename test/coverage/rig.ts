import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../support/requirements.ts';
import type { Observer, Span, Which } from './observer.ts';
import type { ProcmeshObserver } from './procmesh-observer.ts';

const PROGRAMS = fileURLToPath(new URL('./programs/', import.meta.url));
/** statfs(2): files in memory, of which nothing is ever written to a device. */
const TMPFS_MAGIC = 0x01021994;
/** Taken in by the samples after a workload: what was cut off in one window is charged in the next, and what ended is told late. */
const LATE_SAMPLES = 3;

/** The tools beside procmesh that may say something of a workload. */
export const TOOLS = ['naive', 'pidstat', 'atop', 'nethogs', 'sockets'] as const;
export type Tool = (typeof TOOLS)[number];
export type Others = { readonly [tool in Tool]?: Observer };

/** The workloads' programs, and who watches them. */
export interface Rig {
  readonly workshop: Workshop;
  readonly procmesh: ProcmeshObserver;
  readonly others: Others;
}

/** A folder of this run's own on a real file system, with the workloads' programs in it. */
export class Workshop {
  readonly dir: string;
  readonly #tag: string;

  /** Builds the programs, whose names begin with the tag. @throws Error when there is no C compiler, no make, or no file system but in memory. */
  constructor(tag = 'pmc') {
    this.#tag = tag;
    const folder = [tmpdir(), '/var/tmp', process.cwd()].find((path) => {
      const type = statfsOf(path);
      return type !== undefined && type !== TMPFS_MAGIC;
    });
    if (folder === undefined) throw new Error('every folder is in memory: set TMPDIR to one on a disk');
    this.dir = mkdtempSync(join(folder, 'procmesh-coverage-'));
    mkdirSync(this.path('bin'));
    const build = ['-s', `OUT=${this.path('bin')}`, `TAG=${tag}`];
    execFileSync('make', build, { cwd: PROGRAMS, stdio: ['ignore', 'inherit', 'inherit'] });
    for (const name of ['sh', 'make', 'true']) {
      const program = findProgram(name);
      if (program === undefined) throw new Error(`there is no ${name}`);
      symlinkSync(program, this.program(name));
    }
  }

  /** One of ours, or a system's program under a name of ours. */
  program(name: string): string {
    return this.path('bin', `${this.#tag}-${name}`);
  }

  /** Whether a process is a workload's: by their names every tool finds them, dead or alive. An arrow, to be handed on. */
  readonly owns: Which = ({ comm }) => comm.startsWith(`${this.#tag}-`);

  path(...names: string[]): string {
    return join(this.dir, ...names);
  }

  close(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/**
 * Runs a workload from the beginning of a window until everything about it has been told; `run` resolves when its work is
 * done, with its processes still there, and with what ends them.
 */
export async function observed<Result>(
  { procmesh }: Rig,
  run: () => Promise<{ result: Result; end: () => Promise<void> }>,
): Promise<{ span: Span; result: Result }> {
  await procmesh.samples(1);
  const fromMs = lastSampleMs(procmesh);
  const { result, end } = await run();
  await procmesh.samples(LATE_SAMPLES);
  await end();
  await procmesh.samples(LATE_SAMPLES);
  return { span: { fromMs, toMs: lastSampleMs(procmesh) }, result };
}

function lastSampleMs({ windows }: Observer): number {
  return windows.at(-1)?.endMs ?? 0;
}

function statfsOf(path: string): number | undefined {
  try {
    return statfsSync(path).type;
  } catch {
    return undefined;
  }
}
