import { METRICS, type MetricName, type Metrics } from '../protocol/metric.ts';
import { roundFigure } from './rounding.ts';
import type { Sample } from './sampler.ts';
import type { ProcessCounters } from './snapshot.ts';

/** Whether a figure can be known at all: not I/O that this user may not see, nor network without a source for it. */
export function isKnown(name: MetricName, process: ProcessCounters, { network }: Pick<Sample, 'network'>): boolean {
  switch (name) {
    case 'cpuPercent':
    case 'rssBytes':
      return true;
    case 'readBytesPerSec':
    case 'writeBytesPerSec':
      return process.io !== undefined;
    case 'netInBytesPerSec':
    case 'netOutBytesPerSec':
      return network !== undefined;
  }
}

/** One figure of one process in one sample; undefined where it is not known. */
export function figure(
  name: MetricName,
  process: ProcessCounters,
  sample: Sample,
  pageBytes: number,
): number | undefined {
  if (!isKnown(name, process, sample)) return undefined;
  const used = sample.usage.get(process.pid);
  const moved = sample.network?.usage.get(process.pid);
  const seconds = sample.durationMs / 1000;
  switch (name) {
    case 'cpuPercent':
      return (used?.cpuTicks ?? 0) / seconds;
    case 'rssBytes':
      return process.rssPages * pageBytes;
    case 'readBytesPerSec':
      return (used?.readBytes ?? 0) / seconds;
    case 'writeBytesPerSec':
      return (used?.writeBytes ?? 0) / seconds;
    case 'netInBytesPerSec':
      return (moved?.inBytes ?? 0) / seconds;
    case 'netOutBytesPerSec':
      return (moved?.outBytes ?? 0) / seconds;
  }
}

/** All figures of one process, rounded for the wire. */
export function figures(process: ProcessCounters, sample: Sample, pageBytes: number): Metrics {
  const metrics: Metrics = {};
  for (const { name } of METRICS) {
    const value = figure(name, process, sample, pageBytes);
    if (value !== undefined) metrics[name] = roundFigure(name, value);
  }
  return metrics;
}

/** The processes with the largest figure, largest first; those of which it is not known come last. */
export function largestBy(name: MetricName, sample: Sample, count: number, pageBytes: number): ProcessCounters[] {
  const best: { process: ProcessCounters; value: number }[] = [];
  for (const process of sample.processes.values()) {
    const value = figure(name, process, sample, pageBytes) ?? -1;
    const last = best.at(-1);
    if (best.length >= count && last !== undefined && value <= last.value) continue;
    let low = 0;
    for (let high = best.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if ((best[middle]?.value ?? 0) >= value) low = middle + 1;
      else high = middle;
    }
    best.splice(low, 0, { process, value });
    if (best.length > count) best.pop();
  }
  return best.map(({ process }) => process);
}
