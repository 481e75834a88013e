import { Problem } from '../problem.ts';
import type { StoreErrorCode } from './store.ts';

/** Primary result codes, https://sqlite.org/rescode.html; extended ones carry them in the low byte. */
const PROBLEMS: Record<number, [StoreErrorCode, string]> = {
  3: ['ERR_STORE_ACCESS', 'may not be read and written: give its folder and files to the user procmesh runs as'],
  5: ['ERR_STORE_LOCKED', 'is locked by another process: end what else has it open'],
  8: ['ERR_STORE_ACCESS', 'may not be written: give its folder and files to the user procmesh runs as'],
  10: ['ERR_STORE_IO', 'could not be read or written: look for failures of its disk in the kernel log'],
  11: ['ERR_STORE_DAMAGED', 'is damaged: move it away, a new one is made'],
  13: ['ERR_STORE_FULL', 'cannot grow, the disk is full: make room, or lower [global] retention_day'],
  14: ['ERR_STORE_ACCESS', 'cannot be opened: give its folder and files to the user procmesh runs as'],
  26: ['ERR_STORE_DAMAGED', 'is damaged: move it away, a new one is made'],
};

/** No room for the index of the write-ahead log: the one I/O error that means a full disk. */
const SQLITE_IOERR_SHMSIZE = 4874;

const SYSTEM_PROBLEMS: Record<string, number> = { EACCES: 3, EPERM: 3, EROFS: 8, ENOSPC: 13, EDQUOT: 13, EIO: 10 };
/** A folder stands where the file should be, or a file where a folder should be. */
const SYSTEM_CANNOT_OPEN = new Set(['EISDIR', 'ENOTDIR', 'EEXIST', 'ELOOP', 'ENAMETOOLONG', 'ENXIO']);

/** What the user can do about an error of SQLite or of the file system; any other error is handed back as it is. */
export function storeError(file: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof Problem) return error;
  const code = 'code' in error ? String(error.code) : '';
  if (SYSTEM_CANNOT_OPEN.has(code))
    return new Problem(
      'ERR_STORE_ACCESS',
      `${file} cannot be opened (${code}): set [global] data_dir to another folder`,
      { cause: error },
    );
  const problem = PROBLEMS[resultCode(error) ?? SYSTEM_PROBLEMS[code] ?? 0];
  if (problem === undefined) return error;
  return new Problem(problem[0], `${file} ${problem[1]}`, { cause: error });
}

function resultCode(error: Error): number | undefined {
  if (!('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode === SQLITE_IOERR_SHMSIZE ? 13 : error.errcode & 0xff;
}
