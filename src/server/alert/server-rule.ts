import type { MeshServer } from '../../store/fleet.ts';
import { isAlive } from '../alive.ts';
import type { Verdict } from './verdict.ts';

/** Which servers of the mesh are gone; one that ended as it should is not listed any more. */
export function judgeServers(servers: readonly MeshServer[]): Verdict[] {
  return servers.map((server) => {
    const { name, silentMs } = server;
    const isWell = isAlive(server);
    const text = isWell ? 'server lives again' : `server is silent for ${Math.round(silentMs / 1000)} s`;
    return { host: name, kind: 'server', isWell, text };
  });
}
