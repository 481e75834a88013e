import { readFileSync } from 'node:fs';
import ssh2, { type AnyAuthMethod } from 'ssh2';
import { Problem } from '../../problem.ts';
import type { Destination } from './destination.ts';

/** What may be tried to be let in, in this order, and how that is told to people. */
export interface Login {
  methods: AnyAuthMethod[];
  /** `the agent, /root/.ssh/id_ed25519`. */
  tried: string[];
  /** Why others cannot be tried: `/root/.ssh/id_rsa wants a passphrase`. */
  unusable: string[];
}

/** @throws Problem when a key that somebody named cannot be used. */
export function loginOf(destination: Destination): Login {
  const { name, isJump, user: username, agentSocket, keyFiles, areKeyFilesNamed, password } = destination;
  const login: Login = { methods: [], tried: [], unusable: [] };
  if (agentSocket !== undefined) {
    login.methods.push({ type: 'agent', username, agent: agentSocket });
    login.tried.push('the keys of the ssh-agent');
  }
  for (const file of keyFiles) {
    const key = readKey(file);
    if (typeof key === 'object') {
      login.methods.push({ type: 'publickey', username, key });
      login.tried.push(file);
    } else if (key !== 'absent' || areKeyFilesNamed) login.unusable.push(`${file} ${KEY_FAULTS[key]}`);
  }
  if (password !== undefined) {
    login.methods.push({ type: 'password', username, password });
    // Many an sshd asks for it in this way only.
    login.methods.push({
      type: 'keyboard-interactive',
      username,
      prompt: (_name, _instructions, _language, prompts, finish) => finish(prompts.map(() => password)),
    });
    login.tried.push('the password');
  }
  if (login.methods.length > 0) return login;
  const reasons = login.unusable.length > 0 ? login.unusable.join(', ') : 'there is no key, ssh-agent or password';
  throw new Problem(
    'ERR_DEPLOY_LOGIN',
    `nothing to log in with${isJump ? ` at ${name}` : ''} as ${username}: ${reasons}: set [CLIENT] ssh_key, or start the server with SSH_AUTH_SOCK`,
  );
}

/** Why a file is no key that can be used. */
export const KEY_FAULTS = {
  absent: 'is not there',
  forbidden: 'may not be read',
  locked: 'wants a passphrase, which only an ssh-agent can give',
  broken: 'is no private key of SSH',
};

/** @returns a private key that can be used, or what is wrong with it. */
export function readKey(file: string): Buffer | keyof typeof KEY_FAULTS {
  let content: Buffer;
  try {
    content = readFileSync(file);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'absent';
    if (code === 'EACCES' || code === 'EPERM') return 'forbidden';
    return 'broken';
  }
  const key = ssh2.utils.parseKey(content);
  if (!(key instanceof Error)) return content;
  return /passphrase/i.test(key.message) ? 'locked' : 'broken';
}
