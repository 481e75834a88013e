import { copyFile, link, open, readdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Has what a file or folder holds on the disk: after a power failure, a name may else be there without its contents. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A folder with everything in it. */
export async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await sync(path);
  }
  await sync(folder);
}

/** Whatever happens, the file has its old contents afterwards or these. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const handle = await open(`${path}.partial`, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${path}.partial`, path);
  await sync(dirname(path));
}

/** Whatever happens, the symbolic link has its old target afterwards or this one. */
export async function linkDurably(path: string, target: string): Promise<void> {
  await rm(`${path}.partial`, { force: true });
  await symlink(target, `${path}.partial`);
  await rename(`${path}.partial`, path);
  await sync(dirname(path));
}

/** Gives a file another name, or the name a copy of its own where the file system knows no hard links. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyFile(from, to));
}

/** It is gone, also after a power failure. */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { force: true });
  await sync(dirname(path));
}
