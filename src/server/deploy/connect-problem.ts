import { Problem } from '../../problem.ts';
import { parseHostAddress } from '../host-address.ts';
import type { Destination } from './destination.ts';
import type { HostKeyVerdict } from './known-hosts.ts';
import type { Login } from './login.ts';

/** Why a connection could not be made, in one line behind the host's name. */
export function connectProblem(
  error: (Error & { level?: string; code?: string }) | undefined,
  destination: Destination,
  login: Login,
): Problem {
  const { name, isJump, host, port, user } = destination;
  const isCalledSo = !isJump && parseHostAddress(name)?.host === host;
  const where = isCalledSo ? `its port ${port}` : `${isJump && name !== host ? `${name}: ` : ''}${host} port ${port}`;
  const unreachable = (why: string, what = where): Problem =>
    new Problem('ERR_DEPLOY_UNREACHABLE', `${what} ${why}`, { cause: error });
  const reach = 'check its address, its network and firewalls';
  switch (error?.code) {
    case 'ECONNREFUSED':
      return unreachable('refuses the connection: start sshd there, or write its port as user@host:port');
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return unreachable(`cannot be reached, there is no route to it: ${reach}`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return unreachable(
        'has no address: correct it, or write an address in its place',
        isCalledSo ? 'its name' : host,
      );
    case 'ETIMEDOUT':
      return unreachable(`does not answer: ${reach}, and whether sshd hangs there`);
  }
  if (error?.level === 'client-timeout') return unreachable(`does not answer: ${reach}, and whether sshd hangs there`);
  if (error?.level === 'client-authentication') {
    const others = login.unusable.length === 0 ? '' : ` (${login.unusable.join(', ')})`;
    return new Problem(
      'ERR_DEPLOY_LOGIN',
      `${where} does not let ${user} in with ${login.tried.join(', ')}${others}: add a key to its authorized_keys, or set [CLIENT] ssh_user and ssh_key`,
      { cause: error },
    );
  }
  return unreachable(`ended the connection before anybody was let in (${error?.message ?? 'no reason given'})`);
}

/** A key that is not the host's is not spoken with: whoever shows it may be anybody. */
export function hostKeyProblem(
  verdict: Extract<HostKeyVerdict, { file: string }>,
  { name, isJump, keyName, port }: Destination,
): Problem {
  const place = `line ${verdict.line} of ${verdict.file}`;
  const who = isJump ? name : 'it';
  const shown = port === 22 ? keyName : `[${keyName}]:${port}`;
  return new Problem(
    'ERR_DEPLOY_HOST_KEY',
    verdict.is === 'revoked'
      ? `the key that ${who} shows is revoked by ${place}: it may be another machine; give the host a new key`
      : `the key that ${who} shows is not the one of ${shown} in ${place}: it may be another machine; if it was set up anew, remove that line`,
  );
}
