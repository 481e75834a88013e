import { join } from 'node:path';
import { formatAge } from '../../tui/format.ts';
import { clean } from '../../tui/text.ts';
import type { Finding } from '../agent/abilities.ts';
import type { Config } from '../config.ts';
import { Problem } from '../problem.ts';
import { isAlive } from '../server/alive.ts';
import { DUTIES_LEASE, serverOfHolder } from '../server/duties.ts';
import { parseHostAddress } from '../server/host-address.ts';
import { type FleetHost, ISTATE, type MeshServer } from '../store/fleet.ts';
import { type FleetState, mysqlFleetState, sqliteFleetState } from '../store/fleet-state.ts';

/** Of many hosts that failed the others are counted. */
const MAX_REASONS = 3;

/** @returns undefined while there is no store. @throws Problem with a `StoreErrorCode`. */
export async function readFleet({ mysql, dataDir }: Config): Promise<FleetState | undefined> {
  if (mysql !== undefined) return mysqlFleetState(mysql, DUTIES_LEASE);
  return sqliteFleetState(join(dataDir, 'procmesh.db'), DUTIES_LEASE);
}

/** How the servers and hosts of the mesh stand, by what their store says. */
export async function fleetFindings(config: Config, fleet: Promise<FleetState | undefined>): Promise<Finding[]> {
  try {
    const state = await fleet;
    return state === undefined ? [] : [duties(state), hosts(state)];
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    // Of MySQL the check of history says it.
    return config.mysql === undefined ? [{ check: 'fleet', state: 'failed', found: error.message }] : [];
  }
}

function duties({ servers, holder }: FleetState): Finding {
  const check = 'duties';
  const dead = servers.filter((server) => !isAlive(server));
  const alive = servers.length - dead.length;
  const found = [
    holder === undefined ? 'no server does them' : `${serverOfHolder(holder)} does them`,
    `${alive} of ${servers.length} ${servers.length === 1 ? 'server lives' : 'servers live'}`,
    ...dead.map(({ name, silentMs }) => `${name} was last heard of ${formatAge(silentMs)} ago`),
  ].join('; ');
  // Where none runs, and none was cut off, there is nothing to be done: another check tells.
  if (dead.length === 0 && (holder !== undefined || alive === 0)) return { check, state: 'ok', found };
  return { check, state: 'limited', found, mend: dead.length > 0 ? mendDead(dead) : 'wait for 15 s and look again' };
}

function mendDead(dead: readonly MeshServer[]): string {
  const names = dead.map(({ name }) => name).join(', ');
  return `start ${names} again, or delete what is gone for good from tb_monitor_server`;
}

function hosts({ hosts, servers }: FleetState): Finding {
  const check = 'hosts';
  const living = new Set(servers.filter(isAlive).map(({ name }) => name));
  const listed = hosts.filter(({ istate }) => istate !== ISTATE.offline);
  const failed = listed.filter(({ istate, failure }) => istate !== ISTATE.running && failure !== undefined);
  const waiting = listed.filter(({ istate, failure }) => istate !== ISTATE.running && failure === undefined);
  const running = listed.filter(({ istate }) => istate === ISTATE.running);
  const away = running.filter((host) => !isConnected(host, living));
  const counts = [
    `${running.length - away.length} connected`,
    ...(away.length > 0 ? [`${away.length} not connected`] : []),
    ...(waiting.length > 0 ? [`${waiting.length} under way`] : []),
    ...(failed.length > 0 ? [`${failed.length} failed`] : []),
  ].join(', ');
  const [first] = failed;
  if (first === undefined) return { check, state: 'ok', found: listed.length === 0 ? 'none is listed' : counts };
  const reasons = failed.slice(0, MAX_REASONS).map(({ rshost, failure }) => clean(`${rshost}: ${failure}`));
  const found = [counts, ...reasons].join('; ');
  const isName = parseHostAddress(first.rshost) !== undefined;
  const mend = `mend the reason, it is tried again by itself${isName ? `; procmesh doctor --host ${first.rshost} tries now` : ''}`;
  return { check, state: 'limited', found, mend };
}

function isConnected({ server, disconnectedMs }: FleetHost, living: ReadonlySet<string>): boolean {
  return server !== undefined && disconnectedMs === undefined && living.has(server);
}
