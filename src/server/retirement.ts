import { type HostChange, type HostList, isAdmitted } from './host-list.ts';
import type { Registry } from './registry.ts';

/**
 * Tells agents to end for good as soon as their hosts are taken offline; and hangs up on those whose token another one has
 * replaced, or whose row is gone: they keep what they measure and are let in when it is back, for a list that somebody
 * emptied by mistake must not end a fleet.
 */
export function followList(hosts: HostList, registry: Registry): void {
  hosts.on('change', (changes) => {
    for (const change of changes) {
      const connection = registry.connectionOf(change.host);
      const { after } = change;
      if (after === undefined) connection?.expire('its host is not listed any more');
      else if (!isAdmitted(after)) connection?.retire('its host is taken offline');
      // Whoever is connected came with an older one: the newer one is first heard of here.
      else if (isRotated(change)) connection?.expire('its token was replaced');
    }
  });
}

function isRotated({ before, after }: HostChange): boolean {
  return before !== undefined && (after?.tokenGeneration ?? 0) > (before.tokenGeneration ?? 0);
}
