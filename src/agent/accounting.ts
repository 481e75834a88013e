import type { DiskCounters } from '../procfs/diskstats.ts';
import type { HostUsage } from '../protocol/row.ts';
import { charge, type Usage } from './attribution/usage.ts';
import type { HostCounters } from './host-counters.ts';
import type { NetworkAccounts } from './network/accounting.ts';
import type { Snapshot } from './snapshot.ts';

/** What accounting remembers from one window to the next. */
export interface Ledger {
  /** CPU time that was over the host's figure and is charged in the next window, by pid. */
  deferredTicks: ReadonlyMap<number, number>;
  /** Bytes charged to processes when they dirtied them, and not yet seen on a device. */
  unwrittenBytes: number;
}

/** The host's own figures of one window and the processes' shares, which never exceed them. */
export interface Accounts {
  host: HostUsage;
  usage: Map<number, Usage>;
  ledger: Ledger;
}

/** Of all the CPU time there was in a window: what may be charged in the next one. */
const MAX_DEFERRED_SHARE = 0.05;

/** What may reach the disks yet was dirtied before the first window: nobody's, and known. */
export function openLedger(first: Snapshot): Ledger {
  return { deferredTicks: new Map(), unwrittenBytes: first.host.memory.unwrittenBytes };
}

/**
 * Holds the processes' usage against the host's own counters: host = Σ processes + unattributed, never negative.
 * A pure function of two snapshots, what `attribute` made of them, and the ledger.
 */
export function account(
  previous: Snapshot,
  current: Snapshot,
  attributed: { usage: ReadonlyMap<number, Usage>; network: Pick<NetworkAccounts, 'in' | 'out'> },
  ledger: Ledger,
): Accounts {
  const seconds = (current.monotonicMs - previous.monotonicMs) / 1000;
  const busy = busyTicks(previous.host, current.host, seconds);
  const cpu = fitToHost(attributed.usage, ledger.deferredTicks, current.processes, busy.usedTicks, busy.capacityTicks);
  const { usage } = cpu;
  let readBytes = 0;
  let writeBytes = 0;
  for (const used of usage.values()) {
    readBytes += used.readBytes;
    writeBytes += used.writeBytes;
  }
  const device = diskWindow(previous.host, current.host, seconds);
  const writes = matchWrites(writeBytes, device.writeBytes, ledger.unwrittenBytes, current.host.memory.unwrittenBytes);
  const unreadBytes = Math.max(0, device.readBytes - readBytes);
  const { network } = attributed;
  const { memory } = current.host;
  const host: HostUsage = {
    cores: current.host.cpu.cores,
    cpuPercent: cpu.usedTicks / seconds,
    iowaitPercent: busy.iowaitTicks / seconds,
    stealPercent: busy.stealTicks / seconds,
    load1: current.host.load1,
    memTotalBytes: memory.totalBytes,
    memUsedBytes: memory.totalBytes - memory.availableBytes,
    readBytesPerSec: (readBytes + unreadBytes) / seconds,
    writeBytesPerSec: (writeBytes + writes.unattributedBytes) / seconds,
    deviceReadBytesPerSec: device.readBytes / seconds,
    deviceWriteBytesPerSec: device.writeBytes / seconds,
    diskUtilPercent: device.utilPercent,
    diskQueue: device.queue,
    netInBytesPerSec: network.in.bytes / seconds,
    netOutBytesPerSec: network.out.bytes / seconds,
    processes: current.processes.size,
    unattributed: {
      cpuPercent: cpu.restTicks / seconds,
      readBytesPerSec: unreadBytes / seconds,
      writeBytesPerSec: writes.unattributedBytes / seconds,
      netInBytesPerSec: network.in.unattributedBytes / seconds,
      netOutBytesPerSec: network.out.unattributedBytes / seconds,
    },
  };
  return { host, usage, ledger: { deferredTicks: cpu.deferredTicks, unwrittenBytes: writes.unwrittenBytes } };
}

/**
 * CPU time used = cores × wall − idle − iowait − steal. The idle counters are exact but for idling shorter than a tick;
 * the busy ones of /proc/stat are sampled by the timer tick and miss most of a storm of short processes.
 */
function busyTicks(before: HostCounters, now: HostCounters, seconds: number) {
  const gained = (key: 'idleTicks' | 'iowaitTicks' | 'stealTicks'): number =>
    Math.max(0, now.cpu[key] - before.cpu[key]);
  const capacityTicks = now.cpu.cores * seconds * 100;
  const iowaitTicks = gained('iowaitTicks');
  const stealTicks = gained('stealTicks');
  const usedTicks = Math.max(0, capacityTicks - gained('idleTicks') - iowaitTicks - stealTicks);
  return { capacityTicks, usedTicks, iowaitTicks, stealTicks };
}

