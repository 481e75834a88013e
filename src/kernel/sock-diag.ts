import { addressText } from './address.ts';
import { KernelError, type Libc } from './libc.ts';
import { HEADER_BYTES, NetlinkSocket, NLMSG_DONE, NLMSG_ERROR, netlinkMessage, refuseError } from './netlink.ts';

/** sock_diag(7); include/uapi/linux/netlink.h and sock_diag.h. */
export const NETLINK_SOCK_DIAG = 4;
export const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST_DUMP = 0x301;
const NLM_F_DUMP_INTR = 0x10;
/** SKNLGRP_INET_TCP_DESTROY (1) and SKNLGRP_INET6_TCP_DESTROY (3), as bits. */
const DESTROY_GROUPS = 0b101;

export const AF_INET = 2;
export const AF_INET6 = 10;
const IPPROTO_TCP = 6;
/** The number of the attribute; requests name it by its bit, counted from 1. */
const INET_DIAG_INFO = 2;

/**
 * States that data may pass in, include/net/tcp_states.h: established 1, fin-wait 4 and 5, close-wait 8, last-ack 9,
 * closing 11. What listens, waits in time-wait or has not yet shaken hands has no counters.
 */
const DATA_STATES = (1 << 1) | (1 << 4) | (1 << 5) | (1 << 8) | (1 << 9) | (1 << 11);

/** `struct inet_diag_msg`, include/uapi/linux/inet_diag.h; ports and addresses are in network order. */
export const MESSAGE = {
  family: 0,
  localPort: 4,
  remotePort: 6,
  local: 8,
  remote: 24,
  cookie: 44,
  inode: 68,
  bytes: 72,
} as const;
/** `struct tcp_info`, include/uapi/linux/tcp.h: the middle two since Linux 4.1, the outer two since 4.19. */
const TCP_INFO = { bytesAcked: 120, bytesReceived: 128, bytesSent: 200, bytesRetransmitted: 208 } as const;
const COUNTED_BYTES = TCP_INFO.bytesReceived + 8;
const WHOLE_BYTES = TCP_INFO.bytesRetransmitted + 8;

/** An event of a destroyed socket takes about 1.3 KB of it, so it holds 25,000. It is only taken while they wait. */
const EVENT_QUEUE_BYTES = 33_554_432;

/** One TCP socket at one moment. What a table hands out is valid only until it hands out the next. */
export interface TcpSocket {
  /** The kernel's own number of the socket: never used again while the machine runs. */
  readonly cookie: number;
  /** As in /proc/[pid]/fd; 0 of a socket that no process holds: not yet accepted, or closed and still sending. */
  readonly inode: number;
  readonly localPort: number;
  readonly remotePort: number;
  /** As inet_ntop(3) writes it, IPv4 also where it is mapped into IPv6. */
  readonly remoteAddress: string;
  /** The peer is this machine. */
  readonly isLoopback: boolean;
  /** Payload sent since the socket was made, retransmissions left out. */
  readonly outBytes: number;
  /** Payload received in order since then; the peer's closing of the connection counts as one byte. */
  readonly inBytes: number;
}

