import type { IncomingMessage } from 'node:http';
import { AGENT_PATH, LIVE_PATH, OPERATE_PATH, SUBPROTOCOL } from '../protocol/message.ts';
import {
  bearerToken,
  type HostList,
  isSame,
  type Role,
  type Secrets,
  type TokenClaim,
  verifyAgentToken,
} from './auth.ts';
import type { RefusalReason } from './refusals.ts';

/** Who may come in. */
export interface Admitted {
  role: Role;
  /** The only host that an agent may speak for. */
  host: string | undefined;
}

/** Who may not. `message` is logged, and told to them. */
export interface TurnedAway {
  status: 400 | 401 | 403 | 404 | 503;
  reason: RefusalReason;
  message: string;
}

const ROLES: ReadonlyMap<string, Role> = new Map([
  [AGENT_PATH, 'agent'],
  [LIVE_PATH, 'viewer'],
  [OPERATE_PATH, 'operator'],
]);

const UNREADY = 'this server cannot read the list of hosts yet, its database is away: try again, or another server';

interface Mesh {
  secrets: Secrets;
  hostList: HostList;
}

/** Judges a request to become a WebSocket by its path, its token and the subprotocols that it offers. */
export function judge({ url, headers }: Pick<IncomingMessage, 'url' | 'headers'>, mesh: Mesh): Admitted | TurnedAway {
  const path = url?.split('?')[0] ?? '';
  const role = ROLES.get(path);
  if (role === undefined) return { status: 404, reason: 'path', message: `unknown path ${path.slice(0, 50)}` };
  const token = bearerToken(headers.authorization);
  const claim = role === 'agent' && token !== undefined ? verifyAgentToken(mesh.secrets.agents, token) : undefined;
  const isProven = role === 'agent' ? claim !== undefined : token !== undefined && isSame(token, mesh.secrets[role]);
  if (!isProven) return { status: 401, reason: 'token', message: `no valid ${role} token` };
  const unheard = claim && voidClaim(claim, mesh.hostList);
  if (unheard !== undefined) return unheard;
  const protocols = headers['sec-websocket-protocol']?.split(',').map((protocol) => protocol.trim());
  if (!protocols?.includes(SUBPROTOCOL))
    return { status: 400, reason: 'subprotocol', message: `the subprotocol ${SUBPROTOCOL} is not offered` };
  if (claim !== undefined && claim.generation !== mesh.hostList.generationOf(claim.host))
    mesh.hostList.rotated(claim.host, claim.generation);
  return { role, host: claim?.host };
}

/** A token of the generation that comes next has just been brought to its host. */
function voidClaim({ host, generation }: TokenClaim, hostList: HostList): TurnedAway | undefined {
  // Not 403: that would be for good, and another server may know the host.
  if (!hostList.isRead) return { status: 503, reason: 'unready', message: UNREADY };
  const current = hostList.generationOf(host);
  if (current === undefined)
    return { status: 403, reason: 'host', message: `${host} is not a host of this mesh: procmesh hosts add ${host}` };
  if (generation === current || generation === current + 1) return undefined;
  return { status: 403, reason: 'generation', message: `this token of ${host} is void: another was made since` };
}
