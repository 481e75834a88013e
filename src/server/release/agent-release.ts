import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeAgentBundle } from './bundle.ts';
import { bringKoffi } from './native.ts';

/** What an agent is beside its runtime: one folder for one kind of machine. */
export interface AgentRelease {
  folder: string;
  /** Of the names and contents of all files; two with the same hash are the same. */
  hash: string;
  files: ReleaseFile[];
}

export interface ReleaseFile {
  /** Within the folder: `agent.mjs`. */
  path: string;
  bytes: number;
}

/** The file of a release that is run. */
export const AGENT_FILE = 'agent.mjs';

/**
 * Fills a folder of its own with the agent and what it loads.
 * @param architecture as Node.js names it.
 * @param foreignFolder is one in which npm has installed packages for machines of that kind.
 * @throws what the file system or the bundler throws.
 */
export async function makeRelease(folder: string, architecture: string, foreignFolder: string): Promise<AgentRelease> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const agent = join(folder, AGENT_FILE);
  // The package brings the bundle along, a checkout makes it.
  const packed = fileURLToPath(new URL('.', import.meta.url));
  if (!existsSync(join(packed, AGENT_FILE))) await writeAgentBundle(agent);
  else
    for (const name of readdirSync(packed))
      if (/^agent(-[\w-]+)?\.mjs$/.test(name)) copyFileSync(join(packed, name), join(folder, name));
  bringKoffi(folder, architecture, foreignFolder);
  const hash = createHash('sha256');
  const files = filesBelow(folder).map((path): ReleaseFile => {
    const content = readFileSync(join(folder, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
    return { path, bytes: content.length };
  });
  return { folder, hash: hash.digest('hex'), files };
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}
