import { constants } from 'node:os';
import { KernelError, type Libc, must } from './libc.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 0x80003;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
const MSG_DONTWAIT = 0x40;
const RECEIVE_BYTES = 262_144;
/** An answer of the kernel comes at once; what takes longer is an answer that got lost. */
const ANSWER_TIMEOUT_SEC = 2;

/** Message types that every netlink family shares. */
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
/** Length of `struct nlmsghdr`; the payload follows. */
export const HEADER_BYTES = 16;

/** A socket of one netlink family, netlink(7). */
export class NetlinkSocket {
  /** Holds what was received last. */
  readonly bytes: Buffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES);
  readonly #libc: Libc;
  readonly #fd: number;
  #sequence = 0;

  /**
   * @param groups bit mask of the multicast groups to hear.
   * @param queueBytes how much the kernel may keep for us until it is received, by its own count (about 2.3 KB for a
   *   small message). @throws KernelError
   */
  constructor(libc: Libc, family: number, { groups = 0, queueBytes = 0 } = {}) {
    this.#libc = libc;
    this.#fd = must(libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, family), 'socket(AF_NETLINK)');
    try {
      const address = Buffer.alloc(12);
      address.writeUInt16LE(AF_NETLINK, 0);
      address.writeUInt32LE(groups, 8);
      must(libc.bind(this.#fd, address), 'bind(AF_NETLINK)');
      const timeout = Buffer.alloc(16);
      timeout.writeBigInt64LE(BigInt(ANSWER_TIMEOUT_SEC), 0);
      must(libc.setsockopt(this.#fd, SOL_SOCKET, SO_RCVTIMEO, timeout), 'setsockopt(SO_RCVTIMEO)');
      if (queueBytes > 0) this.#setQueue(queueBytes);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The kernel doubles what it is asked for. */
  #setQueue(queueBytes: number): void {
    const value = Buffer.alloc(4);
    value.writeInt32LE(Math.floor(queueBytes / 2));
    must(this.#libc.setsockopt(this.#fd, SOL_SOCKET, SO_RCVBUFFORCE, value), 'setsockopt(SO_RCVBUFFORCE)');
  }

  /** @param message a whole message; its sequence number is filled in. @throws KernelError */
  send(message: Buffer): void {
    this.#sequence += 1;
    message.writeUInt32LE(this.#sequence, 8);
    must(this.#libc.send(this.#fd, message, message.length), 'send(AF_NETLINK)');
  }

  /** Waits for an answer, into `bytes`. @returns its length. @throws KernelError, EAGAIN when none comes. */
  receive(): number {
    return must(this.#libc.recv(this.#fd, this.bytes, 0), 'recv(AF_NETLINK)');
  }

  /**
   * Takes what is there, into `bytes`.
   * @returns its length; 0 when there is nothing, -1 when the kernel had to drop messages because nobody took them.
   * @throws KernelError
   */
  poll(): number {
    const received = this.#libc.recv(this.#fd, this.bytes, MSG_DONTWAIT);
    if (received >= 0) return received;
    if (received === -constants.errno.EAGAIN) return 0;
    if (received === -constants.errno.ENOBUFS) return -1;
    throw new KernelError('recv(AF_NETLINK)', received);
  }

  close(): void {
    this.#libc.close(this.#fd);
  }
}

/** A message of a type, with flags and a payload, ready to be sent. */
export function netlinkMessage(type: number, flags: number, payload: Buffer): Buffer {
  const message = Buffer.alloc(HEADER_BYTES + payload.length);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(type, 4);
  message.writeUInt16LE(flags, 6);
  payload.copy(message, HEADER_BYTES);
  return message;
}

/** Names each message in `bytes[0 … length)` by its type and where its payload starts and ends. */
export function eachMessage(
  bytes: Buffer,
  length: number,
  found: (type: number, start: number, end: number) => void,
): void {
  for (let at = 0; at + HEADER_BYTES <= length; ) {
    const size = bytes.readUInt32LE(at);
    if (size < HEADER_BYTES || at + size > length) return;
    found(bytes.readUInt16LE(at + 4), at + HEADER_BYTES, at + size);
    at += align(size);
  }
}

/** Names each attribute in `bytes[start … end)` by its type and where its value starts and ends. */
export function eachAttribute(
  bytes: Buffer,
  start: number,
  end: number,
  found: (type: number, start: number, end: number) => void,
): void {
  for (let at = start; at + 4 <= end; ) {
    const size = bytes.readUInt16LE(at);
    if (size < 4 || at + size > end) return;
    // The two highest bits are flags: nested, network byte order.
    found(bytes.readUInt16LE(at + 2) & 0x3fff, at + 4, at + size);
    at += align(size);
  }
}

/** @throws KernelError when an answer is the kernel's refusal; an error of 0 is its consent. */
export function refuseError(bytes: Buffer, type: number, start: number, call: string): void {
  if (type !== NLMSG_ERROR) return;
  const result = bytes.readInt32LE(start);
  if (result < 0) throw new KernelError(call, result);
}

function align(size: number): number {
  return (size + 3) & ~3;
}
