import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AGENT_NODE_OPTIONS } from './agent-process.ts';
import { writeAgentBundle } from './bundle.ts';
import { bringKoffi, koffiFiles } from './native.ts';

/** What an agent is beside its runtime: one folder for one kind of machine. */
export interface AgentRelease {
  folder: string;
  /** What the release is known by, on every kind of machine. */
  hash: string;
  files: ReleaseFile[];
}

export interface ReleaseFile {
  /** Within the folder: `agent.mjs`. */
  path: string;
  bytes: number;
  sha256: string;
}

/** The file of a release that is run. */
export const AGENT_FILE = 'agent.mjs';
/** Options of Node.js that it is run with, one a line. */
export const NODE_OPTIONS_FILE = 'node-options';

const isProgram = (name: string): boolean => /^agent(-[\w-]+)?\.mjs$/.test(name) || name === NODE_OPTIONS_FILE;

/**
 * Fills a folder of its own with the agent and what it loads.
 * @param architecture as Node.js names it.
 * @param foreignFolder is one in which npm has installed packages for machines of that kind.
 * @param program a folder with the same release for machines of another kind; without it, the code that runs here.
 * @throws what the file system or the bundler throws.
 */
export async function makeRelease(
  folder: string,
  architecture: string,
  foreignFolder: string,
  program?: string,
): Promise<ReleaseFile[]> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // The package brings the bundle along, a checkout makes it.
  const packed = program ?? fileURLToPath(new URL('.', import.meta.url));
  if (!existsSync(join(packed, AGENT_FILE))) await writeAgentBundle(join(folder, AGENT_FILE));
  else
    for (const name of readdirSync(packed)) if (isProgram(name)) copyFileSync(join(packed, name), join(folder, name));
  if (program === undefined) writeFileSync(join(folder, NODE_OPTIONS_FILE), `${AGENT_NODE_OPTIONS.join('\n')}\n`);
  bringKoffi(folder, architecture, foreignFolder);
  return filesOf(folder);
}

/** By path. */
export function filesOf(folder: string): ReleaseFile[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort()
    .map((path) => {
      const content = readFileSync(join(folder, path));
      return { path, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
    });
}

/**
 * SHA-256 of what is the same on every kind of machine: names and contents of the agent's own files, and of koffi's,
 * whether or not there is a native part for one; and the version of the runtime.
 */
export function releaseHash(files: readonly ReleaseFile[], runtimeVersion: string): string {
  const hash = createHash('sha256').update(`${runtimeVersion}\n`);
  for (const { path, sha256 } of files) if (isProgram(path)) hash.update(`${path} ${sha256}\n`);
  for (const { path, file } of koffiFiles())
    hash.update(`${path} ${createHash('sha256').update(readFileSync(file)).digest('hex')}\n`);
  return hash.digest('hex');
}
