/**
 * How long a thread was ready to run and had to wait for a CPU since it started, in ms: the second number of
 * /proc/[pid]/task/[tid]/schedstat, `1493 82041 12` (ns running, ns waiting, time slices). Documentation/scheduler/sched-stats.rst
 */
export function parseCpuWaitMs(text: string): number | undefined {
  const waited = /^\d+ (\d+) \d+/.exec(text)?.[1];
  return waited === undefined ? undefined : Number(waited) / 1e6;
}
