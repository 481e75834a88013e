/** One mount of /proc/self/mountinfo, proc_pid_mountinfo(5). */
export interface Mount {
  /** `254:0` */
  device: string;
  mountPoint: string;
  fsType: string;
  /** `/dev/vda`, `tank/data`, `server:/export`. */
  source: string;
}

/** File systems that hold data of their own without a block device that the mount names. */
const REAL_WITHOUT_DEVICE = new Set(['btrfs', 'zfs', 'bcachefs']);

/** `27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw`; octal escapes stand for blanks. */
export function parseMountinfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const [, , device, , mountPoint] = left.split(' ');
    const [fsType, source] = right.split(' ');
    if (device === undefined || mountPoint === undefined || fsType === undefined || source === undefined) continue;
    mounts.push({ device, mountPoint: unescapeOctal(mountPoint), fsType, source: unescapeOctal(source) });
  }
  return mounts;
}

/**
 * The mounts that stand for storage: on a block device or a file system that manages its own, once per device (its
 * shortest mount point), without images that cannot fill up. Network file systems are left out: asking a dead one blocks.
 */
export function realMounts(mounts: readonly Mount[]): Mount[] {
  const byDevice = new Map<string, Mount>();
  for (const mount of mounts) {
    if (!(mount.source.startsWith('/dev/') || REAL_WITHOUT_DEVICE.has(mount.fsType))) continue;
    if (mount.fsType === 'squashfs' || mount.fsType === 'iso9660') continue;
    const known = byDevice.get(mount.device);
    if (known === undefined || mount.mountPoint.length < known.mountPoint.length) byDevice.set(mount.device, mount);
  }
  return [...byDevice.values()];
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
