import { createHash } from 'node:crypto';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { MAX_CHUNK_BYTES } from '../../protocol/release.ts';

export interface Content {
  file: string;
  bytes: number;
}

/** A larger one, a runtime, is read from the disk by pieces, which the system has in its memory anyway. */
const MAX_CACHED_BYTES = 8 << 20;
const MAX_CACHE_BYTES = 32 << 20;

/** Reads pieces of files that are known by their SHA-256, many of the same at the same time. */
export class ContentReader {
  /** Small ones, the last used last. */
  readonly #cached = new Map<string, { bytes: number; content: Promise<Buffer | undefined> }>();
  #cachedBytes = 0;
  /** Large ones, of which there are few. */
  readonly #open = new Map<string, Promise<FileHandle>>();

  /** @returns undefined past its end, or when it does not hold what it should. @throws what the file system throws. */
  async read(sha256: string, { file, bytes }: Content, offset: number): Promise<Buffer | undefined> {
    if (offset >= bytes) return undefined;
    if (bytes <= MAX_CACHED_BYTES) {
      const content = await this.#small(sha256, file, bytes);
      return content?.subarray(offset, offset + MAX_CHUNK_BYTES);
    }
    const buffer = Buffer.allocUnsafe(Math.min(MAX_CHUNK_BYTES, bytes - offset));
    const handle = await this.#large(sha256, file);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
    return bytesRead === buffer.length ? buffer : undefined;
  }

  async close(): Promise<void> {
    const handles = [...this.#open.values()];
    this.#open.clear();
    await Promise.allSettled(handles.map(async (handle) => (await handle).close()));
  }

  #small(sha256: string, file: string, bytes: number): Promise<Buffer | undefined> {
    const known = this.#cached.get(sha256);
    this.#cached.delete(sha256);
    const entry = known ?? { bytes, content: verified(file, sha256) };
    this.#cached.set(sha256, entry);
    if (known !== undefined) return known.content;
    this.#cachedBytes += bytes;
    entry.content.catch(() => this.#forget(sha256));
    for (const oldest of this.#cached.keys()) {
      if (this.#cachedBytes <= MAX_CACHE_BYTES) break;
      this.#forget(oldest);
    }
    return entry.content;
  }

  #forget(sha256: string): void {
    this.#cachedBytes -= this.#cached.get(sha256)?.bytes ?? 0;
    this.#cached.delete(sha256);
  }

  #large(sha256: string, file: string): Promise<FileHandle> {
    let handle = this.#open.get(sha256);
    if (handle === undefined) {
      handle = open(file);
      this.#open.set(sha256, handle);
      handle.catch(() => this.#open.delete(sha256));
    }
    return handle;
  }
}

async function verified(file: string, sha256: string): Promise<Buffer | undefined> {
  const content = await readFile(file);
  return createHash('sha256').update(content).digest('hex') === sha256 ? content : undefined;
}
