import type { Manifest, RunningRelease } from '../../protocol/release.ts';
import type { Installation } from './installation.ts';
import { readFailure, readTrial } from './trial.ts';

/** What an agent has to say of the release that it is. */
export function runningRelease(running: Manifest, installation: Installation): RunningRelease {
  const { hash, serial, architecture, runtime } = running;
  const failed = readFailure(installation);
  return {
    hash,
    serial,
    architecture,
    ...(runtime === undefined && { hasOwnNode: true }),
    ...(readTrial(installation)?.hash === hash && { isOnTrial: true }),
    ...(failed && { failed }),
  };
}
