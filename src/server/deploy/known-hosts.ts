import { createHash, createHmac } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { matchesList } from './ssh-config.ts';

/** What the files say of a key that a host shows; of a wrong one also the place that says otherwise. */
export type HostKeyVerdict =
  | { is: 'known' }
  | { is: 'unknown' }
  | { is: 'changed'; file: string; line: number }
  | { is: 'revoked'; file: string; line: number };

interface Entry {
  file: string;
  /** From 1. */
  line: number;
  isRevoked: boolean;
  hosts: string;
  keyType: string;
  key: string;
}

/** Keys of hosts in the format of sshd(8), SSH_KNOWN_HOSTS. Read anew at every question: people edit these files. */
export class KnownHosts {
  readonly #files: readonly string[];
  readonly #pinFile: string;

  /** @param pinFile is read too, after `files`, and gets the keys that are seen first. Any of them may be absent. */
  constructor(files: readonly string[], pinFile: string) {
    this.#files = files;
    this.#pinFile = pinFile;
  }

  /** What a user's ssh knows, and what was seen first by ourselves. */
  static of(homeDir: string, dataDir: string): KnownHosts {
    const files = [join(homeDir, '.ssh', 'known_hosts'), '/etc/ssh/ssh_known_hosts'];
    return new KnownHosts(files, join(dataDir, 'known_hosts'));
  }

  /** @param key as it comes over the wire (RFC 4253, 6.6). */
  check(host: string, port: number, key: Buffer): HostKeyVerdict {
    const encoded = key.toString('base64');
    const entries = this.#entriesOf(host, port);
    const revoked = entries.find((entry) => entry.isRevoked && entry.key === encoded);
    if (revoked !== undefined) return { is: 'revoked', file: revoked.file, line: revoked.line };
    const keys = entries.filter((entry) => !entry.isRevoked);
    if (keys.some((entry) => entry.key === encoded)) return { is: 'known' };
    // A key of a kind that is not known of this host may be anybody's just as well.
    const other = keys.find((entry) => entry.keyType === keyType(key)) ?? keys[0];
    return other === undefined ? { is: 'unknown' } : { is: 'changed', file: other.file, line: other.line };
  }

  /** Kinds of the keys that are known of a host, which is to show one of them: `ssh-ed25519`. */
  keyTypes(host: string, port: number): string[] {
    return this.#entriesOf(host, port)
      .filter(({ isRevoked }) => !isRevoked)
      .map(({ keyType }) => keyType);
  }

  /** Takes a key as the host's from now on. @throws what the file system throws. */
  pin(host: string, port: number, key: Buffer): void {
    mkdirSync(dirname(this.#pinFile), { recursive: true, mode: 0o700 });
    const line = `${nameOf(host, port)} ${keyType(key)} ${key.toString('base64')}\n`;
    appendFileSync(this.#pinFile, line, { mode: 0o600 });
  }

  get pinFile(): string {
    return this.#pinFile;
  }

  #entriesOf(host: string, port: number): Entry[] {
    const name = nameOf(host, port);
    return [...this.#files, this.#pinFile].flatMap(readEntries).filter(({ hosts }) => isOf(hosts, name));
  }
}

/** `SHA256:…`, as ssh shows a key. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

function nameOf(host: string, port: number): string {
  const lower = host.toLowerCase();
  return port === 22 ? lower : `[${lower}]:${port}`;
}

/** `web1,10.0.0.*`, or `|1|SALT|HASH` with the HMAC-SHA1 of one name. */
function isOf(hosts: string, name: string): boolean {
  const [, salt, hash] = /^\|1\|([^|]+)\|([^|]+)$/.exec(hosts) ?? [];
  if (salt === undefined) return matchesList(hosts.split(','), name);
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
}

/** The name of its kind stands first in a key, after its length. */
function keyType(key: Buffer): string {
  return key.toString('latin1', 4, 4 + key.readUInt32BE(0));
}

/** `[@revoked|@cert-authority] HOSTS KEYTYPE BASE64 [COMMENT]`. Certificates' authorities are not supported. */
function readEntries(file: string): Entry[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
  return text.split('\n').flatMap((line, index) => {
    const words = line.trim().split(/\s+/);
    const marker = words[0]?.startsWith('@') ? words.shift() : undefined;
    const [hosts = '', type, key] = words;
    if (hosts.startsWith('#') || key === undefined || type === undefined || marker === '@cert-authority') return [];
    return [{ file, line: index + 1, isRevoked: marker === '@revoked', hosts, keyType: type, key }];
  });
}
