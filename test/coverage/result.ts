import { charged, type Observer, type Resource, type Span, type Which } from './observer.ts';
import { type Others, TOOLS, type Tool } from './rig.ts';

/** One line of the table. */
export interface Result {
  workload: string;
  measured: string;
  truth: string;
  /** What procmesh says; the others stand beside it, absent where a tool cannot say. */
  procmesh: number | string | undefined;
  others: { readonly [tool in Tool]?: number | string };
  unit: '%' | 'MB' | '';
  asked: string;
  /** Undefined where nothing was asked. */
  met: boolean | undefined;
}

/** What is asked of a figure. */
export interface Bound {
  from: number;
  to: number;
}

/** A process that is no part of the workload and reaps its orphans: what it is charged above its own use is theirs. */
export interface Heir {
  pid: number;
  own: number;
}

/** Coverage in % of the truth, of procmesh and of whoever else can say. */
export function coverage(
  { workload, measured, truth, unit }: { workload: string; measured: string; truth: number; unit: 'CPU s' | 'MB' },
  observers: { procmesh: Observer; others: Others },
  about: { span: Span; resource: Resource; which: Which; heir?: Heir },
  bound: Bound | undefined,
): Result {
  const percentOf = (observer: Observer): number | undefined => {
    const { span, resource, which, heir } = about;
    const amount = charged(observer, span, resource, which);
    if (amount === undefined) return undefined;
    const ofHeir = heir === undefined ? 0 : (charged(observer, span, resource, ({ pid }) => pid === heir.pid) ?? 0);
    return (100 * (amount + Math.max(0, ofHeir - (heir?.own ?? 0)))) / truth;
  };
  const procmesh = percentOf(observers.procmesh);
  const others: { [tool in Tool]?: number } = {};
  for (const tool of TOOLS) {
    const observer = observers.others[tool];
    const percent = observer === undefined ? undefined : percentOf(observer);
    if (percent !== undefined) others[tool] = percent;
  }
  return {
    workload,
    measured,
    truth: unit === 'MB' ? `${(truth / 1e6).toFixed(1)} MB` : `${truth.toFixed(2)} CPU s`,
    procmesh,
    others,
    unit: '%',
    asked: bound === undefined ? '' : `${bound.from}–${bound.to} %`,
    met: bound === undefined ? undefined : isWithin(procmesh, bound),
  };
}

export function isWithin(value: number | undefined, { from, to }: Bound): boolean {
  return value !== undefined && value >= from && value <= to;
}

/** A line about procmesh alone that is either so or not. */
export function question(workload: string, measured: string, isSo: boolean, found: string): Result {
  return {
    workload,
    measured,
    truth: '',
    procmesh: isSo ? 'yes' : `no: ${found}`,
    others: {},
    unit: '',
    asked: 'yes',
    met: isSo,
  };
}
