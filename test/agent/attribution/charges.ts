import { attribute, type Carry, NO_CARRY } from '../../../src/agent/attribution/attribute.ts';
import type { Snapshot } from '../../../src/agent/snapshot.ts';
import { deepFreeze } from '../snapshots.ts';

/** What a window charged, by pid; what is zero is left out. */
export type Charges = Record<number, { cpu?: number; read?: number; write?: number }>;

/** Attributes one window after the other, each with the carry of the one before. Nothing handed in may be changed. */
export function charges(...snapshots: Snapshot[]): Charges[] {
  let carry: Carry = deepFreeze({ debits: new Map(), reapers: new Set(NO_CARRY.reapers) });
  return snapshots.slice(1).map((current, index) => {
    const attributed = attribute(snapshots[index] as Snapshot, current, carry);
    carry = deepFreeze(attributed.carry);
    const window: Charges = {};
    for (const [pid, { cpuTicks, readBytes, writeBytes }] of attributed.usage) {
      const charged = {
        ...(cpuTicks !== 0 && { cpu: cpuTicks }),
        ...(readBytes !== 0 && { read: readBytes }),
        ...(writeBytes !== 0 && { write: writeBytes }),
      };
      if (Object.keys(charged).length > 0) window[pid] = charged;
    }
    return window;
  });
}
