import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

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

/** A runtime that is installed, not read yet. */
export interface InstalledRuntime {
  file: string;
  version: string;
}

/**
 * Finds the runtime that is installed beside this program, or for other machines where somebody has put it.
 * @param foreignFolder is one in which npm has installed packages for machines of that kind.
 * @returns undefined where there is none for such machines.
 */
export function findRuntime(architecture: string, foreignFolder: string): InstalledRuntime | undefined {
  const require = createRequire(import.meta.url);
  try {
    const paths = [import.meta.dirname, foreignFolder];
    const description = require.resolve(`node-linux-${architecture}/package.json`, { paths });
    // Not by `require`, which would go on giving what was installed when it was asked first.
    const { version } = JSON.parse(readFileSync(description, 'utf8'));
    return { file: join(dirname(description), 'bin', 'node'), version: `v${version}` };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    // Where it lies is remembered, though it may have been taken away meanwhile.
    if (code === 'MODULE_NOT_FOUND' || code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Reads it whole, 150 MB, off the event loop. @throws what the file system throws. */
export async function readRuntime({ file, version }: InstalledRuntime): Promise<Runtime> {
  const { size: bytes } = await stat(file);
  return { file, bytes, hash: await hashOf(file), version };
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
