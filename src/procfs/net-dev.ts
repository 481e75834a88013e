/** One interface of /proc/net/dev, bytes since it came up. */
export interface InterfaceCounters {
  name: string;
  /** Headers of all layers included. */
  inBytes: number;
  outBytes: number;
  /** As the driver counts: where it cuts or joins segments itself, fewer than go over the wire. */
  inPackets: number;
  outPackets: number;
}

/** `  eth0: 120110932 3601 0 0 0 0 0 0 228216 2331 …`; a name may touch its first number. */
export function parseNetDev(text: string): InterfaceCounters[] {
  const interfaces: InterfaceCounters[] = [];
  for (const line of text.split('\n').slice(2)) {
    const colon = line.lastIndexOf(':');
    if (colon < 0) continue;
    const field = line
      .slice(colon + 1)
      .trim()
      .split(/ +/);
    if (field.length < 10) continue;
    interfaces.push({
      name: line.slice(0, colon).trim(),
      inBytes: Number(field[0]),
      inPackets: Number(field[1]),
      outBytes: Number(field[8]),
      outPackets: Number(field[9]),
    });
  }
  return interfaces;
}
