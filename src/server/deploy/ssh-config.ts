import { globSync, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

/** What `~/.ssh/config` says of one host; every setting that it does not make is absent. */
export interface SshHostConfig {
  hostName?: string;
  user?: string;
  port?: number;
  /** In the order they are tried; `none` is none. */
  identityFiles: string[];
  /** `none`, or a socket. */
  identityAgent?: string;
  /** `none`, or hosts separated by commas, the first to be connected to first. */
  proxyJump?: string;
  hostKeyAlias?: string;
}

/** ssh_config(5) allows as many. */
const MAX_INCLUDE_DEPTH = 16;

/** Gathers settings of one host: the first that is said of it counts, but every identity file. */
class Lookup {
  readonly #host: string;
  readonly #sshDir: string;
  readonly #values = new Map<string, string>();
  readonly #identityFiles: string[] = [];

  constructor(host: string, sshDir: string) {
    this.#host = host;
    this.#sshDir = sshDir;
  }

  get result(): SshHostConfig {
    const port = Number(this.#values.get('port'));
    return {
      hostName: this.#values.get('hostname')?.replaceAll('%h', this.#host),
      user: this.#values.get('user'),
      port: Number.isInteger(port) && port > 0 && port <= 65_535 ? port : undefined,
      identityFiles: this.#identityFiles,
      identityAgent: this.#values.get('identityagent'),
      proxyJump: this.#values.get('proxyjump'),
      hostKeyAlias: this.#values.get('hostkeyalias'),
    };
  }

  /** What is included within a Host block counts for its hosts alone. */
  read(file: string, isOurs: boolean, depth: number): void {
    let applies = isOurs;
    for (const line of linesOf(file)) {
      const [keyword, ...words] = wordsOf(line);
      const value = words.join(' ');
      if (keyword === undefined || value === '') continue;
      if (keyword === 'host') applies = isOurs && matchesList(words, this.#host);
      // Its conditions run programs; what they guard is left to ssh.
      else if (keyword === 'match') applies = false;
      else if (!applies) continue;
      else if (keyword === 'include' && depth < MAX_INCLUDE_DEPTH)
        for (const included of words.flatMap((pattern) => this.#included(pattern)))
          this.read(included, true, depth + 1);
      else if (keyword === 'identityfile') this.#identityFiles.push(value);
      else if (!this.#values.has(keyword)) this.#values.set(keyword, value);
    }
  }

  #included(pattern: string): string[] {
    const home = join(this.#sshDir, '..');
    const path = pattern.startsWith('~/') ? join(home, pattern.slice(2)) : pattern;
    return globSync(isAbsolute(path) ? path : join(this.#sshDir, path)).sort();
  }
}

/** Looks a host up in the file `config` of a folder such as `~/.ssh`. `Match` is not supported: such blocks are skipped. */
export function lookUpHost(host: string, sshDir: string): SshHostConfig {
  const lookup = new Lookup(host, sshDir);
  lookup.read(join(sshDir, 'config'), true, 0);
  return lookup.result;
}

/** What ssh heeds and we pass over. */
const PASSED_OVER = { match: 'Match', proxycommand: 'ProxyCommand', certificatefile: 'CertificateFile' };

/** Keywords in the file `config` of a folder such as `~/.ssh` that are not heeded, but would be by ssh. */
export function passedOver(sshDir: string): string[] {
  const found = new Set(linesOf(join(sshDir, 'config')).map((line) => wordsOf(line)[0] ?? ''));
  return Object.entries(PASSED_OVER).flatMap(([keyword, name]) => (found.has(keyword) ? [name] : []));
}

/** Whether a host is one of a list of patterns such as `*.example.org !db?`; one that excludes it outweighs all others. */
export function matchesList(patterns: readonly string[], host: string): boolean {
  let isMatched = false;
  for (const pattern of patterns) {
    const isExclusion = pattern.startsWith('!');
    if (!matches(isExclusion ? pattern.slice(1) : pattern, host)) continue;
    if (isExclusion) return false;
    isMatched = true;
  }
  return isMatched;
}

/** `*` and `?` stand for any text and any character. */
function matches(pattern: string, host: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'i').test(host);
}

/** A file that is not there says nothing. @throws what the file system throws otherwise. */
function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** `IdentityFile "~/my key"`, `Port = 22`, `User=root # theirs`. @returns the keyword in lower case and its arguments. */
function wordsOf(line: string): string[] {
  const [, keyword, rest = ''] = /^\s*([A-Za-z]\w*)(?:\s*=\s*|\s+)(.*)$/.exec(line) ?? [];
  if (keyword === undefined) return [];
  const words: string[] = [];
  for (const [, quoted, bare] of rest.matchAll(/"([^"]*)"|(#.*|[^\s"]+)/g)) {
    if (bare?.startsWith('#')) break;
    words.push(quoted ?? bare ?? '');
  }
  return [keyword.toLowerCase(), ...words];
}
