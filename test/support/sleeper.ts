import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';

/** A real process that has begun its work and waits for more until it is killed, at the latest when the test ends. */
export async function sleeper(t: TestContext, program: 'cat' | 'tee' = 'cat'): Promise<ChildProcess & { pid: number }> {
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'ignore'] });
  t.after(() => child.kill('SIGKILL'));
  child.stdin.on('error', () => undefined);
  child.stdin.write('anybody there?');
  await once(child.stdout, 'data');
  return child as ChildProcess & { pid: number };
}

/** Resolves when the process is gone and reaped. */
export async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}
