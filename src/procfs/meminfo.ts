/** /proc/meminfo, proc_meminfo(5), in bytes. */
export interface MemInfo {
  totalBytes: number;
  /** The kernel's estimate of what could be had without swapping. */
  availableBytes: number;
  /** Page cache that has still to be written: Dirty + Writeback. */
  unwrittenBytes: number;
}

export function parseMemInfo(text: string): MemInfo {
  const kib = (key: string): number => Number(new RegExp(`^${key}: +(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  const totalBytes = kib('MemTotal');
  // MemAvailable is absent before Linux 3.14.
  const availableBytes = /^MemAvailable:/m.test(text) ? kib('MemAvailable') : kib('MemFree') + kib('Cached');
  return {
    totalBytes,
    availableBytes: Math.min(availableBytes, totalBytes),
    unwrittenBytes: kib('Dirty') + kib('Writeback'),
  };
}
