import { readdirSync, readlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Installation, RELEASE } from './installation.ts';

/** Takes away all releases but these, the runtimes that none of them runs on, and what was left half-made. */
export async function prune({ releases, runtimes }: Installation, kept: readonly string[]): Promise<void> {
  for (const name of namesIn(releases))
    if (!kept.includes(name)) await rm(join(releases, name), { recursive: true, force: true });
  const used = kept.map((hash) => runtimeOf(join(releases, hash)));
  for (const name of namesIn(runtimes))
    if (!used.includes(name)) await rm(join(runtimes, name), { recursive: true, force: true });
}

/** @returns undefined when it runs on the host's own. */
function runtimeOf(release: string): string | undefined {
  try {
    return basename(dirname(readlinkSync(join(release, RELEASE.node))));
  } catch {
    return undefined;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
