import type { HostRow } from '../src/protocol/row.ts';
import { type Shares, sharesOf } from './usage.ts';

/** Samples kept for each host, or intervals asked for: five minutes of the former at the default `sample_time`. */
export const KEPT = 150;

export interface HostSample extends Shares {
  /** `lastSeenAt` of the row it was taken from. */
  readonly at: string;
}

/** The latest samples of each host, oldest first. */
export type History = ReadonlyMap<string, readonly HostSample[]>;

/**
 * Adds what is new in an answer. Answers come whenever any host has changed, so a row counts only if its host was
 * heard since; hosts that are no longer listed are forgotten.
 */
export function recorded(history: History, rows: readonly HostRow[]): History {
  const next = new Map<string, readonly HostSample[]>();
  for (const row of rows) {
    const samples = history.get(row.host) ?? [];
    const at = row.lastSeenAt;
    const isNew = at !== undefined && row.cpuPercent !== undefined && samples.at(-1)?.at !== at;
    next.set(row.host, isNew ? appended(samples, { at, ...sharesOf(row) }) : samples);
  }
  return next;
}

/** A copy with one more at the end and, when it is long enough, the oldest left out. */
export function appended<Item>(items: readonly Item[], item: Item): readonly Item[] {
  return [...items.slice(Math.max(items.length - KEPT + 1, 0)), item];
}
