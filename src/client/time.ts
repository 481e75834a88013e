import { parse } from 'chrono-node';

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** What was typed is no such time; the message is a sentence that says what is. */
export class TimeError extends Error {
  readonly code = 'ERR_TIME';
  constructor(message: string) {
    super(message);
    this.name = 'TimeError';
  }
}

/** `90s`, `10m`, `6h`, `2d` in ms. @throws TimeError */
export function parseDuration(text: string): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text.trim()) ?? [];
  const ms = unit === undefined ? Number.NaN : Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
  if (ms >= 1_000 && ms <= 366 * UNIT_MS.d) return Math.round(ms);
  throw new TimeError('It takes a duration such as 90s, 10m, 6h or 2d.');
}

/**
 * A moment of the past: ISO (`2026-11-22T03:12:00Z`), `03:12` (the last one), `yesterday 03:12`, `-15m`; local time
 * unless it names a zone. @throws TimeError when it is none of these or in the future.
 */
export function parseTime(text: string, nowMs: number): number {
  const atMs = text.startsWith('-') ? nowMs - parseDuration(text.slice(1)) : spoken(text, nowMs);
  if (atMs === undefined)
    throw new TimeError('It takes a time such as 03:12, "yesterday 03:12", -15m or 2026-11-22T03:12:00Z.');
  if (atMs > nowMs) throw new TimeError('It lies in the future.');
  return atMs;
}

function spoken(text: string, nowMs: number): number | undefined {
  if (/^\d{4}-\d{2}-\d{2}T/.test(text)) {
    const iso = Date.parse(text);
    return Number.isNaN(iso) ? undefined : iso;
  }
  const [result] = parse(text, new Date(nowMs));
  // It finds a date in any text: words that it passed over may have meant another one.
  const found = result?.text === text.trim() ? result.date().getTime() : undefined;
  // A bare time of day that is still to come means yesterday's.
  const isTimeOfDay = /^\d{1,2}:\d{2}(:\d{2})?$/.test(text.trim());
  if (found === undefined || !isTimeOfDay || found <= nowMs) return found;
  const before = new Date(found);
  before.setDate(before.getDate() - 1);
  return before.getTime();
}
