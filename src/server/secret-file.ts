import { randomUUID } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Problem } from '../problem.ts';

/**
 * What is in a file of secrets, which is closed to others if somebody opened it; undefined where there is none.
 * @throws Problem when it cannot be read.
 */
export function readSecretFile(file: string): string | undefined {
  try {
    chmodSync(file, 0o600);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw unusable(file, error);
  }
}

/**
 * Makes a file of secrets that is there whole or not at all. @returns what is in it: of several who make it at the same
 * time all have what the first one put there. @throws Problem when the folder or the file cannot be used.
 */
export function createSecretFile(file: string, text: string): string {
  try {
    return placed(file, text, (draft) => {
      try {
        linkSync(draft, file);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      }
      return readFileSync(file, 'utf8');
    });
  } catch (cause) {
    throw unusable(file, cause);
  }
}

/** Puts another text in a file's place, at once. @throws Problem when the folder or the file cannot be used. */
export function replaceSecretFile(file: string, text: string): void {
  try {
    placed(file, text, (draft) => renameSync(draft, file));
  } catch (cause) {
    throw unusable(file, cause);
  }
}

function placed<Result>(file: string, text: string, place: (draft: string) => Result): Result {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomUUID()}`;
  try {
    writeFileSync(draft, text, { mode: 0o600, flag: 'wx' });
    return place(draft);
  } finally {
    rmSync(draft, { force: true });
  }
}

function unusable(file: string, cause: unknown): Problem {
  const code = cause instanceof Error && 'code' in cause ? cause.code : cause;
  return new Problem(
    'ERR_DATA_DIR',
    `${file} cannot be read or written (${code}): set [global] data_dir to a folder of this user's own`,
    { exitCode: 2, cause },
  );
}
