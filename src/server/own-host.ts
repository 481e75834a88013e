import pRetry from 'p-retry';
import { type FleetStore, ISTATE } from '../store/fleet.ts';
import type { HostList } from './host-list.ts';

const RETRY_MS = 1_000;

/** Lists a host whose agent is started by hand, unless it is listed; again and again until the store takes it. */
export async function listByHand(
  host: string,
  { fleet, hosts }: { fleet: FleetStore; hosts: HostList },
  signal: AbortSignal,
): Promise<void> {
  const list = async (): Promise<void> => {
    await hosts.refresh();
    if (hosts.get(host) !== undefined) return;
    await fleet.list([host], ISTATE.running);
    await hosts.refresh();
  };
  await pRetry(list, { retries: Number.POSITIVE_INFINITY, minTimeout: RETRY_MS, factor: 1, signal });
}