/** Lists the TCP connections of this process's network namespace, with their counters. Every user may. */
export class TcpDump {
  readonly #libc: Libc;
  readonly #requests = [AF_INET, AF_INET6].map((family) => tcpRequest(family, DATA_STATES, INET_DIAG_INFO));
  #open: { socket: NetlinkSocket; view: DiagSocket } | undefined;

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /**
   * Hands out every connection that was there all the time.
   * @returns false when the kernel says that some may be missing. @throws KernelError; the next call starts afresh.
   */
  each(visit: (socket: TcpSocket) => void): boolean {
    if (this.#open === undefined) {
      const socket = new NetlinkSocket(this.#libc, NETLINK_SOCK_DIAG);
      this.#open = { socket, view: new DiagSocket(socket.bytes) };
    }
    const { socket, view } = this.#open;
    try {
      let isWhole = true;
      for (const message of this.#requests) {
        socket.send(message);
        isWhole = receiveAll(socket, view, message.readUInt32LE(8), visit) && isWhole;
      }
      return isWhole;
    } catch (error) {
      // What is left of the answer would be taken for that to the next request.
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#open?.socket.close();
    this.#open = undefined;
  }
}

/**
 * Hears of TCP sockets of this network namespace as they are destroyed, with their last counters; their inode is gone,
 * and so is the process. Connections that were asked for and refused are among them, and so are sockets that listened.
 */
export class TcpDestroyed {
  readonly #socket: NetlinkSocket;
  readonly #view: DiagSocket;

  /**
   * Every user may listen, but only with CAP_NET_ADMIN can the queue be made larger than `net.core.rmem_default`, which
   * holds some 160 events. @throws KernelError
   */
  constructor(libc: Libc, queueBytes: number = EVENT_QUEUE_BYTES) {
    this.#socket = listen(libc, queueBytes);
    this.#view = new DiagSocket(this.#socket.bytes);
  }

  /** Hands out what was destroyed since the last time. @returns how often the queue overran. @throws KernelError */
  drain(visit: (socket: TcpSocket) => void): number {
    for (let overruns = 0; ; ) {
      const length = this.#socket.poll();
      if (length === 0) return overruns;
      if (length < 0) overruns += 1;
      else if (this.#view.pointAt(HEADER_BYTES, Math.min(length, this.#socket.bytes.readUInt32LE(0))))
        visit(this.#view);
    }
  }

  close(): void {
    this.#socket.close();
  }
}

function listen(libc: Libc, queueBytes: number): NetlinkSocket {
  try {
    return new NetlinkSocket(libc, NETLINK_SOCK_DIAG, { groups: DESTROY_GROUPS, queueBytes });
  } catch (error) {
    if (!(error instanceof KernelError) || error.code !== 'EPERM') throw error;
    return new NetlinkSocket(libc, NETLINK_SOCK_DIAG, { groups: DESTROY_GROUPS });
  }
}

/**
 * Asks for all TCP sockets of a family in these states, as bits: `struct inet_diag_req_v2`, where a socket's identity of
 * zeros stands for any. `attribute` is wanted of each, 0: none.
 */
export function tcpRequest(family: number, states: number, attribute = 0): Buffer {
  const payload = Buffer.alloc(56);
  payload.writeUInt8(family, 0);
  payload.writeUInt8(IPPROTO_TCP, 1);
  if (attribute > 0) payload.writeUInt8(1 << (attribute - 1), 2);
  payload.writeUInt32LE(states, 4);
  return netlinkMessage(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST_DUMP, payload);
}

/** A loop of its own, not `eachMessage`: ten thousand times, a call more is felt. */
function receiveAll(
  socket: NetlinkSocket,
  view: DiagSocket,
  sequence: number,
  visit: (socket: TcpSocket) => void,
): boolean {
  const { bytes } = socket;
  const words = wordsOf(bytes);
  for (let isWhole = true; ; ) {
    const length = socket.receive();
    for (let at = 0; at + HEADER_BYTES <= length; ) {
      const size = words[at >> 2] as number;
      if (size < HEADER_BYTES || at + size > length) break;
      const typeAndFlags = words[(at >> 2) + 1] as number;
      if (words[(at >> 2) + 2] === sequence) {
        if ((typeAndFlags >>> 16) & NLM_F_DUMP_INTR) isWhole = false;
        switch (typeAndFlags & 0xffff) {
          case SOCK_DIAG_BY_FAMILY:
            if (view.pointAt(at + HEADER_BYTES, at + size)) visit(view);
            break;
          case NLMSG_ERROR:
          case NLMSG_DONE:
            // Either carries a result.
            refuseError(bytes, NLMSG_ERROR, at + HEADER_BYTES, 'listing TCP sockets');
            return isWhole;
        }
      }
      at += (size + 3) & ~3;
    }
  }
}

/** Reads what it is pointed at, and only what it is asked for. Attributes and their values begin at whole words. */
class DiagSocket implements TcpSocket {
  readonly #bytes: Buffer;
  readonly #words: Int32Array;
  readonly #mapped = Buffer.from('00000000000000000000ffff00000000', 'hex');
  /** Index of the message's first byte. */
  #at = 0;
  /** Indices of words; of the bytes taken off what was sent, -1 where the kernel does not know them. */
  #received = 0;
  #sent = 0;
  #resent = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#words = wordsOf(bytes);
  }

  /** @returns false when there are no counters in what begins and ends here. */
  pointAt(start: number, end: number): boolean {
    const words = this.#words;
    const last = end >> 2;
    for (let at = (start + MESSAGE.bytes) >> 2; at < last; ) {
      const lengthAndType = words[at] as number;
      const length = lengthAndType & 0xffff;
      if (length < 4) return false;
      if (lengthAndType >>> 16 === INET_DIAG_INFO) {
        const isWhole = length >= 4 + WHOLE_BYTES;
        if (length < 4 + COUNTED_BYTES || at + (length >> 2) > last) return false;
        this.#at = start;
        this.#received = at + 1 + (TCP_INFO.bytesReceived >> 2);
        this.#sent = at + 1 + ((isWhole ? TCP_INFO.bytesSent : TCP_INFO.bytesAcked) >> 2);
        this.#resent = isWhole ? at + 1 + (TCP_INFO.bytesRetransmitted >> 2) : -1;
        return true;
      }
      at += (length + 3) >> 2;
    }
    return false;
  }

  /** The kernel counts cookies up from 1, so they stay below 2^53. */
  get cookie(): number {
    return this.#count((this.#at + MESSAGE.cookie) >> 2);
  }

  get inode(): number {
    return (this.#words[(this.#at + MESSAGE.inode) >> 2] as number) >>> 0;
  }

  get localPort(): number {
    return this.#bytes.readUInt16BE(this.#at + MESSAGE.localPort);
  }

  get remotePort(): number {
    return this.#bytes.readUInt16BE(this.#at + MESSAGE.remotePort);
  }

  get remoteAddress(): string {
    const remote = this.#at + MESSAGE.remote;
    if (this.#bytes[this.#at + MESSAGE.family] === AF_INET6) return addressText(this.#bytes, remote);
    this.#bytes.copy(this.#mapped, 12, remote, remote + 4);
    return addressText(this.#mapped, 0);
  }

  get isLoopback(): boolean {
    const bytes = this.#bytes;
    const local = this.#at + MESSAGE.local;
    const remote = this.#at + MESSAGE.remote;
    if (bytes[this.#at + MESSAGE.family] === AF_INET) {
      return bytes[remote] === 127 || bytes.readUInt32BE(remote) === bytes.readUInt32BE(local);
    }
    if (bytes.compare(bytes, local, local + 16, remote, remote + 16) === 0) return true;
    if (bytes.readUInt32BE(remote) !== 0 || bytes.readUInt32BE(remote + 4) !== 0) return false;
    const third = bytes.readUInt32BE(remote + 8);
    return third === 0xffff ? bytes[remote + 12] === 127 : third === 0 && bytes.readUInt32BE(remote + 12) === 1;
  }

  /** Before Linux 4.19 there is only what the peer acknowledged, its two ends counted as a byte each. */
  get outBytes(): number {
    return this.#count(this.#sent) - (this.#resent < 0 ? 0 : this.#count(this.#resent));
  }

  get inBytes(): number {
    return this.#count(this.#received);
  }

  /** A u64 that stays below 2^53. */
  #count(index: number): number {
    return ((this.#words[index] as number) >>> 0) + (this.#words[index + 1] as number) * 2 ** 32;
  }
}

/** The same memory as signed words, which are small integers: reading them makes no garbage. */
function wordsOf(bytes: Buffer): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
}
