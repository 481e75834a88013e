import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const STOP_TIMEOUT_MS = 5_000;

/** A tool that prints lines for as long as it runs. */
export class ToolProcess {
  readonly #process: ChildProcess;
  readonly #name: string;
  #stopping = false;

  constructor(command: readonly [string, ...string[]], onLine: (line: string) => void) {
    const [file, ...args] = command;
    this.#name = file;
    // Times and decimal points are to be the same everywhere.
    const env = { ...process.env, LC_ALL: 'C' };
    const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
    createInterface({ input: child.stdout }).on('line', onLine);
    child.once('exit', (code) => {
      if (!this.#stopping) process.stderr.write(`coverage: ${this.#name} ended with ${code}, and says nothing more\n`);
    });
    this.#process = child;
  }

  /** Asks it to end, so that it can put back what it changed: atop switches process accounting off. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
  }
}
