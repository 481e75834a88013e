/**
 * Proportional set size of /proc/[pid]/smaps_rollup, in bytes: each page divided by the number of processes that share it.
 * The kernel walks all page tables for it, which takes some 10 ms per GiB. `Pss:                 812 kB`
 */
export function parsePss(text: string): number | undefined {
  const kilobytes = /^Pss: +(\d+) kB$/m.exec(text)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}
