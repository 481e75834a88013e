import { addressText } from './address.ts';
import { attachRawTracepoint, BpfMap } from './bpf.ts';
import type { EndpointBytes } from './endpoint.ts';
import { KernelError, type Libc, must } from './libc.ts';
import {
  DIRECTION_OFFSETS,
  type Direction,
  ENDPOINT_MAP,
  REST_MAP,
  SCOPE_OFFSETS,
  type Scope,
  type SocketProgramOptions,
  socketProgram,
} from './socket-program.ts';
import { asWords, u64At } from './words.ts';

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
const SCOPES: readonly Scope[] = ['network', 'loopback', 'unconnected'];
/** Words of addresses as they stand in memory: `ffff` in front of an IPv4 address, and the last of ::1. */
const MAPPED = 0xffff0000;
const LOOPBACK_V6 = 0x01000000;

/** Bytes of one process that went one way. What is handed out is valid only until the next is. */
export interface CountedBytes {
  readonly tgid: number;
  readonly scope: Scope;
  readonly outBytes: number;
  readonly inBytes: number;
  /** Who it was exchanged with, beyond this machine; undefined where the kernel had no room to tell. */
  endpoint(): EndpointBytes | undefined;
}

/**
 * Counts the payload bytes that each process sends and receives through sockets: TCP, UDP and raw, IPv4 and IPv6, in
 * every network namespace, from Linux 6.3 on. Two programs in the kernel do it; here their maps are emptied. They end with this process, however it ends.
 */
export class SocketBytes {
  readonly #libc: Libc;
  readonly #endpoints: BpfMap;
  readonly #rest: BpfMap;
  readonly #links: number[] = [];
  readonly #endpoint: EndpointEntry;
  readonly #restPart: RestEntry;
  #restCount = 0;

