import { attachRawTracepoint, BpfMap } from './bpf.ts';
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

/** Bytes between one process and one service: a local port that is served, or a remote port that is used; the other is 0. */
export interface EndpointBytes {
  tgid: number;
  localPort: number;
  remotePort: number;
  /** `10.0.0.7` or `2001:db8:0:0:0:0:0:1`; `0.0.0.0` or `0:0:0:0:0:0:0:0` of a socket without a fixed peer. */
  remoteAddress: string;
  outBytes: number;
  inBytes: number;
}

/**
 * Counts the payload bytes that each process sends and receives through sockets: TCP, UDP and raw, IPv4 and IPv6, in
 * every network namespace, from Linux 6.3 on. Two programs in the kernel do it; here their maps are emptied. They end with this process, however it ends.
 */
export class SocketBytes {
  readonly #libc: Libc;
  readonly #processes: BpfMap;
  readonly #endpoints: BpfMap;
  readonly #links: number[] = [];
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
    return this.#processes.keys.readUInt32LE(index * PROCESS_MAP.keyBytes);
  }

  bytes(index: number, scope: Scope, direction: Direction): number {
    const at = index * PROCESS_MAP.valueBytes + SCOPE_OFFSETS[scope] + DIRECTION_OFFSETS[direction];
    return readCount(this.#processes.values, at);
  }

  endpoint(index: number): EndpointBytes {
    const { keys, values } = this.#endpoints;
    const key = index * ENDPOINT_MAP.keyBytes;
    const value = index * ENDPOINT_MAP.valueBytes;
    return {
      tgid: keys.readUInt32LE(key),
      localPort: keys.readUInt16LE(key + 4),
      remotePort: keys.readUInt16LE(key + 6),
      remoteAddress: addressText(keys, key + 8),
      outBytes: readCount(values, value + DIRECTION_OFFSETS.out),
      inBytes: readCount(values, value + DIRECTION_OFFSETS.in),
    };
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

/** A u64 that stays below 2^53. */
function readCount(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}

function addressText(bytes: Buffer, at: number): string {
  const isMapped =
    bytes.readUInt32BE(at) === 0 && bytes.readUInt32BE(at + 4) === 0 && bytes.readUInt32BE(at + 8) === 0xffff;
  if (isMapped) return bytes.subarray(at + 12, at + 16).join('.');
  return Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(at + index * 2).toString(16)).join(':');
}
