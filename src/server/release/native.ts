import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** What Node.js loads of koffi, and of the package that holds its native part for one kind of machine. */
const KOFFI_FILES = ['package.json', 'index.cjs', 'src/koffi/index.cjs', 'src/koffi/src/static.cjs'];
const nativeFiles = (architecture: string): string[] => [
  'package.json',
  'index.js',
  `${process.platform}_${architecture}/koffi.node`,
];

/**
 * Puts koffi, by which the agent calls the kernel, into a `node_modules` folder beside the agent's bundle. Where it is
 * not installed, or not made for this kind of machine, there is no such folder then, and the agent says so itself.
 * @param foreignFolder is one in which npm has installed the native part for machines of another kind.
 * @throws what the file system throws, other than absence.
 */
export function bringKoffi(folder: string, architecture: string = process.arch, foreignFolder?: string): void {
  const packages = join(folder, 'node_modules');
  try {
    const koffi = dirname(createRequire(import.meta.url).resolve('koffi'));
    const native = `@koromix/koffi-${process.platform}-${architecture}`;
    copyFiles(koffi, join(packages, 'koffi'), KOFFI_FILES);
    const installed = join(koffi, '..', native);
    const from =
      foreignFolder === undefined || existsSync(installed) ? installed : join(foreignFolder, 'node_modules', native);
    copyFiles(from, join(packages, native), nativeFiles(architecture));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'MODULE_NOT_FOUND' && code !== 'ENOENT') throw error;
    rmSync(packages, { recursive: true, force: true });
  }
}

/** Replaces every file whole: a running agent may have the old one mapped into its memory. */
function copyFiles(from: string, to: string, files: readonly string[]): void {
  for (const file of files) {
    const target = join(to, file);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(from, file), `${target}.partial`);
    renameSync(`${target}.partial`, target);
  }
}
