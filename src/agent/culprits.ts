import { METRICS } from '../protocol/metric.ts';
import type { Culprits } from '../protocol/row.ts';
import { figure, largestBy } from './figures.ts';
import type { Identities } from './identity/identity.ts';
import { roundFigure } from './rounding.ts';
import type { Sample } from './sampler.ts';

const PER_RESOURCE = 3;

/** The few largest users of each resource, for views that show a host in one line. Who used nothing is no culprit. */
export function culprits(sample: Sample, identities: Identities, pageBytes: number): Culprits {
  const found: Culprits = {};
  for (const { name, sort } of METRICS) {
    const largest = largestBy(name, sample, PER_RESOURCE, pageBytes)
      .map((process) => ({ process, value: roundFigure(name, figure(name, process, sample, pageBytes) ?? 0) }))
      .filter(({ value }) => value > 0);
    if (largest.length > 0)
      found[sort] = largest.map(({ process, value }) => ({
        instance: identities.instanceOf(process),
        pid: process.pid,
        value,
      }));
  }
  return found;
}
