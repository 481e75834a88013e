import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../problem.ts';
import { AGENT_PATH, LIVE_PATH, OPERATE_PATH } from '../protocol/message.ts';
import { agentToken, type TokenClaim, tokenFile } from '../server/auth.ts';
import { parseHostAddress } from '../server/host-address.ts';
import { ISTATE } from '../store/fleet.ts';
import type { FleetState } from '../store/fleet-state.ts';
import { knock } from './knock.ts';

/** What the servers of one mesh have in common, as this machine has it. */
export interface SharedSecrets {
  viewer: string;
  operator: string;
  agents: Buffer;
}

/** What a server has otherwise than this machine. */
export interface Difference {
  /** Names of files below the data folder that hold something else there. */
  files: string[];
  /** A host that is listed here and not there. */
  unlisted: string | undefined;
}

/** @returns undefined where a server has not made them yet. @throws Problem when they may not be read. */
export function readSharedSecrets(dataDir: string): SharedSecrets | undefined {
  const viewer = read(tokenFile(dataDir, 'viewer'));
  const operator = read(tokenFile(dataDir, 'operator'));
  const agents = read(join(dataDir, 'agents.secret'));
  if (viewer === undefined || operator === undefined || agents === undefined) return undefined;
  return { viewer, operator, agents: Buffer.from(agents, 'base64url') };
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : cause;
    if (code === 'ENOENT') return undefined;
    throw new Problem('ERR_TOKEN', `${file} cannot be read (${code}): run as the user who runs the server`, { cause });
  }
}

/**
 * A host whose agent is let in by all servers, so that a token made for it shows whether they have our secret: without a
 * word after it nobody takes the connection for the agent's. Undefined: none is listed.
 */
export function listedClaim(fleet: FleetState | undefined): TokenClaim | undefined {
  for (const { rshost, istate, tokenGeneration = 0 } of fleet?.hosts ?? []) {
    const host = parseHostAddress(rshost)?.host;
    if (host !== undefined && (istate === ISTATE.running || istate === ISTATE.bringOnline))
      return { host, generation: tokenGeneration };
  }
  return undefined;
}

/** Tries them at a server. @throws UntrustedError, or what the network says. */
export async function compareSecrets(
  { url, pin }: { url: string; pin: string | undefined },
  { viewer, operator, agents }: SharedSecrets,
  claim: TokenClaim | undefined,
): Promise<Difference> {
  const [asViewer, asOperator, asAgent] = await Promise.all([
    knock(url, LIVE_PATH, viewer, pin),
    knock(url, OPERATE_PATH, operator, pin),
    claim === undefined ? undefined : knock(url, AGENT_PATH, agentToken(agents, claim), pin),
  ]);
  const files: string[] = [];
  if (asViewer === 401) files.push('viewer.token');
  if (asOperator === 401) files.push('operator.token');
  if (asAgent === 401) files.push('agents.secret');
  return { files, unlisted: asAgent === 403 ? claim?.host : undefined };
}
