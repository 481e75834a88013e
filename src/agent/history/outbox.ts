import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Interval, intervalSchema } from '../../protocol/interval.ts';

/** An interval that waits, and its size on the disk. */
interface Waiting {
  endMs: number;
  bytes: number;
  /** Set while it is on no disk: just measured, or there was no room. */
  interval: Interval | undefined;
}

export interface OutboxLimits {
  /** Of all files together; the oldest are dropped beyond it. */
  maxBytes: number;
  /** Kept in memory while the disk takes nothing. */
  maxUnwritten: number;
}

export const OUTBOX_LIMITS: OutboxLimits = { maxBytes: 256 * 1024 * 1024, maxUnwritten: 120 };

/**
 * Intervals on the host's disk, from the moment they are measured until a server has stored them: one file each, named
 * by the interval's end. Bounded; what is dropped is counted. A full disk is survived in memory.
 */
export class Outbox {
  readonly #dir: string;
  readonly #limits: OutboxLimits;
  /** Ascending by end. */
  readonly #waiting: Waiting[] = [];
  #bytes = 0;
  #dropped = 0;
  #problem: string | undefined;
  /** The end of what is being written: one at a time. */
  #written: Promise<void> = Promise.resolve();

  /** Opens what an earlier agent left. @throws when the folder can neither be read nor made. */
  constructor(dir: string, limits: OutboxLimits = OUTBOX_LIMITS) {
    this.#dir = dir;
    this.#limits = limits;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(dir)) {
      if (/^\d+\.json\.partial$/.test(name)) rmSync(join(dir, name), { force: true });
      const endMs = Number(/^(\d+)\.json$/.exec(name)?.[1] ?? Number.NaN);
      if (!Number.isNaN(endMs))
        this.#waiting.push({ endMs, bytes: statSync(join(dir, name)).size, interval: undefined });
    }
    this.#waiting.sort((a, b) => a.endMs - b.endMs);
    this.#bytes = this.#waiting.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Intervals that were given up, since the agent started. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Why intervals are not on the disk at the moment, in plain words. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /**
   * Takes an interval, in place of one with the same end; resolves when it is on the disk, or in memory where the disk
   * does not take it. Never rejects.
   */
  async append(interval: Interval): Promise<void> {
    const { endMs } = interval;
    const entry: Waiting = { endMs, bytes: Buffer.byteLength(JSON.stringify(interval)), interval };
    const later = this.#waiting.findIndex((other) => other.endMs >= endMs);
    const at = later < 0 ? this.#waiting.length : later;
    const [replaced] = this.#waiting.splice(at, this.#waiting[at]?.endMs === endMs ? 1 : 0, entry);
    this.#bytes += entry.bytes - (replaced?.bytes ?? 0);
    while (this.#bytes > this.#limits.maxBytes && this.#waiting[0] !== undefined) await this.#drop(this.#waiting[0]);
    this.#written = this.#written.then(() => this.#writeUnwritten());
    await this.#written;
  }

  /** Ends of the oldest intervals that wait. */
  oldest(count: number): number[] {
    return this.#waiting.slice(0, count).map(({ endMs }) => endMs);
  }

  /** @returns undefined when it is no longer there, or its file was damaged; a damaged one is dropped and counted. */
  async read(endMs: number): Promise<Interval | undefined> {
    const entry = this.#waiting.find((candidate) => candidate.endMs === endMs);
    if (entry === undefined || entry.interval !== undefined) return entry?.interval;
    try {
      return intervalSchema.parse(JSON.parse(readFileSync(this.#path(endMs), 'utf8')));
    } catch {
      await this.#drop(entry);
      return undefined;
    }
  }

  /** A server has stored it. */
  async forget(endMs: number): Promise<void> {
    const entry = this.#waiting.find((candidate) => candidate.endMs === endMs);
    if (entry !== undefined) await this.#remove(entry);
  }

  /** Brings to the disk what is not there yet, the oldest first, also what it did not take at another time. */
  async #writeUnwritten(): Promise<void> {
    for (;;) {
      const entry = this.#waiting.find(({ interval }) => interval !== undefined);
      if (entry === undefined) break;
      try {
        await this.#write(entry.endMs, JSON.stringify(entry.interval));
      } catch (error) {
        this.#problem = `intervals are kept in memory only: ${error instanceof Error ? error.message : String(error)}`;
        const unwritten = this.#waiting.filter(({ interval }) => interval !== undefined);
        const tooMany = Math.max(0, unwritten.length - this.#limits.maxUnwritten);
        for (const oldest of unwritten.slice(0, tooMany)) await this.#drop(oldest);
        return;
      }
      entry.interval = undefined;
      if (!this.#waiting.some(({ endMs }) => endMs === entry.endMs)) await this.#removeFile(entry.endMs);
    }
    this.#problem = undefined;
  }

  /** Written whole beside its place and then renamed, so that a file with its name is never half an interval. */
  async #write(endMs: number, text: string): Promise<void> {
    const path = this.#path(endMs);
    const partial = `${path}.partial`;
    try {
      const file = await open(partial, 'w', 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  async #drop(entry: Waiting): Promise<void> {
    this.#dropped += 1;
    await this.#remove(entry);
  }

  async #remove(entry: Waiting): Promise<void> {
    const at = this.#waiting.indexOf(entry);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    this.#bytes -= entry.bytes;
    await this.#removeFile(entry.endMs);
  }

  async #removeFile(endMs: number): Promise<void> {
    await rm(this.#path(endMs), { force: true }).catch(() => undefined);
  }

  #path(endMs: number): string {
    return join(this.#dir, `${endMs}.json`);
  }
}
