import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Chunk } from '../../protocol/release.ts';
import { hashOf, type WantedFile } from './files.ts';
import { UpgradeError } from './upgrade-error.ts';

/** A server that is connected answers what it is asked for within this time, or not at all. */
const STALL_MS = 60_000;

interface Awaited {
  file: WantedFile;
  offset: number;
  resolve: (data: Buffer) => void;
  reject: (error: Error) => void;
}

/**
 * Files from a server, one chunk at a time: each is asked for when the one before is on the disk, so that no more than
 * one is ever in memory. While nobody is connected it waits, for as long as that takes.
 */
export class Receiver {
  readonly #folder: string;
  readonly #want: (sha256: string, offset: number) => void;
  #awaited: Awaited | undefined;
  #stall: NodeJS.Timeout | undefined;
  #isPaused = false;

  /** @param folder holds what has not come whole yet, also what an earlier agent began. */
  constructor(folder: string, want: (sha256: string, offset: number) => void) {
    this.#folder = folder;
    this.#want = want;
  }

  /**
   * @returns its path, with the contents that were wanted.
   * @throws UpgradeError when the server has no such file, sends something else or falls silent; what has come stays, to
   * be gone on with. What the file system throws, and the signal's reason.
   */
  async receive(file: WantedFile, signal: AbortSignal): Promise<string> {
    const path = join(this.#folder, file.sha256);
    for (;;) {
      const had = await this.#complete(path, file, signal);
      if ((await hashOf(path)) === file.sha256) return path;
      await rm(path, { force: true });
      // What was left by an earlier attempt may have been damaged by a power failure: without it there is no excuse.
      if (had === 0) throw new UpgradeError(`${file.name} arrives with other contents than the manifest says`);
    }
  }

  onChunk({ sha256, offset, data }: Chunk): void {
    const awaited = this.#awaited;
    // An answer to a question of an earlier connection may come twice.
    if (awaited?.file.sha256 !== sha256 || awaited.offset !== offset) return;
    if (data === undefined) awaited.reject(new UpgradeError(`the server does not have ${awaited.file.name}`));
    else awaited.resolve(Buffer.from(data, 'base64'));
  }

  /** Nobody is connected. */
  pause(): void {
    this.#isPaused = true;
    clearTimeout(this.#stall);
  }

  /** A server is connected, which is asked for what is lacking; to be called once for each connection. */
  resume(): void {
    this.#isPaused = false;
    this.#ask();
  }

  #ask(): void {
    const awaited = this.#awaited;
    if (awaited === undefined || this.#isPaused) return;
    const { file, offset, reject } = awaited;
    clearTimeout(this.#stall);
    this.#stall = setTimeout(
      () => reject(new UpgradeError(`the server sends nothing of ${file.name} for ${STALL_MS / 1000} s`)),
      STALL_MS,
    );
    this.#want(file.sha256, offset);
  }

  /** @returns how much of it was there before. */
  async #complete(path: string, file: WantedFile, signal: AbortSignal): Promise<number> {
    const handle = await open(path, 'a', 0o600);
    try {
      const { size: had } = await handle.stat();
      for (let offset = had; offset < file.bytes; ) {
        const data = await this.#chunk(file, offset, signal);
        const left = file.bytes - offset;
        if (data.length === 0 || data.length > left)
          throw new UpgradeError(`the server sends ${data.length} bytes of ${file.name}, of which ${left} are left`);
        await handle.appendFile(data);
        offset += data.length;
      }
      return had;
    } finally {
      await handle.close();
    }
  }

  async #chunk(file: WantedFile, offset: number, signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
    this.#awaited = { file, offset, resolve, reject };
    this.#ask();
    try {
      return await promise;
    } finally {
      clearTimeout(this.#stall);
      signal.removeEventListener('abort', onAbort);
      this.#awaited = undefined;
    }
  }
}
