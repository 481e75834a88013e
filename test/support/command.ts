import assert from 'node:assert/strict';
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

export const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** An environment without any of our settings, the test runner's, and CI, which Node.js takes for a terminal without colours. */
export function cleanEnvironment(settings: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(PROCMESH_|NODE_(OPTIONS|TEST|V8)|NO_COLOR|FORCE_COLOR|CI$)/.test(name),
  );
  return { ...Object.fromEntries(kept), ...settings };
}

/** Collects a stream; `line` resolves with the first line that `wanted` finds, among those that came and will come. */
class Output {
  text = '';
  readonly #stream: NodeJS.ReadableStream;
  readonly #end: Promise<boolean>;

  constructor(stream: NodeJS.ReadableStream) {
    this.#stream = stream;
    const over = (): boolean => true;
    this.#end = once(stream, 'end').then(over, over);
    stream.setEncoding('utf8');
    stream.on('data', (chunk) => {
      this.text += chunk;
    });
  }

  async line(wanted: (line: string) => boolean = () => true): Promise<string> {
    for (;;) {
      const found = this.text.split('\n').slice(0, -1).find(wanted);
      if (found !== undefined) return found;
      const ended = await Promise.race([once(this.#stream, 'data').then(() => false), this.#end]);
      if (ended) throw new Error(`no such line in: ${this.text}`);
    }
  }
}

/** A process of ours that is killed at the end of the test if it has not ended by then. */
export class Command {
  readonly process: ChildProcess;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly finished: Promise<Finished>;

  constructor(t: TestContext, file: string, args: readonly string[], options: SpawnOptions) {
    this.process = spawn(file, args, options);
    const { stdout, stderr } = this.process;
    if (stdout === null || stderr === null) throw new RangeError('output is not piped');
    this.stdout = new Output(stdout);
    this.stderr = new Output(stderr);
    this.finished = once(this.process, 'close').then(([code, signal]) => ({
      code,
      signal,
      stdout: this.stdout.text,
      stderr: this.stderr.text,
    }));
    t.after(async () => {
      this.process.kill('SIGKILL');
      await this.finished;
    });
  }

  get pid(): number {
    const { pid } = this.process;
    if (pid === undefined) throw new Error('it was not started');
    return pid;
  }

  /** Resolves with what a server or agent says when it works; rejects with its output when it ends before. */
  async ready(): Promise<{ port: number }> {
    const said = once(this.process, 'message').then(([message]) => message as { port: number });
    const ended = this.finished.then(({ code, stderr }) => {
      throw new Error(`ended with ${code}: ${stderr}`);
    });
    return Promise.race([said, ended]);
  }

  kill(signal: NodeJS.Signals): Promise<Finished> {
    this.process.kill(signal);
    return this.finished;
  }
}

/** Starts `procmesh` from the checkout; with `ipc` it says when it is ready. */
export function launch(
  t: TestContext,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  ipc?: 'ipc',
  stdin: 'ignore' | 'pipe' = 'ignore',
): Command {
  const stdio = [stdin, 'pipe', 'pipe', ...(ipc === undefined ? [] : [ipc])] as SpawnOptions['stdio'];
  return new Command(t, process.execPath, [MAIN, ...args], { env: cleanEnvironment(env), stdio });
}

/** Runs `procmesh` from the checkout to its end. */
export function procmesh(t: TestContext, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
  return launch(t, args, env).finished;
}

/** The contract of every failure: one plain line on standard error, an exit code, nothing else. */
export function assertFailed({ code, stdout, stderr }: Finished, exitCode: 1 | 2, message: RegExp): void {
  assert.match(stderr, /^procmesh: [^\n]+\n$/);
  assert.match(stderr, message);
  assert.equal(stdout, '');
  assert.equal(code, exitCode);
}

/** A port that nothing listens on, below those the system hands out by itself: nobody takes it by chance. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_240 + Math.floor(Math.random() * 20_000);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
}
