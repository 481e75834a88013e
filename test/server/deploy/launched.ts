import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { launcherScript } from '../../../src/server/deploy/launcher.ts';
import { scratchFolder } from '../../support/scratch.ts';
import { until } from '../../support/test-host/test-host.ts';

/** Shells that hosts have, and busybox's with nothing but its own programs. */
export const SHELLS = ['dash', 'bash', 'busybox'] as const;
export type Shell = (typeof SHELLS)[number];

/** Of the release that runs first, and of the one that is tried. */
export const OLD = 'a'.repeat(64);
export const NEW = 'b'.repeat(64);
/** What is in `data/trial` while that one is tried. */
export const TRIAL = `${NEW} ${OLD} 60 7`;

/** Says what it is, and on SIGUSR2 takes the new release as an agent does; `data/until` says how far it comes with that. */
const WORKS = `
import { appendFileSync, existsSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
const release = import.meta.url.split('/').at(-2);
const stopAfter = (step) => existsSync('data/until') && readFileSync('data/until', 'utf8') === step;
process.on('SIGTERM', () => process.exit(0));
process.on('SIGUSR2', () => {
  writeFileSync('data/trial', ${JSON.stringify(`${TRIAL}\n`)});
  if (stopAfter('trial')) return appendFileSync('data/told', 'trial ');
  symlinkSync('releases/${NEW}', 'current.flip');
  renameSync('current.flip', 'current');
  if (stopAfter('flip')) return appendFileSync('data/told', 'flip ');
  console.error('last words of the old one');
  process.kill(Number(process.env.PROCMESH_LAUNCHER), 'SIGUSR1');
  process.execve('current/node', ['node', process.argv[1], ...process.argv.slice(2)], process.env);
});
setInterval(() => {}, 1e6);
appendFileSync('data/starts', release + ' ' + process.pid + '\\n');
`;

/** A folder as a deployment makes it, with two releases of an agent, and a launcher that any of the shells runs. */
export class Launched {
  readonly folder: string;
  readonly #shell: Shell;
  readonly #programs: string;
  #launcher: ChildProcess | undefined;

  constructor(t: TestContext, shell: Shell) {
    // Before its folder goes.
    t.after(() => this.killAll());
    this.folder = scratchFolder(t);
    this.#shell = shell;
    this.#programs = this.at('programs');
    for (const name of ['data', 'programs']) mkdirSync(this.at(name));
    if (shell === 'busybox') execFileSync('busybox', ['--install', '-s', this.#programs]);
    for (const hash of [OLD, NEW]) {
      mkdirSync(this.at(`releases/${hash}`), { recursive: true });
      symlinkSync(process.execPath, this.at(`releases/${hash}/node`));
      this.write(`releases/${hash}/node-options`, '--max-semi-space-size=1\n--no-opt\n');
      this.agent(hash, '');
    }
    symlinkSync(`releases/${OLD}`, this.at('current'));
    this.write('launch', launcherScript({ folder: this.folder }));
  }

  at(path: string): string {
    return join(this.folder, path);
  }

  write(path: string, content: string): void {
    writeFileSync(this.at(path), content);
  }

  /** @returns an empty string where there is no such file. */
  read(path: string): string {
    return existsSync(this.at(path)) ? readFileSync(this.at(path), 'utf8') : '';
  }

  /** What a release does after it has said that it has begun. */
  agent(hash: string, then: string): void {
    this.write(`releases/${hash}/agent.mjs`, `${WORKS}${then}\n`);
  }

  /** A program that is found before the system's of that name. */
  program(name: string, script: string): void {
    execFileSync('rm', ['-f', join(this.#programs, name)]);
    this.write(`programs/${name}`, `#!/bin/sh\n${script}\n`);
    chmodSync(join(this.#programs, name), 0o755);
  }

  start(): ChildProcess {
    const args = this.#shell === 'busybox' ? ['sh', this.at('launch')] : [this.at('launch')];
    const program = this.#shell === 'busybox' ? '/bin/busybox' : `/bin/${this.#shell}`;
    const path = this.#shell === 'busybox' ? this.#programs : `${this.#programs}:${process.env.PATH}`;
    this.#launcher = spawn(program, args, { env: { PATH: path }, stdio: 'ignore' });
    return this.#launcher;
  }

  /** Release and pid of every agent that has begun. */
  get starts(): [release: string, pid: number][] {
    const lines = this.read('data/starts').split('\n').slice(0, -1);
    return lines.map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]);
  }

  /** Resolves with the pid of the agent once so many have begun. */
  async started(count: number): Promise<number> {
    await until(() => this.starts.length >= count);
    return this.starts[count - 1]?.[1] ?? 0;
  }

  /** Has the agent that runs take the new release. */
  upgrade(): void {
    process.kill(this.starts.at(-1)?.[1] as number, 'SIGUSR2');
  }

  get current(): string {
    return readlinkSync(this.at('current'));
  }

  /** Pids of what works in the folder. */
  get pids(): number[] {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => {
        try {
          return pid > 0 && readlinkSync(`/proc/${pid}/cwd`) === this.folder;
        } catch {
          return false;
        }
      });
  }

  /** Like a power failure, as far as processes are concerned. */
  async killAll(): Promise<void> {
    for (let pids = this.pids; pids.length > 0; pids = this.pids) {
      for (const pid of pids)
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended meanwhile.
        }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

export async function ended(launcher: ChildProcess): Promise<number | NodeJS.Signals | null> {
  if (launcher.exitCode === null && launcher.signalCode === null) await once(launcher, 'exit');
  return launcher.exitCode ?? launcher.signalCode;
}

/** Sees that the release before runs again, and that the other one is said to have failed for this reason. */
export async function assertTakenBack(
  launched: Launched,
  reason: string | RegExp,
  starts: readonly string[],
): Promise<void> {
  await launched.started(starts.length);
  assert.deepEqual(
    launched.starts.map(([release]) => release),
    starts,
  );
  assert.equal(launched.current, `releases/${OLD}`);
  assert.equal(existsSync(launched.at('data/trial')), false);
  const [line, said = '', ...more] = launched.read('data/failed').split('\n');
  assert.deepEqual([line, more], [TRIAL, ['']]);
  assert.match(said, typeof reason === 'string' ? new RegExp(`^${reason}$`) : reason);
}
