import { endianness } from 'node:os';
import { KernelText, readWhole } from './kernel-file.ts';

const AT_PAGESZ = 6n;
const DEFAULT_PAGE_BYTES = 4096;

/** Bytes per memory page, from /proc/self/auxv, getauxval(3): 4 KiB on x86, up to 64 KiB on arm64. */
export function parsePageSize(auxv: Buffer): number {
  const read =
    endianness() === 'LE' ? (at: number) => auxv.readBigUInt64LE(at) : (at: number) => auxv.readBigUInt64BE(at);
  for (let at = 0; at + 16 <= auxv.length; at += 16) if (read(at) === AT_PAGESZ) return Number(read(at + 8));
  return DEFAULT_PAGE_BYTES;
}

/** The same of this process; 4 KiB where that is not told. */
export function readPageSize(procRoot: string): number {
  const text = new KernelText();
  const absent = readWhole(`${procRoot}/self/auxv`, text);
  return absent === undefined ? parsePageSize(text.bytes.subarray(0, text.length)) : DEFAULT_PAGE_BYTES;
}
