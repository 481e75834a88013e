import type { MeshServer } from '../../store/fleet.ts';
import type { Verdict } from './verdict.ts';

/** A server says every 3 s that it lives. */
export const SILENT_MS = 10_000;

/** Which servers of the mesh are gone; one that ended as it should is not listed any more. */
export function judgeServers(servers: readonly MeshServer[]): Verdict[] {
  return servers.map(({ name, silentMs }) => {
    const isWell = silentMs <= SILENT_MS;
    const text = isWell ? 'server lives again' : `server is silent for ${Math.round(silentMs / 1000)} s`;
    return { host: name, kind: 'server', isWell, text };
  });
}
