const FIRST_PAUSE_MS = 5 * 60_000;
const LONGEST_PAUSE_MS = 40 * 60_000;
/** One alert and its reminders; then only the recovery is told. */
export const MOST_TIMES = 5;
/** What has been well for so long begins anew. */
export const CALM_MS = 60 * 60_000;

/** How long something is not told again after it was told for the n-th time: 5, 10, 20, 40 minutes, and 40 from then on. */
export function pauseMs(times: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** Math.max(times - 1, 0), LONGEST_PAUSE_MS);
}
