import type { HostCounters } from '../../src/agent/host-counters.ts';
import type { ProcessCounters, Snapshot } from '../../src/agent/snapshot.ts';

/** The moment 0 of synthetic snapshots: ticks since boot, and epoch ms on a whole half minute. */
export const T0_TICKS = 100_000;
export const T0_MS = Date.UTC(2026, 6, 1, 3, 12);

/** One process of a snapshot; what is not told is zero. */
export interface ProcessFields {
  /** Init unless told. */
  ppid?: number;
  comm?: string;
  state?: string;
  /** Seconds after moment 0; long before it unless told. */
  bornAt?: number;
  /** Ticks of its own, and of the children it reaped. */
  own?: number;
  reaped?: number;
  /** Bytes, those of reaped children included. */
  read?: number;
  write?: number;
  /** /proc/[pid]/io may not be read. */
  ioHidden?: boolean;
  rssPages?: number;
}

export type HostFields = Partial<HostCounters> & { idleTicks?: number; iowaitTicks?: number; stealTicks?: number };

/** A machine of two cores, some seconds after moment 0, with init and these processes; frozen through and through. */
export function snapshot(second: number, processes: Record<number, ProcessFields>, host: HostFields = {}): Snapshot {
  const { idleTicks = 0, iowaitTicks = 0, stealTicks = 0, ...counters } = host;
  const monotonicMs = 5_000 + second * 1_000;
  const all: [string, ProcessFields][] = Object.entries({ 1: { ppid: 0, comm: 'systemd' }, ...processes });
  return deepFreeze({
    monotonicMs,
    wallMs: T0_MS + second * 1_000,
    host: {
      monotonicMs,
      cpu: { idleTicks, iowaitTicks, stealTicks, cores: 2, bootSec: T0_MS / 1_000 - T0_TICKS / 100 },
      uptimeTicks: T0_TICKS + second * 100,
      memory: { totalBytes: 8_000, availableBytes: 6_000, unwrittenBytes: 1e12 },
      load1: 0.5,
      disks: [],
      baseDisks: new Set<string>(),
      interfaces: [],
      loopback: undefined,
      ...counters,
    },
    processes: new Map(all.map(([pid, fields]) => [Number(pid), countersOf(Number(pid), fields)])),
    ioHidden: all.filter(([, fields]) => fields.ioHidden).length,
  });
}

/** The counters of one process, as they stand in a snapshot. */
export function countersOf(pid: number, fields: ProcessFields): ProcessCounters {
  const { ppid = 1, comm = `p${pid}`, state = 'S', own = 0, reaped = 0, read = 0, write = 0, rssPages = 10 } = fields;
  return {
    pid,
    ppid,
    comm,
    state,
    startTicks: fields.bornAt === undefined ? pid : T0_TICKS + fields.bornAt * 100,
    threads: 1,
    rssPages,
    ownTicks: own,
    reapedTicks: reaped,
    io: fields.ioHidden ? undefined : { readBytes: read, writeBytes: write },
  };
}

/** Freezes objects, arrays, maps and sets, so that whoever changes one fails. */
export function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  const refuse = (): never => {
    throw new TypeError('a frozen map or set is changed');
  };
  if (value instanceof Map || value instanceof Set) {
    Object.assign(value, { set: refuse, add: refuse, delete: refuse, clear: refuse });
    for (const [key, content] of value.entries()) {
      deepFreeze(key);
      deepFreeze(content);
    }
  }
  Object.freeze(value);
  for (const content of Object.values(value)) deepFreeze(content);
  return value;
}
