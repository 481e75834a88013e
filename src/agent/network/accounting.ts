import type { InterfaceCounters } from '../../procfs/net-dev.ts';
import type { HostCounters } from '../host-counters.ts';
import type { NetworkBytes, NetworkReading } from './source.ts';

/** Payload that one process moved in one window. */
export interface NetworkUsage {
  inBytes: number;
  outBytes: number;
  /** Within this machine, not part of the above. */
  loopbackInBytes: number;
  loopbackOutBytes: number;
}

/** One direction of the host's network in one window: bytes = Σ processes + unattributed. */
export interface NetworkTotal {
  bytes: number;
  unattributedBytes: number;
  /** Part of the unattributed: headers, estimated from the number of packets. */
  overheadBytes: number;
}

export interface NetworkAccounts {
  usage: Map<number, NetworkUsage>;
  in: NetworkTotal;
  out: NetworkTotal;
  /** What the loopback interface carried. */
  loopbackBytes: number;
}

/** Ethernet 14, IPv4 20, TCP with time stamps 32: what most packets carry beside their payload. */
const HEADER_BYTES = 66;

type Direction = 'in' | 'out';

/**
 * Holds what the processes moved against the interfaces' own counters.
 *
 * Processes may move more than the interfaces that count for the host: between containers of one machine, or in bursts
 * that wait in a socket's buffer. Then that is the host's figure too, so that host = Σ processes + unattributed always holds.
 * @param ownerOf who is charged for a process that has ended; undefined when nobody can be.
 */
export function accountNetwork(
  before: HostCounters,
  now: HostCounters,
  reading: NetworkReading | undefined,
  ownerOf: (pid: number) => number | undefined,
): NetworkAccounts {
  const processes = reading?.processes ?? new Map<number, NetworkBytes>();
  const windows = { in: directionWindow(before, now, 'in'), out: directionWindow(before, now, 'out') };
  const shares = { in: networkShare(processes, windows.in, 'in'), out: networkShare(processes, windows.out, 'out') };
  const usage = new Map<number, NetworkUsage>();
  const sums = { in: 0, out: 0 };
  for (const [pid, bytes] of processes) {
    const owner = ownerOf(pid);
    if (owner === undefined) continue;
    let used = usage.get(owner);
    if (used === undefined) {
      used = { inBytes: 0, outBytes: 0, loopbackInBytes: 0, loopbackOutBytes: 0 };
      usage.set(owner, used);
    }
    const beyondIn = Math.round(bytes.unconnectedInBytes * shares.in);
    const beyondOut = Math.round(bytes.unconnectedOutBytes * shares.out);
    const inBytes = bytes.inBytes + beyondIn;
    const outBytes = bytes.outBytes + beyondOut;
    used.inBytes += inBytes;
    used.outBytes += outBytes;
    used.loopbackInBytes += bytes.loopbackInBytes + bytes.unconnectedInBytes - beyondIn;
    used.loopbackOutBytes += bytes.loopbackOutBytes + bytes.unconnectedOutBytes - beyondOut;
    sums.in += inBytes;
    sums.out += outBytes;
  }
  return {
    usage,
    in: total(windows.in, sums.in),
    out: total(windows.out, sums.out),
    loopbackBytes: windows.out.loopbackBytes,
  };
}

/** What the interfaces counted in one direction. */
interface DirectionWindow {
  bytes: number;
  packets: number;
  loopbackBytes: number;
  loopbackPackets: number;
}

function directionWindow(before: HostCounters, now: HostCounters, direction: Direction): DirectionWindow {
  const window = { bytes: 0, packets: 0, loopbackBytes: 0, loopbackPackets: 0 };
  for (const card of now.interfaces) {
    const gained = gain(
      before.interfaces.find(({ name }) => name === card.name),
      card,
      direction,
    );
    window.bytes += gained.bytes;
    window.packets += gained.packets;
  }
  if (now.loopback !== undefined) {
    const gained = gain(before.loopback, now.loopback, direction);
    window.loopbackBytes = gained.bytes;
    window.loopbackPackets = gained.packets;
  }
  return window;
}

/** An interface that came in between has no earlier count to start from; one that came up anew starts from zero. */
export function gain(
  before: InterfaceCounters | undefined,
  now: InterfaceCounters,
  direction: Direction,
): { bytes: number; packets: number } {
  if (before === undefined) return { bytes: 0, packets: 0 };
  const bytes = direction === 'in' ? now.inBytes - before.inBytes : now.outBytes - before.outBytes;
  const packets = direction === 'in' ? now.inPackets - before.inPackets : now.outPackets - before.outPackets;
  return { bytes: Math.max(0, bytes), packets: Math.max(0, packets) };
}

/**
 * Which part of the bytes of sockets without a fixed peer went over the network, 0–1: as the interfaces and the loopback
 * have room for them beside what is known. Such are the sockets of UDP servers and of many UDP clients.
 */
function networkShare(
  processes: ReadonlyMap<number, NetworkBytes>,
  window: DirectionWindow,
  direction: Direction,
): number {
  let unconnected = 0;
  let network = 0;
  let loopback = 0;
  for (const bytes of processes.values()) {
    unconnected += direction === 'in' ? bytes.unconnectedInBytes : bytes.unconnectedOutBytes;
    network += direction === 'in' ? bytes.inBytes : bytes.outBytes;
    loopback += direction === 'in' ? bytes.loopbackInBytes : bytes.loopbackOutBytes;
  }
  if (unconnected === 0) return 1;
  const room = Math.max(0, window.bytes - window.packets * HEADER_BYTES - network);
  const loopbackRoom = Math.max(0, window.loopbackBytes - window.loopbackPackets * HEADER_BYTES - loopback);
  // What the loopback has no room for must have gone out, if only to another namespace of this machine.
  const least = Math.max(0, 1 - loopbackRoom / unconnected);
  return room + loopbackRoom === 0 ? 1 : Math.max(least, room / (room + loopbackRoom));
}

function total({ bytes, packets }: DirectionWindow, attributed: number): NetworkTotal {
  const all = Math.max(bytes, attributed);
  const unattributedBytes = all - attributed;
  return {
    bytes: all,
    unattributedBytes,
    overheadBytes: Math.min(unattributedBytes, packets * HEADER_BYTES),
  };
}
