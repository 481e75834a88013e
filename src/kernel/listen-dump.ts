import type { Libc } from './libc.ts';
import { eachMessage, NetlinkSocket, NLMSG_DONE, NLMSG_ERROR, refuseError } from './netlink.ts';
import { AF_INET, AF_INET6, MESSAGE, NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, tcpRequest } from './sock-diag.ts';

/** include/net/tcp_states.h, as a bit. */
const TCP_LISTEN = 1 << 10;

/** A TCP socket somebody listens on. */
interface ListeningSocket {
  /** As in /proc/[pid]/fd. */
  inode: number;
  port: number;
}

/**
 * Lists the TCP sockets of this process's network namespace that somebody listens on. Every user may. The kernel keeps
 * them apart from connections, so it costs a small part of what /proc/net/tcp does.
 */
export class ListenDump {
  readonly #libc: Libc;
  readonly #requests = [AF_INET, AF_INET6].map((family) => tcpRequest(family, TCP_LISTEN));
  #socket: NetlinkSocket | undefined;

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** @throws KernelError; the next call starts afresh. */
  read(): ListeningSocket[] {
    this.#socket ??= new NetlinkSocket(this.#libc, NETLINK_SOCK_DIAG);
    const found: ListeningSocket[] = [];
    try {
      for (const message of this.#requests) {
        this.#socket.send(message);
        receiveAll(this.#socket, found);
      }
      return found;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}

function receiveAll(socket: NetlinkSocket, found: ListeningSocket[]): void {
  const { bytes } = socket;
  for (let isDone = false; !isDone; ) {
    eachMessage(bytes, socket.receive(), (type, start, end) => {
      if (type === NLMSG_DONE || type === NLMSG_ERROR) {
        isDone = true;
        refuseError(bytes, type, start, 'listing listening sockets');
      } else if (type === SOCK_DIAG_BY_FAMILY && end - start >= MESSAGE.bytes) {
        found.push({
          inode: bytes.readUInt32LE(start + MESSAGE.inode),
          port: bytes.readUInt16BE(start + MESSAGE.localPort),
        });
      }
    });
  }
}
