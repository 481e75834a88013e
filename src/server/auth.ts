import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { Problem } from '../problem.ts';
import { createSecretFile, readSecretFile, replaceSecretFile } from './secret-file.ts';

/** Who connects: `viewer` reads, `operator` changes the fleet. */
export type Role = 'agent' | 'viewer' | 'operator';

const SECRET_BYTES = 32;
/** A host name of 255 bytes, a generation and a digest, with room to spare. */
const MAX_TOKEN_LENGTH = 512;

/** What the servers of one mesh share. */
export interface Secrets {
  /** Every agent's token is derived from it. */
  readonly agents: Buffer;
  readonly viewer: string;
  readonly operator: string;
}

/** What an agent's token says, once it is verified. */
export interface TokenClaim {
  host: string;
  /** A whole number from 0; one more with every rotation. */
  generation: number;
}

/** The hosts of the mesh, as a server knows them at the moment. */
export interface HostList {
  /** False as long as the list could not be read: nobody is known to be of the mesh, or not to be. */
  readonly isRead: boolean;
  /** Tokens of older generations are void. @returns undefined for a host that is not listed, or is retired. */
  generationOf(host: string): number | undefined;
  /** An agent has connected with a token of the next generation: from now on it is the host's, and is said so at once. */
  rotated(host: string, generation: number): void;
}

/** File of a token below the data folder; that of `agent` is for the agent of the server's own machine. */
export function tokenFile(dataDir: string, role: Role): string {
  return join(dataDir, `${role}.token`);
}

/**
 * Reads the secrets below the data folder, making those that are not there yet, each readable by its owner alone; and
 * sees to the token of the agent of this machine.
 * @throws Problem when the folder or a file cannot be used.
 */
export function ensureSecrets(dataDir: string, ownHost: string): Secrets {
  const secrets = {
    agents: Buffer.from(ensureSecret(join(dataDir, 'agents.secret')), 'base64url'),
    viewer: ensureSecret(tokenFile(dataDir, 'viewer')),
    operator: ensureSecret(tokenFile(dataDir, 'operator')),
  };
  ensureOwnToken(tokenFile(dataDir, 'agent'), secrets.agents, ownHost);
  return secrets;
}

function ensureSecret(file: string): string {
  const secret = (
    readSecretFile(file) ?? createSecretFile(file, `${randomBytes(SECRET_BYTES).toString('base64url')}\n`)
  ).trim();
  if (secret.length >= 43 && /^[\w-]+$/.test(secret)) return secret;
  throw new Problem('ERR_TOKEN', `${file} holds no token: remove it and a new one is made`, { exitCode: 2 });
}

/** One that is this machine's stays as it is: it may be of a later generation. */
function ensureOwnToken(file: string, secret: Buffer, host: string): void {
  const held = readSecretFile(file)?.trim();
  if (held !== undefined && verifyAgentToken(secret, held)?.host === host) return;
  replaceSecretFile(file, `${agentToken(secret, { host, generation: 0 })}\n`);
}

/** `base64url(host).generation.base64url(HMAC-SHA256(secret, host "\n" generation))`: good for that host alone. */
export function agentToken(secret: Buffer, { host, generation }: TokenClaim): string {
  const proof = createHmac('sha256', secret).update(`${host}\n${generation}`).digest('base64url');
  return `${Buffer.from(host).toString('base64url')}.${generation}.${proof}`;
}

/** The host that an agent's token says it is for, not verified; undefined for what is no such token. */
export function hostOfToken(token: string): string | undefined {
  const [, encoded] = /^([\w-]+)\.\d+\.[\w-]+$/.exec(token) ?? [];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64url').toString();
}

/** @returns undefined for a token that was not derived from this secret; the comparison takes the same time for all. */
export function verifyAgentToken(secret: Buffer, token: string): TokenClaim | undefined {
  const host = hostOfToken(token);
  if (host === undefined || token.length > MAX_TOKEN_LENGTH) return undefined;
  const generation = Number(token.split('.')[1]);
  // Made anew and compared as a whole: each token can be written in one way only.
  return isSame(token, agentToken(secret, { host, generation })) ? { host, generation } : undefined;
}

/** The token of a request, `Authorization: Bearer …`. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer ([\w.~+/=-]+)$/.exec(authorization ?? '')?.[1];
}

/** Compares in constant time. */
export function isSame(offered: string, expected: string): boolean {
  return timingSafeEqual(digest(offered), digest(expected));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
