import { existsSync } from 'node:fs';
import type { FleetHost, MeshServer } from './fleet.ts';
import { MysqlFleet } from './mysql-fleet.ts';
import type { MysqlAddress } from './mysql-sessions.ts';
import { storeError } from './sqlite-errors.ts';
import { openForLooking } from './sqlite-file.ts';
import { SqliteFleet } from './sqlite-fleet.ts';

/** What servers share, at one moment, for who only looks. */
export interface FleetState {
  hosts: FleetHost[];
  servers: MeshServer[];
  /** Who has the lease; undefined when nobody does. */
  holder: string | undefined;
}

/** @throws Problem with a `StoreErrorCode`. */
export async function mysqlFleetState(address: MysqlAddress, lease: string): Promise<FleetState> {
  const fleet = new MysqlFleet(address);
  try {
    // One after the other: where MySQL does not answer, one deadline is waited for.
    const hosts = await fleet.hosts();
    const servers = await fleet.servers();
    return { hosts, servers, holder: await fleet.holder(lease) };
  } finally {
    await fleet.close();
  }
}

/**
 * @returns undefined where no such file is there yet, or an older procmesh has made it. @throws Problem with a
 *   `StoreErrorCode`.
 */
export function sqliteFleetState(file: string, lease: string): FleetState | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const db = openForLooking(file);
    if (db === undefined) return undefined;
    try {
      const fleet = new SqliteFleet(db);
      return { hosts: fleet.hosts(), servers: fleet.servers(), holder: fleet.holder(lease) };
    } finally {
      db.close();
    }
  } catch (error) {
    throw storeError(file, error);
  }
}
