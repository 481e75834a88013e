import type { TaskExitSource } from '../../../src/agent/attribution/exits.ts';
import type { KernelError } from '../../../src/kernel/libc.ts';

/** One task's exit; what is not told is zero, and the last task of a process of init's unless told. */
export interface TaskExitFields {
  tgid: number;
  ppid?: number;
  comm?: string;
  isLast?: boolean;
  /** Ticks of the whole process. */
  cpuTicks?: number;
  startedAtMs?: number;
  livedMs?: number;
  readBytes?: number;
  writeBytes?: number;
}

/** Tells of the exits that a test makes up. */
export class FakeTaskExits implements TaskExitSource {
  overruns = 0;
  isClosed = false;
  /** Thrown once all exits were told. */
  failure: KernelError | undefined;
  tgid = 0;
  ppid = 1;
  comm = '';
  isLast = true;
  cpuNs = 0;
  startedAtMs = 0;
  livedMs = 0;
  readBytes = 0;
  writeBytes = 0;
  readonly #waiting: TaskExitFields[] = [];

  tell(...exits: TaskExitFields[]): void {
    this.#waiting.push(...exits);
  }

  next(): boolean {
    const exit = this.#waiting.shift();
    if (exit === undefined) {
      if (this.failure !== undefined) throw this.failure;
      return false;
    }
    const { ppid = 1, comm = `p${exit.tgid}`, isLast = true, cpuTicks = 0, livedMs = 0, startedAtMs = 0 } = exit;
    const { readBytes = 0, writeBytes = 0 } = exit;
    Object.assign(this, { ppid, comm, isLast, livedMs, startedAtMs, readBytes, writeBytes });
    this.tgid = exit.tgid;
    this.cpuNs = cpuTicks * 1e7;
    return true;
  }

  close(): void {
    this.isClosed = true;
  }
}
