import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Problem } from '../problem.ts';

/** Who a token speaks for. */
export type Role = 'agent' | 'viewer';

export type Tokens = { readonly [role in Role]: string };

/** File of a role's token below the data folder. */
export function tokenFile(dataDir: string, role: Role): string {
  return join(dataDir, `${role}.token`);
}

/**
 * Reads both tokens, making those that are not there yet; readable by their owner alone.
 * @throws Problem when the folder or a file cannot be used.
 */
export function ensureTokens(dataDir: string): Tokens {
  return { agent: ensureToken(dataDir, 'agent'), viewer: ensureToken(dataDir, 'viewer') };
}

function ensureToken(dataDir: string, role: Role): string {
  const file = tokenFile(dataDir, role);
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    try {
      // `wx` makes it or fails: two servers that start at once end up with the same token.
      writeFileSync(file, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      chmodSync(file, 0o600);
    }
    const token = readFileSync(file, 'utf8').trim();
    if (token.length >= 32) return token;
  } catch (cause) {
    throw new Problem(
      'ERR_DATA_DIR',
      `${file} cannot be written: set [global] data_dir to a folder of this user's own`,
      { exitCode: 2, cause },
    );
  }
  throw new Problem('ERR_TOKEN', `${file} holds no token: remove it and a new one is made`, { exitCode: 2 });
}

/** Whether a request carries the role's token, `Authorization: Bearer …`; compared in constant time. */
export function isAuthorized(request: IncomingMessage, token: string): boolean {
  const offered = /^Bearer ([\w.~+/=-]+)$/.exec(request.headers.authorization ?? '')?.[1];
  return offered !== undefined && timingSafeEqual(digest(offered), digest(token));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
