import { METRICS } from '../protocol/metric.ts';
import type { ProcessRecord } from './records.ts';

export interface HostRecord {
  host: string;
  record: ProcessRecord;
}

/**
 * At most `limit` of the items: the largest by each metric, as many of the one as of the other. What used nothing
 * of any is not among them.
 * @param value the item's figure of a metric, by its index in `METRICS`.
 */
export function largestOfEachMetric<T>(
  items: readonly T[],
  limit: number,
  value: (item: T, index: number) => number | null | undefined,
): T[] {
  const kept = new Set<T>();
  const count = Math.floor(limit / METRICS.length);
  for (const index of METRICS.keys()) {
    const figure = (item: T): number => value(item, index) ?? 0;
    const used = items.filter((item) => figure(item) > 0).sort((a, b) => figure(b) - figure(a));
    for (const item of used.slice(0, count)) kept.add(item);
  }
  return [...kept];
}

/** Collects the processes of many hosts in bounded memory: past `limit` the largest of them all stay, whosever they are. */
export class LargestRecords {
  readonly #limit: number;
  readonly #cut = new Set<string>();
  #records: HostRecord[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(host: string, record: ProcessRecord): void {
    this.#records.push({ host, record });
    if (this.#records.length > 2 * this.#limit) this.#keepLargest();
  }

  /** At most `limit`; `cut` holds the hosts of those that are missing. */
  result(): { records: readonly HostRecord[]; cut: ReadonlySet<string> } {
    if (this.#records.length > this.#limit) this.#keepLargest();
    return { records: this.#records, cut: this.#cut };
  }

  #keepLargest(): void {
    const all = this.#records;
    this.#records = largestOfEachMetric(all, this.#limit, ({ record }, index) => record.averages[index]);
    const kept = new Set(this.#records);
    for (const one of all) if (!kept.has(one)) this.#cut.add(one.host);
  }
}
