import { type KernelText, readWhole } from './kernel-file.ts';

const NEWLINE = 0x0a;

/** A TCP socket somebody listens on. */
export interface ListeningSocket {
  inode: number;
  port: number;
}

/**
 * Lines of /proc/net/tcp and tcp6:
 * `   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999 0 31337 1 …`
 * Listening sockets (state 0A) come before all others, so parsing ends at the first that is none.
 */
export function parseListening(text: string): ListeningSocket[] {
  const sockets: ListeningSocket[] = [];
  for (const line of text.split('\n').slice(1)) {
    const field = line.trim().split(/ +/);
    if (field.length < 10) continue;
    if (field[3] !== '0A') break;
    sockets.push({ inode: Number(field[9]), port: Number.parseInt(field[1]?.split(':')[1] ?? '', 16) });
  }
  return sockets;
}

/**
 * Reads the listening sockets of the network namespace that `procDir` (/proc/net or /proc/[pid]/net) stands for.
 * A host with 10,000 connections costs one page of each table, because reading stops where listening ends.
 */
export function readListening(netDir: string, text: KernelText): ListeningSocket[] {
  return ['tcp', 'tcp6'].flatMap((table) =>
    readWhole(`${netDir}/${table}`, text, pastListening) === undefined ? parseListening(text.toString()) : [],
  );
}

/** Judged by the last whole line: where the buffer ends, a line may be cut in two. */
function pastListening(text: KernelText): boolean {
  const end = text.bytes.lastIndexOf(NEWLINE, text.length - 1);
  const start = end <= 0 ? 0 : text.bytes.lastIndexOf(NEWLINE, end - 1) + 1;
  return start > 0 && text.bytes.toString('latin1', start, end).trim().split(/ +/)[3] !== '0A';
}
