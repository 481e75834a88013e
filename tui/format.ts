import type { MetricUnit } from '../src/protocol/metric.ts';

const PREFIXES = ['', 'K', 'M', 'G', 'T', 'P'];

/** What stands for a figure that is not known; a measured zero is `0`. */
export const UNKNOWN = '-';

/** At most four characters: `0`, `512`, `1.2K`, `34M`, `1.0G`; powers of 1024. */
export function formatBytes(bytes: number | undefined): string {
  if (bytes === undefined) return UNKNOWN;
  let value = bytes;
  let prefix = 0;
  while (value >= 999.5 && prefix < PREFIXES.length - 1) {
    value /= 1024;
    prefix += 1;
  }
  return `${prefix > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)}${PREFIXES[prefix]}`;
}

/** `0`, `0.3`, `99.9`, `182.4`, `1024`; without the sign. */
export function formatPercent(percent: number | undefined): string {
  if (percent === undefined) return UNKNOWN;
  if (percent === 0) return '0';
  return percent < 999.95 ? percent.toFixed(1) : percent.toFixed(0);
}

export function formatMetric(unit: MetricUnit, value: number | undefined): string {
  return unit === 'percent' ? formatPercent(value) : formatBytes(value);
}

/** A share of something whole, 0–1, as ` 7%` or `100%`. */
export function formatShare(share: number | undefined): string {
  return share === undefined ? UNKNOWN : `${Math.round(share * 100)}%`;
}

/** One unit: `12 s`, `3 m`, `5 h`, `2 d`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** Local time of day of an ISO instant, `14:03:22`. */
export function formatClock(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return UNKNOWN;
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}

/** Local date and time of an ISO instant, `2026-11-23 14:03:22`. */
export function formatInstant(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return UNKNOWN;
  const date = [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((part) => String(part).padStart(2, '0'));
  return `${date.join('-')} ${formatClock(iso)}`;
}
