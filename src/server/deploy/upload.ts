import type { SFTPWrapper } from 'ssh2';
import { Problem } from '../../problem.ts';
import type { SshConnection } from './connection.ts';

export interface Upload {
  /** Here. */
  from: string;
  /** There, in a folder that is there. */
  to: string;
}

/** Without a single answer for so long, the host is given up. */
const STALLED_MS = 30_000;
/** Requests of 32 KiB that are on their way at once: 2 MiB fill 100 Mbit/s over 160 ms. */
const REQUESTS = 64;
const FILES = 4;

/**
 * Copies files, each only for its owner to read.
 * @throws Problem; `ERR_DEPLOY_WRITE` when the host could not write one, which it does not say why.
 */
export async function uploadAll(connection: SshConnection, uploads: readonly Upload[]): Promise<void> {
  const sftp = await connection.sftp();
  try {
    const waiting = [...uploads];
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await put(connection, sftp, next);
    };
    await Promise.all(Array.from({ length: FILES }, worker));
  } finally {
    sftp.end();
  }
}

function put(connection: SshConnection, sftp: SFTPWrapper, { from, to }: Upload): Promise<void> {
  return connection.step(STALLED_MS, (resolve, reject, goOn) => {
    sftp.fastPut(from, to, { concurrency: REQUESTS, mode: 0o600, step: goOn }, (error) => {
      if (!error) resolve();
      // Of SFTP's codes (draft-ietf-secsh-filexfer-02, 7) those up to 7 are of files, the others of connections.
      else if ('code' in error && typeof error.code === 'number' && error.code <= 5)
        reject(new Problem('ERR_DEPLOY_WRITE', `it cannot write ${to} (${error.message})`, { cause: error }));
      else reject(error);
    });
  });
}
