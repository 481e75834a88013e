import { FLOW_NAMES, type FlowName, type Flows } from '../../src/protocol/metric.ts';
import type { HostTotal, ProcessRow } from '../../src/protocol/row.ts';

/** A process row of `procmesh ps --json`. */
export type PsRow = ProcessRow;

/** The document that `procmesh ps --json` prints. */
export interface PsAnswer {
  rows: PsRow[];
  totals: HostTotal[];
}

/** For each resource: Σ rows + unattributed − host, and what rounding alone may come to. */
export type Deviations = { [name in FlowName]: { off: number; rounding: number } };

/** Each figure is rounded by itself, so a sum of them may be off by one step for each. */
const STEP: { [name in FlowName]: number } = {
  cpuPercent: 0.001,
  readBytesPerSec: 1,
  writeBytesPerSec: 1,
  netInBytesPerSec: 1,
  netOutBytesPerSec: 1,
};

/** Holds the rows of an answer against the host's figures of the same sample. */
export function deviationsOf({ rows, totals }: PsAnswer): Deviations {
  const total = totals[0];
  if (total === undefined) throw new RangeError('an answer without totals');
  const entries = FLOW_NAMES.map((name) => {
    const charged = rows.reduce((sum, row) => sum + (row[name] ?? 0), 0);
    const off = charged + (total.unattributed[name] ?? 0) - (total[name] ?? 0);
    return [name, { off, rounding: STEP[name] * (rows.length + 2) }] as const;
  });
  return Object.fromEntries(entries) as Deviations;
}

/** The sample that is off the most, measured in what rounding alone may come to: up to 1 all is well. */
export function worstDeviation(samples: readonly Deviations[]): { name: keyof Flows; off: number; rounding: number } {
  let worst: { name: FlowName; off: number; rounding: number } = { name: 'cpuPercent', off: 0, rounding: 1 };
  for (const deviations of samples)
    for (const name of FLOW_NAMES) {
      const { off, rounding } = deviations[name];
      if (Math.abs(off) / rounding > Math.abs(worst.off) / worst.rounding) worst = { name, off, rounding };
    }
  return worst;
}
