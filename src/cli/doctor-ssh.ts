import { readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import ssh2, { type ParsedKey } from 'ssh2';
import type { Finding } from '../agent/abilities.ts';
import type { Config } from '../config.ts';
import { type Destination, destinationOf } from '../server/deploy/destination.ts';
import { KnownHosts } from '../server/deploy/known-hosts.ts';
import { KEY_FAULTS, readKey } from '../server/deploy/login.ts';
import { passedOver } from '../server/deploy/ssh-config.ts';
import { deployerOptions } from './deployer.ts';

/** Nobody's name (RFC 2606): of it `~/.ssh/config` says what it says of every host. */
const ANY_HOST = 'host.invalid';
const AGENT_TIMEOUT_MS = 1_000;

/** With what hosts are logged in at, as far as that is the same for all of them. */
export async function sshFindings(config: Config): Promise<Finding[]> {
  const { login, local, dataDir } = deployerOptions(config);
  try {
    const destination = destinationOf(ANY_HOST, login, local);
    if (destination === undefined) return [];
    KnownHosts.of(local.homeDir, dataDir).keyTypes(ANY_HOST, destination.port);
    return [await waysIn(destination), ...settings(join(local.homeDir, '.ssh'))];
  } catch (error) {
    if (!(error instanceof Error && 'path' in error && 'code' in error)) throw error;
    const mend = 'give it to the user who runs the server, or run as that user';
    return [{ check: 'SSH', state: 'failed', found: `${error.path} cannot be read (${error.code})`, mend }];
  }
}

function settings(sshDir: string): Finding[] {
  const ignored = passedOver(sshDir);
  if (ignored.length === 0) return [];
  const found = `${join(sshDir, 'config')}: ${ignored.join(', ')} ${ignored.length === 1 ? 'is' : 'are'} passed over`;
  return [{ check: 'SSH settings', state: 'limited', found, mend: 'say it by Host and ProxyJump' }];
}

async function waysIn({ user, agentSocket, keyFiles, areKeyFilesNamed, password }: Destination): Promise<Finding> {
  const check = 'SSH';
  const held = agentSocket === undefined ? [] : await keysOf(agentSocket);
  const ways: string[] =
    held !== undefined && held.length > 0
      ? [`${held.length} ${held.length === 1 ? 'key' : 'keys'} of the ssh-agent`]
      : [];
  const troubles: { what: string; mend: string }[] = [];
  if (held === undefined)
    troubles.push({ what: `no ssh-agent answers at ${agentSocket}`, mend: 'start ssh-agent, or unset SSH_AUTH_SOCK' });
  for (const file of keyFiles) {
    const key = readKey(file);
    if (typeof key === 'object') {
      ways.push(file);
      if ((statSync(file).mode & 0o077) !== 0)
        troubles.push({ what: `${file} can be read by others`, mend: `chmod 600 ${file}` });
    } else if (key === 'locked' ? !isHeld(file, held ?? []) : key !== 'absent' || areKeyFilesNamed)
      troubles.push({ what: `${file} ${KEY_FAULTS[key]}`, mend: mendOf(key, file) });
  }
  if (password !== undefined) ways.push('the password');
  if (ways.length === 0 && troubles.length === 0)
    return { check, state: 'ok', found: 'there is no key, ssh-agent or password' };
  const found = [
    ways.length > 0 ? `${user} logs in with ${ways.join(', ')}` : 'there is nothing to log in with',
    ...troubles.map(({ what }) => what),
  ].join('; ');
  if (troubles.length === 0) return { check, state: 'ok', found };
  const state = ways.length === 0 && areKeyFilesNamed ? 'failed' : 'limited';
  return { check, state, found, mend: troubles.map(({ mend }) => mend).join('; ') };
}

function mendOf(fault: keyof typeof KEY_FAULTS, file: string): string {
  switch (fault) {
    case 'locked':
      return `ssh-add ${file}, and start the server with that SSH_AUTH_SOCK`;
    case 'absent':
      return 'correct [CLIENT] ssh_key, or IdentityFile in ~/.ssh/config';
    case 'forbidden':
      return 'run as the user who runs the server';
    case 'broken':
      return 'name a private key of SSH in [CLIENT] ssh_key';
  }
}

/** Keys that an ssh-agent holds; undefined when none answers. */
async function keysOf(agentSocket: string): Promise<ParsedKey[] | undefined> {
  const { promise, resolve } = Promise.withResolvers<ParsedKey[] | undefined>();
  const socket = connect(agentSocket);
  const protocol = new ssh2.AgentProtocol(true);
  const none = (): void => resolve(undefined);
  const timer = setTimeout(none, AGENT_TIMEOUT_MS);
  socket.on('error', none).on('close', none);
  protocol.on('error', none);
  socket.on('connect', () => {
    socket.pipe(protocol).pipe(socket);
    protocol.getIdentities((error, keys) => resolve(error ? undefined : (keys ?? [])));
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

/** By the public half beside it: the private one tells nothing without its passphrase. */
function isHeld(file: string, held: readonly ParsedKey[]): boolean {
  let text: string;
  try {
    text = readFileSync(`${file}.pub`, 'utf8');
  } catch {
    return false;
  }
  const key = ssh2.utils.parseKey(text);
  return !(key instanceof Error) && held.some((other) => other.getPublicSSH().equals(key.getPublicSSH()));
}
