import { rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { AlertAccess } from '../alert-channel/access.ts';
import { LAYOUT, readAgentSettings } from '../server/deploy/agent-settings.ts';

const LOG_BYTES = 5 * 1024 * 1024;

/** An agent's circumstances, wherever they are written. */
export interface AgentSetup {
  host: string;
  version: string;
  servers: readonly string[];
  tokenFile: string;
  /** The servers' certificate; undefined: its authority vouches for it. */
  pin: () => string | undefined;
  /** For the moment in which no server is left. */
  alerts: AlertAccess | undefined;
  dataDir: string;
  logFile: string;
  logBytes: number;
  /** Gets the agent's pid while it works; undefined: nobody asks for it. */
  pidFile: string | undefined;
}

/** Of an agent that a server has put into a folder of this host. @throws Problem */
export function deployedSetup(folder: string): AgentSetup {
  const settings = readAgentSettings(folder);
  if (settings.path !== undefined) process.env.PATH = settings.path;
  const at = (path: string): string => join(resolve(folder), path);
  return {
    host: settings.host,
    version: settings.version,
    servers: settings.servers,
    tokenFile: at(LAYOUT.token),
    pin: () => settings.pin,
    alerts: settings.alerts,
    dataDir: at(LAYOUT.data),
    logFile: at(LAYOUT.log),
    logBytes: LOG_BYTES,
    pidFile: at(LAYOUT.pid),
  };
}

/** Says that the agent works. @throws what the file system throws. */
export function writePid(file: string): void {
  writeFileSync(file, `${process.pid}\n`, { mode: 0o600 });
}

/** Says that the agent has ended because it was told to. */
export function removePid(file: string): void {
  rmSync(file, { force: true });
}
