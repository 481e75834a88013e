import { statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs by the Debian package that brings them. */
const PACKAGES = {
  gcc: ['cc'],
  make: ['make'],
  sysstat: ['pidstat'],
  atop: ['atop'],
  nethogs: ['nethogs'],
  iproute2: ['ip', 'ss'],
  nftables: ['nft'],
  'util-linux': ['unshare', 'setpriv'],
  perl: ['perl'],
  'openssh-server': ['sshd', 'ssh-keygen'],
  cron: ['crontab'],
  busybox: ['busybox'],
  systemd: ['systemd', 'systemctl', 'systemd-analyze'],
  'mariadb-server': ['mariadbd', 'mariadb-install-db', 'mariadb', 'mariadb-tzinfo-to-sql'],
} as const;
export type Package = keyof typeof PACKAGES;

/** One line that says what is missing and how to get it; undefined when everything is there. */
export function missing(packages: readonly Package[]): string | undefined {
  const wanted = missingPackages(packages);
  if (wanted.length === 0) return undefined;
  return `missing: ${wanted.flatMap((name) => PACKAGES[name]).join(', ')}: apt-get install ${wanted.join(' ')}`;
}

export function missingPackages(packages: readonly Package[]): Package[] {
  return packages.filter((name) => PACKAGES[name].some((program) => findProgram(program) === undefined));
}

/** The path of a system's program, or undefined. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders
    .map((folder) => join(folder, name))
    .find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}

/** Whether this process may do what only root may: namespaces of its own, and counters of everybody's processes. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}
