import { chmod, mkdir, readlink, rename, rm, statfs, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Manifest, Upgrade } from '../../protocol/release.ts';
import { linkOrCopy, sync, syncTree, writeDurably } from './durable.ts';
import type { WantedFile } from './files.ts';
import { type Installation, RELEASE } from './installation.ts';
import { UpgradeError } from './upgrade-error.ts';

/** An outbox and a log need room too. */
const SPARE_BYTES = 32 * 1024 * 1024;

/** @throws UpgradeError when the disk has no room for what is lacking. */
export async function checkRoom({ releases }: Installation, lacking: readonly WantedFile[]): Promise<void> {
  const { bavail, bsize } = await statfs(releases);
  const wanted = lacking.reduce((sum, { bytes }) => sum + bytes, SPARE_BYTES);
  if (bavail * bsize < wanted) {
    const mb = (bytes: number): number => Math.ceil(bytes / 1e6);
    throw new UpgradeError(`the disk of this host has ${mb(bavail * bsize)} MB left, and it takes ${mb(wanted)}`);
  }
}

/**
 * Puts a release together beside the others and gives it its name once all of it is on the disk. One that was there under
 * that name, of another act, is replaced; it must not be the current one.
 * @param sources where the file with each SHA-256 lies, verified.
 * @returns its folder.
 */
export async function assemble(
  installation: Installation,
  manifest: Manifest,
  signed: Pick<Upgrade, 'manifest' | 'signature'>,
  sources: ReadonlyMap<string, string>,
): Promise<string> {
  const folder = join(installation.releases, manifest.hash);
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true, mode: 0o700 });
  for (const { path, sha256 } of manifest.files) {
    const target = join(partial, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await linkOrCopy(sourceOf(sources, sha256), target);
  }
  await writeDurably(join(partial, RELEASE.manifest), signed.manifest);
  await writeDurably(join(partial, RELEASE.signature), signed.signature);
  await symlink(await nodeTarget(installation, manifest, sources), join(partial, RELEASE.node));
  await syncTree(partial);
  // A folder that is not empty cannot be replaced at once. In between no release has that name, and none needs it.
  await rm(`${folder}.old`, { recursive: true, force: true });
  await rename(folder, `${folder}.old`).catch(ignoreAbsence);
  await rename(partial, folder);
  await sync(installation.releases);
  await rm(`${folder}.old`, { recursive: true, force: true });
  return folder;
}

/** Where the release finds its Node.js, from its own folder. */
async function nodeTarget(
  { current, runtimes }: Installation,
  { runtime }: Manifest,
  sources: ReadonlyMap<string, string>,
): Promise<string> {
  // The host's own, or whatever the release that runs now runs on.
  if (runtime === undefined) return readlink(join(current, RELEASE.node));
  const node = join(runtimes, runtime.sha256, 'node');
  const source = sourceOf(sources, runtime.sha256);
  if (source !== node) {
    await mkdir(dirname(node), { recursive: true, mode: 0o700 });
    await rm(`${node}.partial`, { force: true });
    await linkOrCopy(source, `${node}.partial`);
    await rename(`${node}.partial`, node);
  }
  await chmod(node, 0o700);
  for (const path of [node, dirname(node), runtimes]) await sync(path);
  return join('../../runtime', runtime.sha256, 'node');
}

function sourceOf(sources: ReadonlyMap<string, string>, sha256: string): string {
  const source = sources.get(sha256);
  if (source === undefined) throw new Error(`no source of ${sha256}`);
  return source;
}

function ignoreAbsence(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
}
