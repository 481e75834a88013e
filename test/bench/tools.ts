import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HERE = fileURLToPath(new URL('.', import.meta.url));
/** USER_HZ. */
const TICK_MS = 10;

/** A folder of this run's own, and what was built in it. */
export class Workshop {
  readonly dir = mkdtempSync(join(tmpdir(), 'procmesh-bench-'));

  /** Compiles `NAME.c` of this folder. @throws Error when there is no C compiler. */
  compile(name: string): string {
    const program = join(this.dir, name);
    execFileSync('cc', ['-O2', '-Wall', '-o', program, join(HERE, `${name}.c`)]);
    return program;
  }

  close(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Runs a program that prints one number. */
export function numberFrom(program: string, ...args: readonly string[]): number {
  return Number.parseFloat(execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
}

/** So many sleeping processes, until `end`. */
export async function startProcesses(program: string, count: number): Promise<{ end: () => Promise<void> }> {
  const parent = spawn(program, [String(count)], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(parent.stdout, 'data');
  return { end: () => ended(parent, () => parent.stdin.end()) };
}

export async function ended(child: ChildProcess, stop: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  stop();
  await exit;
}

/** CPU time a process has used, user and system, in ms; to 10 ms. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

export function rssMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
