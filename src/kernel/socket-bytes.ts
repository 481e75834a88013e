import { addressText } from './address.ts';
import { attachRawTracepoint, BpfMap } from './bpf.ts';
import type { EndpointBytes } from './endpoint.ts';
import { KernelError, type Libc, must } from './libc.ts';
import {
  DIRECTION_OFFSETS,
  type Direction,
  ENDPOINT_MAP,
  PROCESS_MAP,
  SCOPE_OFFSETS,
  type Scope,
  type SocketProgramOptions,
  socketProgram,
} from './socket-program.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM_CLOEXEC = 0x80002;
/** Of each of `sockaddr_in` and `sockaddr_in6` on the loopback interface, port 0. */
const LOOPBACK_ADDRESSES = [
  { family: AF_INET, address: Buffer.from(`020000007f000001${'00'.repeat(8)}`, 'hex') },
  { family: AF_INET6, address: Buffer.from(`0a${'00'.repeat(22)}0100000000`, 'hex') },
];
const PROBE_BYTES = 7;
const MAX_KNOWN_ADDRESSES = 16_384;

/**
 * Counts the payload bytes that each process sends and receives through sockets: TCP, UDP and raw, IPv4 and IPv6, in
 * every network namespace, from Linux 6.3 on. Two programs in the kernel do it; here their maps are emptied. They end with this process, however it ends.
 */
export class SocketBytes {
  readonly #libc: Libc;
  readonly #processes: BpfMap;
  readonly #endpoints: BpfMap;
  readonly #links: number[] = [];
  readonly #tgids: Uint32Array;
  readonly #processWords: Uint32Array;
  readonly #endpointKeys: Uint32Array;
  readonly #endpointWords: Uint32Array;
  readonly #addresses = new Map<number | string, string>();
  #processCount = 0;
  #endpointCount = 0;

  /**
   * @param ownTgid of this process, as the programs will see it.
   * @throws KernelError when the kernel refuses: EPERM without the right, ENOENT without the tracepoints, EPROTO when the
   *   programs count something else than they should.
   */
  constructor(libc: Libc, ownTgid: number, options: SocketProgramOptions) {
    this.#libc = libc;
    this.#processes = new BpfMap(libc, PROCESS_MAP);
    this.#endpoints = new BpfMap(libc, ENDPOINT_MAP);
    this.#tgids = words(this.#processes.keys);
    this.#processWords = words(this.#processes.values);
    this.#endpointKeys = words(this.#endpoints.keys);
    this.#endpointWords = words(this.#endpoints.values);
    try {
      const maps = { processes: this.#processes.fd, endpoints: this.#endpoints.fd };
      this.#links.push(...attachRawTracepoint(libc, 'sock_send_length', socketProgram('out', maps, options)));
      this.#links.push(...attachRawTracepoint(libc, 'sock_recv_length', socketProgram('in', maps, options)));
      this.#prove(ownTgid);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Processes that sent or received since the drain before. */
  get processCount(): number {
    return this.#processCount;
  }

  get endpointCount(): number {
    return this.#endpointCount;
  }

  /** Whether there were more processes than the kernel had room to count. */
  get isFull(): boolean {
    return this.#processCount >= PROCESS_MAP.maxEntries;
  }

  /** Takes in what was counted since the last time. What follows is about it, by index. @throws KernelError */
  drain(): void {
    this.#processCount = this.#processes.drain();
    this.#endpointCount = this.#endpoints.drain();
  }

  tgid(index: number): number {
    return this.#tgids[index] ?? 0;
  }

  bytes(index: number, scope: Scope, direction: Direction): number {
    const at = (index * PROCESS_MAP.valueBytes + SCOPE_OFFSETS[scope] + DIRECTION_OFFSETS[direction]) / 4;
    return count(this.#processWords, at);
  }

  endpoint(index: number): EndpointBytes {
    const key = (index * ENDPOINT_MAP.keyBytes) / 4;
    const value = (index * ENDPOINT_MAP.valueBytes) / 4;
    const ports = this.#endpointKeys[key + 1] ?? 0;
    return {
      pid: this.#endpointKeys[key] ?? 0,
      localPort: ports & 0xffff,
      remotePort: ports >>> 16,
      remoteAddress: this.#addressText(key * 4 + 8),
      outBytes: count(this.#endpointWords, value + DIRECTION_OFFSETS.out / 4),
      inBytes: count(this.#endpointWords, value + DIRECTION_OFFSETS.in / 4),
    };
  }

  /** Peers come again and again. */
  #addressText(at: number): string {
    const { keys } = this.#endpoints;
    const words = at / 4;
    const isShort = this.#endpointKeys[words] === 0 && this.#endpointKeys[words + 1] === 0;
    const key = isShort
      ? (this.#endpointKeys[words + 3] ?? 0) + (this.#endpointKeys[words + 2] ?? 0) * 2 ** 32
      : keys.toString('latin1', at, at + 16);
    let text = this.#addresses.get(key);
    if (text === undefined) {
      if (this.#addresses.size >= MAX_KNOWN_ADDRESSES) this.#addresses.clear();
      text = addressText(keys, at);
      this.#addresses.set(key, text);
    }
    return text;
  }

  close(): void {
    for (const fd of this.#links.splice(0)) this.#libc.close(fd);
    this.#processes.close();
    this.#endpoints.close();
  }

  /** The programs look into `struct sock` at fixed places: some bytes sent to ourselves show whether they are the right ones. */
  #prove(ownTgid: number): void {
    for (const { family, address } of LOOPBACK_ADDRESSES) {
      this.drain();
      const sent = sendToOneself(this.#libc, family, Buffer.from(address));
      if (!sent) continue;
      this.drain();
      const own = Array.from({ length: this.#processCount }, (_, index) => index).find(
        (index) => this.tgid(index) === ownTgid,
      );
      const counted = own === undefined ? 0 : this.bytes(own, 'loopback', 'out');
      if (counted < PROBE_BYTES) {
        throw new KernelError('counting the bytes of sockets', -71, `${counted} of ${PROBE_BYTES} of family ${family}`);
      }
    }
  }
}

/** @returns false where this machine does not speak the protocol. */
function sendToOneself(libc: Libc, family: number, address: Buffer): boolean {
  const fd = libc.socket(family, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) return false;
  try {
    if (libc.bind(fd, address) < 0) return false;
    must(libc.getsockname(fd, address), 'getsockname');
    must(libc.connect(fd, address), 'connect');
    must(libc.send(fd, Buffer.alloc(PROBE_BYTES), PROBE_BYTES), 'send');
    return true;
  } finally {
    libc.close(fd);
  }
}

/** A u64 that stays below 2^53, from its two halves. */
function count(words: Uint32Array, at: number): number {
  const high = words[at + 1];
  return (words[at] ?? 0) + (high === 0 || high === undefined ? 0 : high * 2 ** 32);
}

/** The same memory in words of the machine, which is little-endian as every one that Node.js runs on. */
function words(bytes: Buffer): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}
