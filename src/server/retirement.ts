import { type HostChange, type HostList, isAdmitted } from './host-list.ts';
import type { Registry } from './registry.ts';

/**
 * Tells agents to end for good as soon as their hosts are taken offline, or out of the list; and hangs up on those whose
 * token another one has replaced.
 */
export function followList(hosts: HostList, registry: Registry): void {
  hosts.on('change', (changes) => {
    for (const change of changes) {
      const connection = registry.connectionOf(change.host);
      const { after } = change;
      if (after === undefined) connection?.retire('its host was taken out of the list');
      else if (!isAdmitted(after)) connection?.retire('its host is taken offline');
      // Whoever is connected came with an older one: the newer one is first heard of here.
      else if (isRotated(change)) connection?.expire();
    }
  });
}

function isRotated({ before, after }: HostChange): boolean {
  return before !== undefined && (after?.tokenGeneration ?? 0) > (before.tokenGeneration ?? 0);
}
