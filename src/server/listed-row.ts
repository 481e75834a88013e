import type { UpgradePhase } from '../protocol/release.ts';
import type { HostRow } from '../protocol/row.ts';
import { ISTATE } from '../store/fleet.ts';
import type { ListedHost } from './host-list.ts';

const WAITING = 'waits for its turn';

/**
 * What the list of hosts says, over what the host's own connection tells.
 * @param row of this server: it is connected here when that names a server.
 * @param isConnected to another server, by the notes of the store.
 */
export function listedRow(row: HostRow, listed: ListedHost, isConnected: boolean): HostRow {
  const { istate, fault, failure, phase } = listed;
  if (fault !== undefined) return { ...row, status: 'failed', message: fault };
  switch (istate) {
    case ISTATE.bringOnline:
      if (failure !== undefined) return { ...row, status: 'failed', message: failure };
      return { ...row, status: 'deploying', message: phase ?? WAITING };
    case ISTATE.takeOffline:
      if (failure !== undefined) return { ...row, status: 'failed', message: failure };
      return { ...row, status: 'retired', message: phase ?? WAITING };
    case ISTATE.offline:
      return { ...row, status: 'retired', message: undefined };
    case ISTATE.running:
      return upgraded(row.server === undefined ? elsewhere(row, listed, isConnected) : row, listed);
  }
}

const UPGRADE_STEPS: { [phase in UpgradePhase]?: string } = {
  receiving: 'receives a release',
  testing: 'tests a release',
  trial: 'has a release on trial',
};

/** A host whose agent is gone is on its way only if it has gone to begin with the release. */
function upgraded(row: HostRow, { upgrade, upgradeFailure }: ListedHost): HostRow {
  if (upgrade === 'failed') return { ...row, message: `not upgraded: ${upgradeFailure ?? 'it gives no reason'}` };
  const step = upgrade && UPGRADE_STEPS[upgrade];
  if (step === undefined || (row.status === 'offline' && upgrade !== 'trial')) return row;
  return { ...row, status: 'upgrading', message: step };
}

function elsewhere(row: HostRow, { server, version, disconnectedMs }: ListedHost, isConnected: boolean): HostRow {
  const known: HostRow = { ...(version !== undefined && { version }), ...row };
  if (isConnected && server !== undefined)
    return { ...known, status: 'online', server, message: `connected to ${server}` };
  if (known.lastSeenAt === undefined && disconnectedMs !== undefined)
    known.lastSeenAt = new Date(disconnectedMs).toISOString();
  return known;
}
