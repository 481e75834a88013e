import { join } from 'node:path';
import { parseHostAddress } from '../host-address.ts';
import { lookUpHost, type SshHostConfig } from './ssh-config.ts';

/** How hosts are reached where their own entry does not say; an empty text is not set. */
export interface LoginDefaults {
  user: string;
  port: string;
  keyFile: string;
  password: string;
}

/** Whose settings of ssh count: those of the user who runs the server. */
export interface LocalUser {
  name: string;
  homeDir: string;
  /** Socket of an ssh-agent, as SSH_AUTH_SOCK names it; undefined: there is none. */
  agentSocket: string | undefined;
}

/** One sshd and who logs in there, with what. */
export interface Destination {
  /** As it is written in the table, or in ProxyJump: for people. */
  name: string;
  /** It is passed on the way. What is said stands behind the name of the host itself, and has to name only this. */
  isJump: boolean;
  /** What is connected to. */
  host: string;
  port: number;
  user: string;
  /** What its key is known by. */
  keyName: string;
  /** Private keys in the order they are tried. */
  keyFiles: string[];
  /** Somebody named these files, so that they have to be there. */
  areKeyFilesNamed: boolean;
  agentSocket: string | undefined;
  password: string | undefined;
  /** Hosts that are passed on the way, the first to be connected to first. */
  jumps: Destination[];
}

const DEFAULT_KEY_FILES = ['id_ed25519', 'id_ecdsa', 'id_rsa'];
const MAX_JUMPS = 8;

/**
 * Where a host is and who logs in: by its entry, then by the configuration, then by `~/.ssh/config`, then as ssh would.
 * @returns undefined for an entry that names no host.
 */
export function destinationOf(rshost: string, login: LoginDefaults, local: LocalUser): Destination | undefined {
  return resolve(rshost, rshost, login, local, MAX_JUMPS);
}

/** Of hosts that are jumped over only `~/.ssh/config` speaks. */
const NO_DEFAULTS: LoginDefaults = { user: '', port: '', keyFile: '', password: '' };

function resolve(
  entry: string,
  name: string,
  login: LoginDefaults,
  local: LocalUser,
  jumpsLeft: number,
): Destination | undefined {
  const address = parseHostAddress(entry);
  if (address === undefined) return undefined;
  const sshDir = join(local.homeDir, '.ssh');
  const config = lookUpHost(address.host, sshDir);
  const user = address.user ?? (login.user || config.user || local.name);
  const host = config.hostName ?? address.host;
  const named = login.keyFile === '' ? config.identityFiles : [login.keyFile];
  const expand = (file: string): string =>
    file
      .replace(/^~(?=\/)/, local.homeDir)
      .replace(/%([%dhnru])/g, (_, token: string) => tokens[token as keyof typeof tokens]);
  const tokens = { '%': '%', d: local.homeDir, h: host, n: address.host, r: user, u: local.name };
  const areKeyFilesNamed = named.length > 0;
  return {
    name,
    isJump: false,
    host,
    port: address.port ?? (Number(login.port) || (config.port ?? 22)),
    user,
    keyName: config.hostKeyAlias ?? host,
    keyFiles: areKeyFilesNamed
      ? named.filter((file) => file !== 'none').map(expand)
      : DEFAULT_KEY_FILES.map((file) => join(sshDir, file)),
    areKeyFilesNamed,
    agentSocket: agentSocket(config, local, expand),
    password: login.password || undefined,
    jumps: jumpsOf(config, local, jumpsLeft),
  };
}

function agentSocket(
  { identityAgent }: SshHostConfig,
  local: LocalUser,
  expand: (file: string) => string,
): string | undefined {
  // An empty variable names no socket, as for ssh.
  if (identityAgent === undefined || identityAgent === 'SSH_AUTH_SOCK') return local.agentSocket || undefined;
  return identityAgent === 'none' ? undefined : expand(identityAgent);
}

/** The first of them may be reached over others itself; what they name beyond `MAX_JUMPS` is a circle. */
function jumpsOf({ proxyJump }: SshHostConfig, local: LocalUser, jumpsLeft: number): Destination[] {
  if (proxyJump === undefined || proxyJump === 'none' || jumpsLeft === 0) return [];
  const hops = proxyJump.split(',').flatMap((hop) => {
    const entry = hop.trim().replace(/^ssh:\/\//, '');
    return resolve(entry, entry, NO_DEFAULTS, local, jumpsLeft - 1) ?? [];
  });
  const [first, ...others] = hops;
  if (first === undefined) return [];
  return [...first.jumps, first, ...others].map((hop) => ({ ...hop, isJump: true, jumps: [] }));
}
