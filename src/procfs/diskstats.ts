/** One line of /proc/diskstats (Documentation/admin-guide/iostats.rst). Counters since boot; sectors are of 512 bytes. */
export interface DiskCounters {
  /** `254:0` */
  device: string;
  name: string;
  readBytes: number;
  writeBytes: number;
  /** Time with at least one request in flight. */
  busyMs: number;
  /** Σ over requests of their time in flight: its rate is the average queue. */
  queueMs: number;
}

/** ` 254 0 vda 7461 2354 624810 1234 2002 3300 118168 2090 0 2072 3337 …` */
export function parseDiskstats(text: string): DiskCounters[] {
  const disks: DiskCounters[] = [];
  for (const line of text.split('\n')) {
    const field = line.trim().split(/ +/);
    const name = field[2];
    if (name === undefined || field.length < 14) continue;
    const readBytes = Number(field[5]) * 512;
    const writeBytes = Number(field[9]) * 512;
    disks.push({
      device: `${field[0]}:${field[1]}`,
      name,
      readBytes,
      writeBytes,
      busyMs: Number(field[12]),
      queueMs: Number(field[13]),
    });
  }
  return disks;
}
