import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { agentToken, ensureSecrets } from '../../src/server/auth.ts';

/** Writes the token of a host that the server with this data folder takes, beside its secrets. @returns the file. */
export function writeToken(dataDir: string, host: string): string {
  const file = join(dataDir, `${host}.token`);
  const { agents } = ensureSecrets(dataDir, hostname());
  writeFileSync(file, `${agentToken(agents, { host, generation: 0 })}\n`);
  return file;
}
