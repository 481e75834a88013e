import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { Problem } from '../problem.ts';

const LOOKUP_MS = 5_000;
/** Any will do: connecting a UDP socket chooses the way to a host, and sends nothing. */
const DISCARD_PORT = 9;

/** The address that this machine has on the way to a host. @throws Problem when no way leads there that is known here. */
export async function ownAddressTowards(host: string, signal: AbortSignal): Promise<string> {
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' });
  try {
    const connected = once(socket, 'connect', { signal: AbortSignal.any([signal, AbortSignal.timeout(LOOKUP_MS)]) });
    socket.connect(DISCARD_PORT, host);
    await connected;
    return socket.address().address;
  } catch (cause) {
    signal.throwIfAborted();
    const reason = cause instanceof Error && 'code' in cause ? cause.code : cause;
    const isName = reason === 'ENOTFOUND' || reason === 'EAI_AGAIN';
    throw new Problem(
      'ERR_DEPLOY_SERVERS',
      isName
        ? `no host of the name ${host} is known: check its spelling, or, where it is an alias of ~/.ssh/config, set [SERVER] servers`
        : `no way leads to ${host} (${reason}): check its address, or set [SERVER] servers`,
      { cause },
    );
  } finally {
    socket.close();
  }
}