  /**
   * @param ownTgid of this process, as the programs will see it.
   * @param maxEndpoints that are told apart at a time.
   * @throws KernelError when the kernel refuses: EPERM without the right, ENOENT without the tracepoints, EPROTO when the
   *   programs count something else than they should.
   */
  constructor(
    libc: Libc,
    ownTgid: number,
    options: SocketProgramOptions,
    maxEndpoints: number = ENDPOINT_MAP.maxEntries,
  ) {
    this.#libc = libc;
    this.#endpoints = new BpfMap(libc, { ...ENDPOINT_MAP, maxEntries: maxEndpoints });
    this.#rest = new BpfMap(libc, REST_MAP);
    this.#endpoint = new EndpointEntry(this.#endpoints);
    this.#restPart = new RestEntry(this.#rest);
    try {
      const maps = { endpoints: this.#endpoints.fd, rest: this.#rest.fd };
      this.#links.push(...attachRawTracepoint(libc, 'sock_send_length', socketProgram('out', maps, options)));
      this.#links.push(...attachRawTracepoint(libc, 'sock_recv_length', socketProgram('in', maps, options)));
      this.#prove(ownTgid);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Whether at the last drain there were more processes than the kernel had room to count. */
  get isFull(): boolean {
    return this.#restCount >= REST_MAP.maxEntries;
  }

  /** Takes out what was counted since the last time, and hands out each part of it. @throws KernelError */
  drain(visit: (part: CountedBytes) => void): void {
    const count = this.#endpoints.drain();
    for (let index = 0; index < count; index += 1) visit(this.#endpoint.pointAt(index));
    this.#restCount = this.#rest.drain();
    for (let index = 0; index < this.#restCount; index += 1)
      for (const scope of SCOPES) visit(this.#restPart.pointAt(index, scope));
  }

  close(): void {
    for (const fd of this.#links.splice(0)) this.#libc.close(fd);
    this.#endpoints.close();
    this.#rest.close();
  }

  /** The programs look into `struct sock` at fixed places: some bytes sent to ourselves show whether they are the right ones. */
  #prove(ownTgid: number): void {
    for (const { family, address } of LOOPBACK_ADDRESSES) {
      this.drain(() => undefined);
      const sent = sendToOneself(this.#libc, family, Buffer.from(address));
      if (!sent) continue;
      let counted = 0;
      this.drain(({ tgid, scope, outBytes }) => {
        if (tgid === ownTgid && scope === 'loopback') counted += outBytes;
      });
      if (counted < PROBE_BYTES) {
        throw new KernelError('counting the bytes of sockets', -71, `${counted} of ${PROBE_BYTES} of family ${family}`);
      }
    }
  }
}

/** Reads what it is pointed at, and only what it is asked for. */
class EndpointEntry implements CountedBytes {
  readonly #keys: Buffer;
  readonly #keyWords: Uint32Array;
  readonly #valueWords: Uint32Array;
  readonly #addresses = new Map<number | string, string>();
  /** Indices of words. */
  #key = 0;
  #value = 0;

  constructor({ keys, values }: BpfMap) {
    this.#keys = keys;
    this.#keyWords = asWords(keys);
    this.#valueWords = asWords(values);
  }

  pointAt(index: number): this {
    this.#key = (index * ENDPOINT_MAP.keyBytes) / 4;
    this.#value = (index * ENDPOINT_MAP.valueBytes) / 4;
    return this;
  }

  get tgid(): number {
    return this.#keyWords[this.#key] ?? 0;
  }

  get scope(): Scope {
    const words = this.#keyWords;
    const at = this.#key + 2;
    if (words[at] !== 0 || words[at + 1] !== 0) return 'network';
    if (words[at + 3] === 0) return words[at + 2] === 0 || words[at + 2] === MAPPED ? 'unconnected' : 'network';
    return words[at + 2] === 0 && words[at + 3] === LOOPBACK_V6 ? 'loopback' : 'network';
  }

  get outBytes(): number {
    return u64At(this.#valueWords, this.#value + DIRECTION_OFFSETS.out / 4);
  }

  get inBytes(): number {
    return u64At(this.#valueWords, this.#value + DIRECTION_OFFSETS.in / 4);
  }

  endpoint(): EndpointBytes | undefined {
    if (this.scope === 'loopback') return undefined;
    const ports = this.#keyWords[this.#key + 1] ?? 0;
    return {
      pid: this.tgid,
      localPort: ports & 0xffff,
      remotePort: ports >>> 16,
      remoteAddress: this.#address(),
      outBytes: this.outBytes,
      inBytes: this.inBytes,
    };
  }

  /** Peers come again and again. */
  #address(): string {
    const words = this.#key + 2;
    const isShort = this.#keyWords[words] === 0 && this.#keyWords[words + 1] === 0;
    const key = isShort
      ? (this.#keyWords[words + 3] ?? 0) + (this.#keyWords[words + 2] ?? 0) * 2 ** 32
      : this.#keys.toString('latin1', words * 4, words * 4 + 16);
    let text = this.#addresses.get(key);
    if (text === undefined) {
      if (this.#addresses.size >= MAX_KNOWN_ADDRESSES) this.#addresses.clear();
      text = addressText(this.#keys, words * 4);
      this.#addresses.set(key, text);
    }
    return text;
  }
}

class RestEntry implements CountedBytes {
  readonly #tgids: Uint32Array;
  readonly #values: Uint32Array;
  #index = 0;
  scope: Scope = 'network';

  constructor({ keys, values }: BpfMap) {
    this.#tgids = asWords(keys);
    this.#values = asWords(values);
  }

  pointAt(index: number, scope: Scope): this {
    this.#index = index;
    this.scope = scope;
    return this;
  }

  get tgid(): number {
    return this.#tgids[this.#index] ?? 0;
  }

  get outBytes(): number {
    return this.#count('out');
  }

  get inBytes(): number {
    return this.#count('in');
  }

  endpoint(): undefined {
    return undefined;
  }

  #count(direction: Direction): number {
    const at = this.#index * REST_MAP.valueBytes + SCOPE_OFFSETS[this.scope] + DIRECTION_OFFSETS[direction];
    return u64At(this.#values, at / 4);
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
