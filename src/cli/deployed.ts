import { rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  currentRelease,
  type Installation,
  installationIn,
  RELEASE,
  readManifest,
} from '../agent/upgrade/installation.ts';
import type { AlertAccess } from '../alert-channel/access.ts';
import { Problem } from '../problem.ts';
import type { Manifest } from '../protocol/release.ts';
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
  /** What a server may upgrade; undefined: it was started by hand, or by a server that knew no upgrades. */
  installed: Installed | undefined;
}

/** A release that runs from a folder of this host. */
export interface Installed {
  installation: Installation;
  running: Manifest;
  releaseKey: string;
}

/** Of an agent that a server has put into a folder of this host. @throws Problem */
export function deployedSetup(folder: string): AgentSetup {
  const settings = readAgentSettings(folder);
  if (settings.path !== undefined) process.env.PATH = settings.path;
  const at = (path: string): string => join(resolve(folder), path);
  const installation = installationIn(resolve(folder));
  const running = currentRelease(installation);
  const { releaseKey } = settings;
  const version = readManifest(installation.current)?.version ?? settings.version;
  if (version === undefined)
    throw new Problem(
      'ERR_DEPLOYED',
      `the manifest ${join(installation.current, RELEASE.manifest)} cannot be read: have the server deploy this host again`,
      { exitCode: 2 },
    );
  return {
    host: settings.host,
    version,
    servers: settings.servers,
    tokenFile: at(LAYOUT.token),
    pin: () => settings.pin,
    alerts: settings.alerts,
    dataDir: at(LAYOUT.data),
    logFile: at(LAYOUT.log),
    logBytes: LOG_BYTES,
    pidFile: at(LAYOUT.pid),
    installed: running === undefined || releaseKey === undefined ? undefined : { installation, running, releaseKey },
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
