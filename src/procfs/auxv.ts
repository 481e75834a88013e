import { endianness } from 'node:os';

const AT_PAGESZ = 6n;

/** Bytes per memory page, from /proc/self/auxv, getauxval(3): 4 KiB on x86, up to 64 KiB on arm64. */
export function parsePageSize(auxv: Buffer): number {
  const read =
    endianness() === 'LE' ? (at: number) => auxv.readBigUInt64LE(at) : (at: number) => auxv.readBigUInt64BE(at);
  for (let at = 0; at + 16 <= auxv.length; at += 16) if (read(at) === AT_PAGESZ) return Number(read(at + 8));
  return 4096;
}
