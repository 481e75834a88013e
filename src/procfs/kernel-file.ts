import { closeSync, openSync, readSync } from 'node:fs';

/** Why there is nothing to read: the process or file went away, or this user may not look. Both are expected. */
export type Absent = 'gone' | 'denied';

/**
 * A bounded number of descriptors that may stay open between reads. Re-reading a kept descriptor saves the path
 * look-up, a third to a half of the cost, but holds about 4 KB of kernel memory. First come, first kept: a scan is
 * cyclic, and an LRU smaller than the scan would evict each descriptor right before its next use.
 */
export class DescriptorPool {
  readonly capacity: number;
  #kept = 0;

  constructor(capacity: number) {
    this.capacity = Math.max(0, Math.floor(capacity));
  }

  get kept(): number {
    return this.#kept;
  }

  take(): boolean {
    if (this.#kept >= this.capacity) return false;
    this.#kept += 1;
    return true;
  }

  release(): void {
    this.#kept -= 1;
  }
}

/** The text of the last read: `bytes[0 … length)` is valid until the next read into the same buffer. */
export class KernelText {
  bytes: Buffer = Buffer.allocUnsafe(16_384);
  length = 0;

  toString(): string {
    return this.bytes.toString('utf8', 0, this.length);
  }
}

/** One file below /proc, read again and again. Files there report a size of 0, so a read goes on until it returns 0. */
export class KernelFile {
  readonly #path: string;
  readonly #pool: DescriptorPool | undefined;
  #fd = -1;
  #reads = 0;

  /** With a pool, the descriptor stays open from the second read on: what lives for one scan only is not worth keeping. */
  constructor(path: string, pool?: DescriptorPool) {
    this.#path = path;
    this.#pool = pool;
  }

  /**
   * Reads files whose text comes in one read: /proc/[pid]/stat, io and their like, made whole by the kernel at once.
   * A kept descriptor belongs to the process it was opened for and says ESRCH after its death, even when the pid is
   * in use again; then the path is opened anew.
   * @throws what the file system throws, other than absence.
   */
  read(text: KernelText): Absent | undefined {
    if (this.#fd >= 0) {
      try {
        text.length = readSync(this.#fd, text.bytes, 0, text.bytes.length, 0);
        return undefined;
      } catch (error) {
        this.close();
        const absent = absence(error);
        if (absent !== 'gone') return absent;
      }
    }
    try {
      const fd = openSync(this.#path, 'r');
      try {
        text.length = readSync(fd, text.bytes, 0, text.bytes.length, 0);
      } catch (error) {
        closeSync(fd);
        throw error;
      }
      this.#reads += 1;
      if (this.#reads > 1 && this.#pool?.take()) this.#fd = fd;
      else closeSync(fd);
      return undefined;
    } catch (error) {
      return absence(error);
    }
  }

  close(): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
    this.#pool?.release();
  }
}

/**
 * Reads a whole file of any length, which seq_file hands out a page at a time; the buffer grows as needed. `enough`
 * ends the reading early when what is wanted comes first.
 */
export function readWhole(path: string, text: KernelText, enough?: (text: KernelText) => boolean): Absent | undefined {
  text.length = 0;
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    return absence(error);
  }
  try {
    for (;;) {
      if (text.length === text.bytes.length) {
        const larger = Buffer.allocUnsafe(text.bytes.length * 2);
        text.bytes.copy(larger, 0, 0, text.length);
        text.bytes = larger;
      }
      const read = readSync(fd, text.bytes, text.length, text.bytes.length - text.length, null);
      text.length += read;
      if (read === 0 || enough?.(text)) return undefined;
    }
  } catch (error) {
    return absence(error);
  } finally {
    closeSync(fd);
  }
}

/**
 * What an errno means for a reader of /proc. Too many open files counts as denied for this read: the next one may
 * succeed, and one failing reader must not cost the sample.
 */
export function absence(error: unknown): Absent {
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'ENOENT':
    case 'ESRCH':
    case 'ENOTDIR':
      return 'gone';
    case 'EACCES':
    case 'EPERM':
    case 'EMFILE':
    case 'ENFILE':
      return 'denied';
    default:
      throw error;
  }
}
