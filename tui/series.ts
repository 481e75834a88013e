import type { Point } from '../src/protocol/series.ts';
import { KEPT } from './history.ts';
import type { Model, SeriesData } from './model.ts';

/** What is known of what led up to the interval that ends `at`; nothing while another host or process was asked about. */
export function pointsOf(
  model: Model,
  of: Pick<SeriesData, 'host' | 'process'>,
  at: string,
): readonly (Point | undefined)[] {
  const { series } = model;
  if (series?.host !== of.host || (of.process !== undefined && !isSame(series.process, of.process))) return [];
  return pointsUpTo(series.points, at);
}

/**
 * Points up to a moment in equal steps, newest last: `undefined` where nothing was recorded, so that a gap looks
 * like one, and where what was recorded since is not known yet.
 * @param points oldest first.
 * @param at UTC, end of the interval that is shown.
 */
export function pointsUpTo(points: readonly Point[], at: string): readonly (Point | undefined)[] {
  const endsMs = Date.parse(at);
  const shown = points.filter((point) => Date.parse(point.at) <= endsMs);
  // One that was cut short, as after a gap, says nothing of the length of the others.
  const stepMs = Math.max(...shown.map((point) => Date.parse(point.at) - Date.parse(point.from)));
  const steps: (Point | undefined)[] = [];
  let nextMs = endsMs + stepMs;
  for (const point of shown.toReversed()) {
    const endMs = Date.parse(point.at);
    const missing = Math.round((nextMs - endMs) / stepMs) - 1;
    for (let step = 0; step < missing && steps.length < KEPT; step += 1) steps.push(undefined);
    if (steps.length >= KEPT) break;
    steps.push(point);
    nextMs = endMs;
  }
  return steps.reverse();
}

function isSame(a: SeriesData['process'], b: SeriesData['process']): boolean {
  return a?.pid === b?.pid && a?.startedAt === b?.startedAt;
}
