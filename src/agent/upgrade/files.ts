import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Manifest } from '../../protocol/release.ts';
import type { Installation } from './installation.ts';

/** A file as a manifest tells of it. */
export interface WantedFile {
  /** For people: `agent.mjs`. */
  name: string;
  bytes: number;
  sha256: string;
}

/** All that a release wants, each once, its runtime last: what is small shows first whether the way works. */
export function filesOf({ files, runtime }: Manifest): WantedFile[] {
  const all = files.map(({ path, bytes, sha256 }) => ({ name: path, bytes, sha256 }));
  if (runtime) all.push({ name: `Node.js ${runtime.version}`, bytes: runtime.bytes, sha256: runtime.sha256 });
  return [...new Map(all.map((file) => [file.sha256, file])).values()];
}

/** Small enough that hashing one is over before anybody waits for it. */
const PIECE_BYTES = 256 * 1024;

/** @returns SHA-256, 64 digits; the loop is never held up, however large the file. */
export async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: PIECE_BYTES }), hash);
  return hash.digest('hex');
}

/**
 * Which of the wanted files this host has already, in any release or runtime. What is there is read and hashed: no disk
 * is believed, but for the runtime that this process runs on, which would take a tenth of a second and more of CPU.
 */
export async function findLocal(
  { releases, runtimes }: Installation,
  wanted: readonly WantedFile[],
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const sizes = new Set(wanted.map(({ bytes }) => bytes));
  const hashes = new Set(wanted.map(({ sha256 }) => sha256));
  for (const path of [...(await filesBelow(releases)), ...(await filesBelow(runtimes))]) {
    const { size } = await stat(path);
    if (!sizes.has(size)) continue;
    const sha256 = path === process.execPath ? basename(dirname(path)) : await hashOf(path);
    if (hashes.has(sha256)) found.set(sha256, path);
  }
  return found;
}

/** Not what is still coming, nor what was left half-made and is taken away. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const below = entries
    .filter(({ name }) => !name.startsWith('.') && !name.endsWith('.partial'))
    .map(async (entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesBelow(path);
      return entry.isFile() ? [path] : [];
    });
  return (await Promise.all(below)).flat();
}
