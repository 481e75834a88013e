import type { HostMaxima } from '../../protocol/interval.ts';
import { hostMaximaSchema } from '../../protocol/interval.ts';
import { FLOW_NAMES, type FlowName } from '../../protocol/metric.ts';
import type { HostUsage } from '../../protocol/row.ts';
import { roundHostFigure } from '../rounding.ts';
import { Mean } from './mean.ts';

type FigureName = Exclude<keyof HostUsage, 'unattributed'>;
/** Counted, not measured: the last value stands for the interval. */
const LAST = new Set<FigureName>(['cores', 'memTotalBytes', 'processes']);
const MAXIMA = Object.keys(hostMaximaSchema.shape) as (keyof HostMaxima)[];

/** The host's own figures over an interval. */
export class HostMeans {
  #figures = new Map<FigureName, Mean>();
  #unattributed = new Map<FlowName, Mean>();
  #latest: HostUsage | undefined;

  add(host: HostUsage, durationMs: number): void {
    this.#latest = host;
    for (const [name, value] of Object.entries(host)) {
      if (typeof value === 'number') meanOf(this.#figures, name as FigureName).add(value, durationMs);
    }
    for (const name of FLOW_NAMES) {
      const value = host.unattributed[name];
      if (value !== undefined) meanOf(this.#unattributed, name).add(value, durationMs);
    }
  }

  /** Averages and maxima of what was added, and a new beginning. @throws RangeError when nothing was. */
  take(): { averages: HostUsage; maxima: HostMaxima } {
    if (this.#latest === undefined) throw new RangeError('an interval needs a sample');
    const averages: HostUsage = { ...this.#latest, unattributed: {} };
    for (const [name, mean] of this.#figures) if (!LAST.has(name)) averages[name] = roundHostFigure(name, mean.average);
    for (const [name, mean] of this.#unattributed) averages.unattributed[name] = roundHostFigure(name, mean.average);
    const maxima = Object.fromEntries(
      MAXIMA.map((name) => [name, roundHostFigure(name, this.#figures.get(name)?.max ?? 0)]),
    ) as HostMaxima;
    this.#figures = new Map();
    this.#unattributed = new Map();
    this.#latest = undefined;
    return { averages, maxima };
  }
}

function meanOf<Name>(means: Map<Name, Mean>, name: Name): Mean {
  let mean = means.get(name);
  if (mean === undefined) {
    mean = new Mean();
    means.set(name, mean);
  }
  return mean;
}
