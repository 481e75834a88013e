import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';

/** Machines that Node.js is brought for, as Node.js names them. */
export const ARCHITECTURES = ['x64', 'arm64'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** The pinned Node.js for one kind of machine, as it is given to hosts. */
export interface Runtime {
  file: string;
  bytes: number;
  /** SHA-256 of the file. */
  hash: string;
  /** As it calls itself: `v26.10.0`. */
  version: string;
}

/** Finds the runtimes that are installed beside this program, and those of other machines where somebody has put them. */
export class Runtimes {
  /** Where compressed ones are kept. */
  readonly #folder: string;
  readonly #foreignFolder: (architecture: string) => string;
  readonly #hashes = new Map<string, { mtimeMs: number; bytes: number; hash: string }>();
  readonly #compressing = new Map<string, Promise<string>>();

  /** @param foreignFolder is one in which npm has installed packages for machines of another kind. */
  constructor(folder: string, foreignFolder: (architecture: string) => string) {
    this.#folder = folder;
    this.#foreignFolder = foreignFolder;
  }

  /** @returns undefined where there is none for such machines. @throws what the file system throws. */
  async find(architecture: string): Promise<Runtime | undefined> {
    const require = createRequire(import.meta.url);
    let description: string;
    try {
      const paths = [import.meta.dirname, this.#foreignFolder(architecture)];
      description = require.resolve(`node-linux-${architecture}/package.json`, { paths });
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') return undefined;
      throw error;
    }
    const file = join(dirname(description), 'bin', 'node');
    const { size: bytes, mtimeMs } = await stat(file);
    let known = this.#hashes.get(file);
    if (known === undefined || known.mtimeMs !== mtimeMs || known.bytes !== bytes) {
      known = { mtimeMs, bytes, hash: await hashOf(file) };
      this.#hashes.set(file, known);
    }
    return { file, bytes, hash: known.hash, version: `v${require(description).version}` };
  }

  /** @returns a file with the runtime compressed by gzip; it is made once, a third as large in two seconds. */
  compressed(runtime: Runtime): Promise<string> {
    const file = join(this.#folder, `${runtime.hash}.gz`);
    let making = this.#compressing.get(file);
    if (making === undefined) {
      making = compress(runtime.file, file);
      this.#compressing.set(file, making);
      // What could not be made is made when it is wanted again.
      making.catch(() => this.#compressing.delete(file));
    }
    return making;
  }
}

async function compress(from: string, to: string): Promise<string> {
  if ((await stat(to).catch(() => undefined)) !== undefined) return to;
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  const gzip = createGzip({ level: constants.Z_BEST_SPEED });
  await pipeline(createReadStream(from), gzip, createWriteStream(`${to}.partial`));
  await rename(`${to}.partial`, to);
  return to;
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
