import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
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
    const koffi = koffiFolder();
    const native = `@koromix/koffi-${process.platform}-${architecture}`;
    const installed = join(koffi, '..', native);
    const from =
      foreignFolder === undefined || existsSync(installed) ? installed : join(foreignFolder, 'node_modules', native);
    // A native part of another version is refused when it is loaded.
    if (versionOf(from) !== versionOf(koffi)) return;
    copyFiles(koffi, join(packages, 'koffi'), KOFFI_FILES);
    copyFiles(from, join(packages, native), nativeFiles(architecture));
  } catch (error) {
    if (!isAbsence(error)) throw error;
    rmSync(packages, { recursive: true, force: true });
  }
}

/** What is brought of koffi whatever the kind of machine, and where it lies; nothing where it is not installed. */
export function koffiFiles(): { path: string; file: string }[] {
  try {
    const folder = koffiFolder();
    return KOFFI_FILES.map((path) => ({ path: `koffi/${path}`, file: join(folder, path) }));
  } catch (error) {
    if (!isAbsence(error)) throw error;
    return [];
  }
}

function koffiFolder(): string {
  return dirname(createRequire(import.meta.url).resolve('koffi'));
}

function versionOf(folder: string): unknown {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
}

function isAbsence(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'MODULE_NOT_FOUND' || code === 'ENOENT';
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
