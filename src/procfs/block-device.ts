import { existsSync, readdirSync } from 'node:fs';
import { absence } from './kernel-file.ts';

/**
 * Whether a device of /proc/diskstats counts towards the host's total: a whole disk with nothing below it. Partitions
 * (not listed in /sys/block), device mapper and RAID (with slaves of their own), loop and memory devices would count
 * the same bytes twice, or bytes that reach no disk.
 */
export function isBaseDisk(sysRoot: string, name: string): boolean {
  if (/^(loop|ram|zram)\d/.test(name)) return false;
  // /sys writes `cciss!c0d0` for `cciss/c0d0`.
  const dir = `${sysRoot}/block/${name.replaceAll('/', '!')}`;
  if (!existsSync(dir)) return false;
  try {
    return readdirSync(`${dir}/slaves`).length === 0;
  } catch (error) {
    absence(error);
    return true;
  }
}
