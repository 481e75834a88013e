/**
 * What a `timestamp` column takes in a session of ours, whose zone is UTC: `2026-07-01 03:12:00`, whole seconds, the
 * fraction cut off.
 */
export function utc(epochMs: number): string {
  const text = new Date(epochMs).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)}`;
}

/** The first whole second that is not before it: what ends before the one ends before the other. */
export function utcFrom(epochMs: number): string {
  return utc(Math.ceil(epochMs / 1000) * 1000);
}
