import { execFileSync } from 'node:child_process';
import { isRoot, missing, missingPackages, type Package } from './support/requirements.ts';

/**
 * Runs before the tests: what they use of Debian has to be there. On a machine for tests alone, as CI says of itself, it
 * is brought; on others only its owner installs something.
 */
const NEEDED: readonly Package[] = [
  ...(['gcc', 'make', 'iproute2', 'nftables', 'util-linux', 'perl', 'mariadb-server'] as const),
  ...(['openssh-server', 'cron', 'busybox', 'systemd'] as const),
];

const wanted = missingPackages(NEEDED);
if (wanted.length > 0 && process.env.CI !== undefined && isRoot()) {
  const options = { stdio: ['ignore', 'inherit', 'inherit'] as ('ignore' | 'inherit')[] };
  execFileSync('apt-get', ['update'], options);
  execFileSync('apt-get', ['install', '--yes', '--no-install-recommends', ...wanted], options);
}
const still = missing(NEEDED);
if (still !== undefined) {
  process.stderr.write(`the tests need programs that are ${still}\n`);
  process.exitCode = 1;
}
