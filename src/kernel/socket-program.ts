import {
  assemble,
  atomicAdd,
  call,
  compute,
  constant,
  exit,
  fromNetwork16,
  jump,
  jumpIf,
  type Line,
  label,
  load,
  mapEntry,
  store,
} from './bpf-assembly.ts';

/** Process ids as this process sees them, or undefined in the machine's first PID namespace. */
export interface PidNamespace {
  device: bigint;
  inode: bigint;
}

export interface SocketProgramOptions {
  pidNamespace: PidNamespace | undefined;
  /** `ip_local_port_range`: ports that connections are given when they did not ask for one. */
  ephemeralPorts: readonly [low: number, high: number];
}

/** Where a process's bytes went: over the network, within this machine, or unknown as the socket has no fixed peer. */
export type Scope = 'network' | 'loopback' | 'unconnected';
export type Direction = 'out' | 'in';

/** Offsets of each scope in a value of the `REST_MAP`; the bytes out come first, those in 8 bytes later. */
export const SCOPE_OFFSETS: { readonly [scope in Scope]: number } = { network: 0, loopback: 16, unconnected: 32 };
export const DIRECTION_OFFSETS: { readonly [direction in Direction]: number } = { out: 0, in: 8 };

/**
 * Key: tgid u32, local port u16, remote port u16, remote address (IPv4 mapped into IPv6). The port that was given to one
 * side just for the moment is 0. The address tells the scope: all that stays within the machine stands under ::1 with
 * both ports 0, what has no fixed peer under :: or 0.0.0.0. Value: bytes out u64, bytes in u64.
 */
export const ENDPOINT_MAP = { keyBytes: 24, valueBytes: 16, maxEntries: 16_384 } as const;
/** For what finds no room there. Key: tgid u32. Value: u64 each, bytes out and in of every scope. */
export const REST_MAP = { keyBytes: 4, valueBytes: 48, maxEntries: 16_384 } as const;

const AF_INET = 2;
const AF_INET6 = 10;
const MSG_PEEK = 0x2;
const MSG_ERRQUEUE = 0x2000;
/** The 96 bits in front of an IPv4 address, `::ffff:0:0`, as its second u64 in memory order. */
const MAPPED = 0xffff0000n;
const MAPPED_127 = MAPPED | (127n << 32n);
const LOOPBACK_V6 = 1n << 56n;

/** `struct sock_common`, include/net/sock.h; `SocketBytes` proves it on the running kernel. */
const SOCK = { daddr: 0, rcvSaddr: 4, dport: 12, num: 14, family: 16, v6Daddr: 56, v6RcvSaddr: 72, bytes: 88 } as const;

/** Places on the program's stack. */
const sock = -88;
/** A key of the `ENDPOINT_MAP`, which begins as one of the `REST_MAP`. */
const key = -112;
const zeros = -160;
const pidTgid = -168;

/**
 * Runs at every send or receive of a socket, on the tracepoint (sock, bytes or error, flags), and adds the bytes to the
 * process that asked for them. One look into one map is nearly all of what it costs.
 * @param maps descriptors of an `ENDPOINT_MAP` and a `REST_MAP`.
 */
