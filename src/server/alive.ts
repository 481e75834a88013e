import type { MeshServer } from '../store/fleet.ts';

/** A server says every 3 s that it lives (`Duties`); one that has not for so long is taken for dead. */
const DEAD_AFTER_MS = 10_000;

/** Whether a server of the mesh lives, as far as the store knows. */
export function isAlive({ silentMs }: Pick<MeshServer, 'silentMs'>): boolean {
  return silentMs <= DEAD_AFTER_MS;
}
