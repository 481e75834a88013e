import { statfs } from 'node:fs/promises';
import { basename } from 'node:path';
import type { DiskCounters } from '../../procfs/diskstats.ts';
import { KernelText, readWhole } from '../../procfs/kernel-file.ts';
import { type Mount, parseMountinfo, realMounts } from '../../procfs/mountinfo.ts';
import type { Disk } from '../../protocol/interval.ts';
import { diskLoad } from '../accounting.ts';
import type { Snapshot } from '../snapshot.ts';
import { Mean } from './mean.ts';

/** A file system that does not say its size within this time, such as one on a dead server, is left out. */
const STATFS_TIMEOUT_MS = 1_000;

interface DeviceMeans {
  read: Mean;
  write: Mean;
  util: Mean;
  queue: Mean;
}

/** Space and load of file systems, per interval. */
export class Disks {
  readonly #procRoot: string;
  readonly #text = new KernelText();
  #previous: Snapshot | undefined;
  #devices = new Map<string, DeviceMeans>();
  /** Mount points whose last question is still unanswered: asking again would only tie up another thread. */
  readonly #hanging = new Set<string>();

  constructor(procRoot: string) {
    this.#procRoot = procRoot;
  }

  add(snapshot: Snapshot): void {
    const previous = this.#previous;
    this.#previous = snapshot;
    if (previous === undefined) return;
    const durationMs = snapshot.monotonicMs - previous.monotonicMs;
    for (const now of snapshot.host.disks) {
      const before = previous.host.disks.find(({ device }) => device === now.device);
      if (before !== undefined) this.#addDevice(before, now, durationMs);
    }
  }

  /**
   * Ends the interval. Load figures are taken at once, sizes are asked for, at most a second.
   * @param wanted mount points of the configuration; empty: all real file systems.
   */
  async close(wanted: readonly string[]): Promise<Disk[]> {
    const devices = this.#devices;
    this.#devices = new Map();
    const known = this.#previous?.host.disks ?? [];
    if (readWhole(`${this.#procRoot}/self/mountinfo`, this.#text) !== undefined) return [];
    const mounts = parseMountinfo(this.#text.toString());
    const chosen =
      wanted.length === 0 ? realMounts(mounts) : mounts.filter(({ mountPoint }) => wanted.includes(mountPoint));
    const disks = await Promise.all(
      chosen.slice(0, 1_000).map((mount) => this.#disk(mount, devices.get(deviceOf(mount, known)))),
    );
    return disks.filter((disk) => disk !== undefined);
  }

  #addDevice(before: DiskCounters, now: DiskCounters, durationMs: number): void {
    let means = this.#devices.get(now.device);
    if (means === undefined) {
      means = { read: new Mean(), write: new Mean(), util: new Mean(), queue: new Mean() };
      this.#devices.set(now.device, means);
    }
    const seconds = durationMs / 1000;
    const load = diskLoad(before, now, seconds);
    means.read.add(Math.max(0, now.readBytes - before.readBytes) / seconds, durationMs);
    means.write.add(Math.max(0, now.writeBytes - before.writeBytes) / seconds, durationMs);
    means.util.add(load.utilPercent, durationMs);
    means.queue.add(load.queue, durationMs);
  }

  async #disk(mount: Mount, means: DeviceMeans | undefined): Promise<Disk | undefined> {
    const space = await this.#space(mount.mountPoint);
    if (space === undefined) return undefined;
    return {
      mount: mount.mountPoint.slice(0, 1024),
      device: mount.source.slice(0, 255),
      ...space,
      ...(means !== undefined && {
        readBytesPerSec: Math.round(means.read.average),
        writeBytesPerSec: Math.round(means.write.average),
        utilPercent: Math.round(means.util.average * 100) / 100,
        utilPercentMax: Math.round(means.util.max * 100) / 100,
        queue: Math.round(means.queue.average * 1000) / 1000,
        queueMax: Math.round(means.queue.max * 1000) / 1000,
      }),
    };
  }

  async #space(mountPoint: string): Promise<{ totalBytes: number; usedBytes: number } | undefined> {
    if (this.#hanging.has(mountPoint)) return undefined;
    this.#hanging.add(mountPoint);
    const asked = statfs(mountPoint)
      .then(({ bsize, blocks, bfree }) => ({ totalBytes: blocks * bsize, usedBytes: (blocks - bfree) * bsize }))
      .catch(() => undefined)
      .finally(() => this.#hanging.delete(mountPoint));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, STATFS_TIMEOUT_MS, undefined);
    });
    try {
      return await Promise.race([asked, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Device number in diskstats: the mount's own, else, as btrfs invents numbers, that of the device it names. */
function deviceOf(mount: Mount, disks: readonly DiskCounters[]): string {
  const direct = disks.find(({ device }) => device === mount.device);
  return (direct ?? disks.find(({ name }) => name === basename(mount.source)))?.device ?? mount.device;
}
