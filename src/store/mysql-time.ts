/**
 * What a `timestamp` column takes in a session of ours, whose zone is UTC: `2026-07-01 03:12:00`, whole seconds, the
 * fraction cut off.
 */
export function utc(epochMs: number): string {
  const text = new Date(epochMs).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)}`;
}