export function socketProgram(
  direction: Direction,
  maps: { endpoints: number; rest: number },
  options: SocketProgramOptions,
): Buffer {
  const [low, high] = options.ephemeralPorts;
  const slot = DIRECTION_OFFSETS[direction];
  return assemble([
    load('u64', 'r7', 'r1', 8),
    compute('r7', '<<', 32),
    compute('r7', 's>>', 32),
    jumpIf('r7', 's<=', 0, 'done'),
    ...(direction === 'in'
      ? [load('u64', 'r2', 'r1', 16), compute('r2', '&', MSG_PEEK | MSG_ERRQUEUE), jumpIf('r2', '!=', 0, 'done')]
      : []),

    // What follows works on a copy of the socket's head.
    load('u64', 'r3', 'r1', 0),
    compute('r1', '=', 'r10'),
    compute('r1', '+', sock),
    compute('r2', '=', SOCK.bytes),
    call('probe_read_kernel'),

    // r1, r2: the peer's address; r3, r4: our own.
    load('u16', 'r5', 'r10', sock + SOCK.family),
    jumpIf('r5', '==', AF_INET, 'IPv4'),
    jumpIf('r5', '!=', AF_INET6, 'done'),
    load('u64', 'r1', 'r10', sock + SOCK.v6Daddr),
    load('u64', 'r2', 'r10', sock + SOCK.v6Daddr + 8),
    load('u64', 'r3', 'r10', sock + SOCK.v6RcvSaddr),
    load('u64', 'r4', 'r10', sock + SOCK.v6RcvSaddr + 8),
    jump('scope'),
    label('IPv4'),
    compute('r1', '=', 0),
    compute('r3', '=', 0),
    constant('r5', MAPPED),
    load('u32', 'r2', 'r10', sock + SOCK.daddr),
    compute('r2', '<<', 32),
    compute('r2', '|', 'r5'),
    load('u32', 'r4', 'r10', sock + SOCK.rcvSaddr),
    compute('r4', '<<', 32),
    compute('r4', '|', 'r5'),

    // r8: the scope, as its offset in a value of the rest.
    label('scope'),
    store('u64', 'r10', key + 8, 'r1'),
    store('u64', 'r10', key + 16, 'r2'),
    jumpIf('r1', '!=', 0, 'connected'),
    jumpIf('r2', '==', 0, 'unconnected'),
    constant('r5', MAPPED),
    jumpIf('r2', '==', 'r5', 'unconnected'),
    ...jumpIfMapped127('r2', 'loopback'),
    label('connected'),
    jumpIf('r1', '!=', 'r3', 'network'),
    jumpIf('r2', '==', 'r4', 'loopback'),
    label('network'),
    compute('r8', '=', SCOPE_OFFSETS.network),
    jump('peers'),
    label('unconnected'),
    compute('r8', '=', SCOPE_OFFSETS.unconnected),
    jumpIf('r3', '!=', 0, 'peers'),
    constant('r5', LOOPBACK_V6),
    jumpIf('r4', '==', 'r5', 'loopback'),
    ...jumpIfMapped127('r4', 'loopback'),
    jump('peers'),
    label('loopback'),
    compute('r8', '=', SCOPE_OFFSETS.loopback),
    store('u64', 'r10', key + 8, 0),
    constant('r1', LOOPBACK_V6),
    store('u64', 'r10', key + 16, 'r1'),
    compute('r1', '=', 0),
    compute('r2', '=', 0),
    jump('ports'),

    // One side of a connection has a port that stands for a service, the other one that was given to it for the moment.
    label('peers'),
    load('u16', 'r1', 'r10', sock + SOCK.num),
    load('u16', 'r2', 'r10', sock + SOCK.dport),
    fromNetwork16('r2'),
    jumpIf('r1', '!=', 0, 'open'),
    // What is still read of a connection that was closed: the kernel has forgotten its own port by then.
    jumpIf('r2', '<', low, 'ports'),
    jumpIf('r2', '>', high, 'ports'),
    jump('server'),
    label('open'),
    jumpIf('r1', '<', low, 'server'),
    jumpIf('r1', '>', high, 'server'),
    jumpIf('r2', '<', low, 'client'),
    jumpIf('r2', '>', high, 'client'),
    jump('ports'),
    label('server'),
    compute('r2', '=', 0),
    jump('ports'),
    label('client'),
    compute('r1', '=', 0),
    label('ports'),
    store('u16', 'r10', key + 4, 'r1'),
    store('u16', 'r10', key + 6, 'r2'),
    ...currentTgid(options.pidNamespace),
    store('u32', 'r10', key, 'r0'),

    ...mapEntry('endpoint', { mapFd: maps.endpoints, key, value: zeros, valueBytes: ENDPOINT_MAP.valueBytes }, 'full'),
    atomicAdd('r0', slot, 'r7'),
    jump('done'),
    label('full'),
    ...mapEntry('rest', { mapFd: maps.rest, key, value: zeros, valueBytes: REST_MAP.valueBytes }, 'done'),
    compute('r0', '+', 'r8'),
    atomicAdd('r0', slot, 'r7'),

    label('done'),
    compute('r0', '=', 0),
    exit(),
  ]);
}

/** Jumps when the second half of an address, mapped from IPv4, begins with 127. */
function jumpIfMapped127(half: 'r2' | 'r4', target: string): Line[] {
  return [
    compute('r5', '=', half),
    compute('r5', '<<', 24),
    compute('r5', '>>', 24),
    constant('r0', MAPPED_127),
    jumpIf('r5', '==', 'r0', target),
  ];
}

/** r0: the process's id. In another namespace than the first, processes outside it are left out. */
function currentTgid(namespace: PidNamespace | undefined): Line[] {
  if (namespace === undefined) return [call('get_current_pid_tgid'), compute('r0', '>>', 32)];
  return [
    constant('r1', namespace.device),
    constant('r2', namespace.inode),
    compute('r3', '=', 'r10'),
    compute('r3', '+', pidTgid),
    compute('r4', '=', 8),
    call('get_ns_current_pid_tgid'),
    jumpIf('r0', '!=', 0, 'done'),
    load('u32', 'r0', 'r10', pidTgid + 4),
  ];
}
