import { METRICS } from '../protocol/metric.ts';
import { largestOfEachMetric } from './largest.ts';
import type { ProcessRecord } from './records.ts';

/**
 * Averages and maxima of the processes of one host over a stretch of time, in bounded memory: when more than twice
 * `limit` processes are held, only the largest are kept. What is dropped is small or, as in a fork storm, dead already.
 */
export class ProcessAverages {
  readonly #limit: number;
  #held = new Map<string, ProcessRecord>();
  #cut = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Adds what one interval recorded of one process; intervals come oldest first. Takes the record over.
   * @param weight the interval's share of the covered time, 0–1.
   */
  add(record: ProcessRecord, weight: number): void {
    const { averages, maxima } = record;
    const key = `${record.pid} ${record.started}`;
    const before = this.#held.get(key);
    for (let index = 0; index < METRICS.length; index += 1) {
      averages[index] = sum(before?.averages[index], times(averages[index], weight));
      maxima[index] = larger(before?.maxima[index], maxima[index]);
    }
    this.#held.set(key, record);
    if (this.#held.size > 2 * this.#limit) this.#keepLargest();
  }

  /** At most `limit` processes; `cut` says that there were more and that these are the largest of each metric. */
  result(): { records: ProcessRecord[]; cut: boolean } {
    if (this.#held.size > this.#limit) this.#keepLargest();
    return { records: [...this.#held.values()], cut: this.#cut };
  }

  #keepLargest(): void {
    this.#cut = true;
    this.#held = new Map(
      largestOfEachMetric([...this.#held], this.#limit, ([, record], index) => record.averages[index]),
    );
  }
}

/** Absent is not zero: it stays out of sums and maxima. */
type Figure = number | null | undefined;

function times(value: Figure, weight: number): Figure {
  return value == null ? value : value * weight;
}

function sum(a: Figure, b: Figure): number | null {
  return a == null ? (b ?? null) : b == null ? a : a + b;
}

function larger(a: Figure, b: Figure): number | null {
  return a == null ? (b ?? null) : b == null ? a : Math.max(a, b);
}
