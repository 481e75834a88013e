import { METRICS, type MetricName } from '../protocol/metric.ts';
import type { ProcessRow } from '../protocol/row.ts';

/**
 * At most `limit` of the items: the largest by each metric, as many of the one as of the other. What used nothing
 * of any is not among them.
 * @param value the item's figure of a metric, by its name or its index in `METRICS`.
 */
export function largestOfEachMetric<T>(
  items: readonly T[],
  limit: number,
  value: (item: T, name: MetricName, index: number) => number | null | undefined,
): T[] {
  const kept = new Set<T>();
  const count = Math.floor(limit / METRICS.length);
  for (const [index, { name }] of METRICS.entries()) {
    const figure = (item: T): number => value(item, name, index) ?? 0;
    const used = items.filter((item) => figure(item) > 0).sort((a, b) => figure(b) - figure(a));
    for (const item of used.slice(0, count)) kept.add(item);
  }
  return [...kept];
}

/** Collects the rows of many hosts in bounded memory: past `limit` the largest of them all stay, whosever they are. */
export class LargestRows {
  readonly #limit: number;
  readonly #cut = new Set<string>();
  #rows: ProcessRow[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(row: ProcessRow): void {
    this.#rows.push(row);
    if (this.#rows.length > 2 * this.#limit) this.#keepLargest();
  }

  /** At most `limit` rows; `cut` holds the hosts of those that are missing. */
  result(): { rows: ProcessRow[]; cut: ReadonlySet<string> } {
    if (this.#rows.length > this.#limit) this.#keepLargest();
    return { rows: this.#rows, cut: this.#cut };
  }

  #keepLargest(): void {
    const all = this.#rows;
    this.#rows = largestOfEachMetric(all, this.#limit, (row, name) => row[name]);
    const kept = new Set(this.#rows);
    for (const row of all) if (!kept.has(row)) this.#cut.add(row.host);
  }
}