/**
 * Processes are read a moment after the host and in whole ticks, so their sum can come out above the host's figure. Of the
 * living a little is then charged in the next window: late by one sample, but not lost. More than that is no matter of
 * when they were read: the idle counter is sampled by the timer tick where idling is too short to stop the tick, and
 * counts too much in a storm. Run times of processes are exact, so then they raise the host's figure.
 */
function fitToHost(
  raw: ReadonlyMap<number, Usage>,
  deferred: ReadonlyMap<number, number>,
  alive: ReadonlyMap<number, unknown>,
  busyTicks: number,
  capacityTicks: number,
) {
  const usage = new Map<number, Usage>();
  let sum = 0;
  let livingTicks = 0;
  for (const [pid, used] of raw) {
    usage.set(pid, { ...used });
    sum += used.cpuTicks;
    if (alive.has(pid)) livingTicks += used.cpuTicks;
  }
  for (const [pid, cpuTicks] of deferred) {
    // Who ended since has no row.
    if (!usage.has(pid) && !alive.has(pid)) continue;
    charge(usage, pid, 'cpuTicks', cpuTicks);
    sum += cpuTicks;
  }
  const deferredTicks = new Map<number, number>();
  if (sum <= busyTicks) return { usage, deferredTicks, usedTicks: busyTicks, restTicks: busyTicks - sum };
  const toDefer = Math.min(sum - busyTicks, MAX_DEFERRED_SHARE * capacityTicks, livingTicks);
  const usedTicks = Math.min(capacityTicks, sum - toDefer);
  const share = usedTicks / (sum - toDefer);
  const cutShare = livingTicks > 0 ? toDefer / livingTicks : 0;
  for (const [pid, used] of usage) {
    const cut = alive.has(pid) ? cutShare * (raw.get(pid)?.cpuTicks ?? 0) : 0;
    if (cut > 0) deferredTicks.set(pid, cut);
    used.cpuTicks = (used.cpuTicks - cut) * share;
  }
  return { usage, deferredTicks, usedTicks, restTicks: 0 };
}

/**
 * A process is charged for a write when it dirties the page; the device writes it up to half a minute later. Device
 * writes are therefore matched with charged bytes that are still to come, and only what exceeds those is unattributed
 * (journals, metadata). No more can be to come than the kernel itself has left to write.
 */
function matchWrites(chargedBytes: number, deviceBytes: number, unwrittenBefore: number, kernelUnwritten: number) {
  const balance = unwrittenBefore + chargedBytes - deviceBytes;
  return { unattributedBytes: Math.max(0, -balance), unwrittenBytes: Math.min(Math.max(0, balance), kernelUnwritten) };
}

function diskWindow(before: HostCounters, now: HostCounters, seconds: number) {
  const window = { readBytes: 0, writeBytes: 0, utilPercent: 0, queue: 0 };
  for (const [disk, earlier] of pairs(before.disks, now.disks)) {
    if (!now.baseDisks.has(disk.name)) continue;
    window.readBytes += Math.max(0, disk.readBytes - earlier.readBytes);
    window.writeBytes += Math.max(0, disk.writeBytes - earlier.writeBytes);
    const load = diskLoad(earlier, disk, seconds);
    window.utilPercent = Math.max(window.utilPercent, load.utilPercent);
    window.queue = Math.max(window.queue, load.queue);
  }
  return window;
}

/** Share of the time a device was busy, 0–100, and its average queue. */
export function diskLoad(
  before: DiskCounters,
  now: DiskCounters,
  seconds: number,
): { utilPercent: number; queue: number } {
  const rate = (gained: number): number => Math.max(0, gained) / (seconds * 1000);
  return {
    utilPercent: Math.min(100, 100 * rate(now.busyMs - before.busyMs)),
    queue: rate(now.queueMs - before.queueMs),
  };
}

/** Devices that were there at both moments; one that came in between has no earlier count to start from. */
function* pairs<Device extends { name: string }>(
  before: readonly Device[],
  now: readonly Device[],
): Iterable<[Device, Device]> {
  for (const device of now) {
    const earlier = before.find(({ name }) => name === device.name);
    if (earlier !== undefined) yield [device, earlier];
  }
}
