import type { KernelText } from './kernel-file.ts';

const NEWLINE = 0x0a;
const ZERO = 0x30;
const NINE = 0x39;

/** Storage traffic of /proc/[pid]/io, proc_pid_io(5), in bytes; reaped children's history is included. */
export interface PidIo {
  /** Fetched from the storage layer. */
  readBytes: number;
  /** Pages made dirty, less those whose content was thrown away before it was written. Can go backwards. */
  writeBytes: number;
}

/**
 * Parses the last three of seven lines, whose order never changes:
 * `read_bytes: 4096`, `write_bytes: 8192`, `cancelled_write_bytes: 0`.
 * @returns false when fewer than seven lines are there.
 */
export function parsePidIo(text: KernelText, out: PidIo): boolean {
  const { bytes, length } = text;
  let line = 0;
  let value = 0;
  for (let i = 0; i < length; i += 1) {
    const byte = bytes[i] as number;
    if (byte === NEWLINE) {
      line += 1;
      if (line === 5) out.readBytes = value;
      else if (line === 6) out.writeBytes = value;
      else if (line === 7) {
        out.writeBytes -= value;
        return true;
      }
      value = 0;
    } else if (byte >= ZERO && byte <= NINE) value = value * 10 + (byte - ZERO);
  }
  return false;
}
