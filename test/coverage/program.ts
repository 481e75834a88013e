import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

const REPORT_TIMEOUT_MS = 60_000;

/** A workload: it prints what it knows about itself, a line of JSON each, and waits until its standard input is closed. */
export class Program {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #name: string;

  constructor(command: readonly string[], options: { cwd?: string } = {}) {
    const [file = '', ...args] = command;
    this.#name = command.join(' ');
    this.#child = spawn(file, args, { ...options, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin.on('error', () => undefined);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The next figures that it prints. @throws Error when it ends without, or takes more than a minute. */
  async report(): Promise<Record<string, number>> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), REPORT_TIMEOUT_MS);
    const next = await this.#lines.next();
    clearTimeout(timer);
    if (next.done) throw new Error(`ended without a report, or had to be ended: ${this.#name}`);
    return JSON.parse(next.value) as Record<string, number>;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.stdin.end();
    await ended;
  }

  /** For the way out of a failure. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
