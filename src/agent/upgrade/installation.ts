import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Manifest, manifestSchema } from '../../protocol/release.ts';

/** Where everything that an upgrade touches lies in the folder that an agent is installed in. */
export interface Installation {
  folder: string;
  /** The link to the release that is started; it alone decides. */
  current: string;
  /** `releases/HASH`, whole or not there. */
  releases: string;
  /** Files that have not come whole yet, by their SHA-256. */
  incoming: string;
  /** `runtime/SHA256/node`. */
  runtimes: string;
  /** Both in the data folder; see `Trial`. */
  trial: string;
  failed: string;
}

/** In the folder of a release, beside what its manifest lists. */
export const RELEASE = {
  agent: 'agent.mjs',
  /** Options of Node.js, one on each line. */
  options: 'node-options',
  manifest: 'manifest.json',
  signature: 'manifest.sig',
  /** The link to the Node.js that it runs on. */
  node: 'node',
} as const;

export function installationIn(folder: string): Installation {
  const at = (path: string): string => join(folder, path);
  return {
    folder,
    current: at('current'),
    releases: at('releases'),
    incoming: at('releases/.incoming'),
    runtimes: at('runtime'),
    trial: at('data/trial'),
    failed: at('data/failed'),
  };
}

/** @returns undefined when there is none in that folder that can be read. */
export function readManifest(release: string): Manifest | undefined {
  try {
    return manifestSchema.parse(JSON.parse(readFileSync(join(release, RELEASE.manifest), 'utf8')));
  } catch {
    return undefined;
  }
}

/** What is to be started, which an agent that starts is itself. @returns undefined where no release is installed. */
export function currentRelease({ current }: Installation): Manifest | undefined {
  const manifest = readManifest(current);
  return manifest !== undefined && linkedHash(current) === manifest.hash ? manifest : undefined;
}

/** @returns the hash of the newest release that is older than the one that runs: the one to go back to. */
export function previousRelease({ releases }: Installation, running: Manifest): string[] {
  const older = readdirSync(releases)
    .map((name) => readManifest(join(releases, name)))
    .filter((manifest) => manifest !== undefined && manifest.serial < running.serial) as Manifest[];
  const [previous] = older.sort((a, b) => b.serial - a.serial);
  return previous === undefined ? [] : [previous.hash];
}

function linkedHash(link: string): string | undefined {
  try {
    return basename(readlinkSync(link));
  } catch {
    return undefined;
  }
}

/** How an agent is started: by the launcher, for its self-test, and in place of the one before. @throws what the file system throws. */
export function command(installation: Installation, release: string): { node: string; agent: string; args: string[] } {
  const options = readFileSync(join(release, RELEASE.options), 'utf8').split('\n').filter(Boolean);
  const agent = join(release, RELEASE.agent);
  return { node: join(release, RELEASE.node), agent, args: [...options, agent, '--deployed', installation.folder] };
}
