import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Sample, Sampler } from '../../src/agent/sampler.ts';
import { Scanner } from '../../src/agent/snapshot.ts';
import { ended, type Workshop } from './tools.ts';

const WINDOW_MS = 1_000;

/** What a storm of short processes came to: shares in % of the CPU time that the host used. */
export interface Storm {
  unattributedPercent: number;
  /** Charged to the shells and makes that started it, and to what they ran. */
  culpritsPercent: number;
  processesPerSec: number;
}

async function windows(count: number, see: (sample: Sample) => void): Promise<void> {
  const scanner = new Scanner({ procRoot: '/proc', sysRoot: '/sys', keptDescriptors: 4_096 });
  const sampler = new Sampler(scanner);
  sampler.sample();
  for (let window = 0; window < count; window += 1) {
    await pause(WINDOW_MS);
    const sample = sampler.sample();
    if (sample !== undefined) see(sample);
  }
  scanner.close();
}

/** Charges of the process and of everything below it that is alive. */
function chargedBelow(roots: ReadonlySet<number>, { snapshot, usage }: Sample): number {
  let ticks = 0;
  for (const [pid, used] of usage) {
    for (
      let ancestor: number | undefined = pid;
      ancestor !== undefined;
      ancestor = snapshot.processes.get(ancestor)?.ppid
    ) {
      if (!roots.has(ancestor)) continue;
      ticks += used.cpuTicks;
      break;
    }
  }
  return ticks;
}

async function measure(storm: readonly ChildProcess[], seconds: number): Promise<Storm> {
  const roots = new Set(storm.map(({ pid }) => pid ?? 0));
  const sum = { host: 0, rest: 0, culprits: 0 };
  const forks = forkCount();
  // The first second belongs to the start.
  await windows(seconds + 1, (sample) => {
    const ticks = sample.durationMs / 1000;
    sum.host += sample.host.cpuPercent * ticks;
    sum.rest += (sample.host.unattributed.cpuPercent ?? 0) * ticks;
    sum.culprits += chargedBelow(roots, sample);
  });
  const processesPerSec = (forkCount() - forks) / (seconds + 1);
  return {
    unattributedPercent: (100 * sum.rest) / sum.host,
    culpritsPercent: (100 * sum.culprits) / sum.host,
    processesPerSec,
  };
}

function forkCount(): number {
  return Number(/^processes (\d+)/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]);
}

/** `while :; do /bin/true; done` in four shells. */
export async function shellStorm(seconds: number): Promise<Storm> {
  const shells = Array.from({ length: 4 }, () =>
    spawn('sh', ['-c', 'while :; do /bin/true; done'], { stdio: 'ignore' }),
  );
  try {
    return await measure(shells, seconds);
  } finally {
    for (const shell of shells) shell.kill('SIGKILL');
  }
}

/** `make -j4` of jobs of some milliseconds, again and again. */
export async function makeStorm(workshop: Workshop, seconds: number): Promise<Storm> {
  const dir = join(workshop.dir, 'make');
  mkdirSync(dir, { recursive: true });
  const jobs = Array.from({ length: 200 }, (_, job) => `job${job}`).join(' ');
  writeFileSync(
    join(dir, 'Makefile'),
    `all: ${jobs}\n${jobs}:\n\t@i=0; while [ $$i -lt 500 ]; do i=$$((i+1)); done; /bin/true\n.PHONY: all ${jobs}\n`,
  );
  const make = spawn('sh', ['-c', 'while :; do make -s -j4; done'], { cwd: dir, stdio: 'ignore', detached: true });
  try {
    return await measure([make], seconds);
  } finally {
    if (make.pid !== undefined) process.kill(-make.pid, 'SIGKILL');
  }
}

/**
 * A child writes 100 MB over four seconds and is reaped: MB charged to the child, and the most that its parent is charged
 * in any one window.
 */
export async function reapedWriter(workshop: Workshop): Promise<{ childMb: number; parentMostMb: number }> {
  const program = workshop.compile('reaped-writer');
  const writer = spawn(program, [join(workshop.dir, 'written')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(writer.stdout, 'data')) as [Buffer];
  const [parent, child] = line.toString().trim().split(' ').map(Number) as [number, number];
  const result = { childMb: 0, parentMostMb: 0 };
  await windows(7, ({ usage }) => {
    result.childMb += (usage.get(child)?.writeBytes ?? 0) / 1e6;
    result.parentMostMb = Math.max(result.parentMostMb, (usage.get(parent)?.writeBytes ?? 0) / 1e6);
  });
  await ended(writer, () => undefined);
  return result;
}
