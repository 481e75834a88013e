import type { TcpSocket } from '../../kernel/sock-diag.ts';

/** State, two queues, the two ends; what follows are fields with names. */
const ENDS = /^\S+ +\d+ +\d+ +(\S+):(\S+) +(\S+):(\S+) /;

/**
 * A line of `ss -tienOH`, or of `ss -E -tienOH` with its spaces and with fewer fields:
 * `ESTAB 0 0 [::ffff:10.0.0.5]:3306 [::ffff:10.0.0.7]:40112 timer:(keepalive,41min,0) uid:999 ino:31337 sk:1a cgroup:/
 * <-> ts sack cubic … bytes_sent:3066 bytes_retrans:66 bytes_acked:3001 bytes_received:120 segs_out:12 …`
 * Counters that are 0 are left out, and so are those that the kernel does not know.
 * @returns undefined when it is no such line.
 */
export function parseSsLine(line: string): TcpSocket | undefined {
  const ends = ENDS.exec(line);
  const cookie = Number.parseInt(textAfter(line, ' sk:'), 16);
  if (ends === null || Number.isNaN(cookie)) return undefined;
  const [, local = '', localPort, remote = '', remotePort] = ends;
  const remoteAddress = bare(remote);
  return {
    cookie,
    inode: numberAfter(line, ' ino:'),
    localPort: portOf(localPort),
    remotePort: portOf(remotePort),
    remoteAddress,
    isLoopback: remoteAddress.startsWith('127.') || remoteAddress === '::1' || remoteAddress === bare(local),
    outBytes: sentBytes(line),
    inBytes: numberAfter(line, ' bytes_received:'),
  };
}

/** Before Linux 4.19 there is only what was acknowledged; the two ends of a connection are in it as a byte each. */
function sentBytes(line: string): number {
  const sent = numberAfter(line, ' bytes_sent:');
  if (sent > 0) return sent - numberAfter(line, ' bytes_retrans:');
  const acknowledged = numberAfter(line, ' bytes_acked:');
  return acknowledged > 2 ? acknowledged : 0;
}

/** `[fe80::1]%eth0` without its brackets and its interface, an IPv4 address without `::ffff:`. */
function bare(address: string): string {
  const text = address.replace(/%.*$/, '').replace(/^\[(.*)\]$/, '$1');
  return text.startsWith('::ffff:') && text.includes('.') ? text.slice('::ffff:'.length) : text;
}

/** `*` stands for none. */
function portOf(text: string | undefined): number {
  return text === undefined || text === '*' ? 0 : Number(text);
}

function numberAfter(line: string, name: string): number {
  return Number(textAfter(line, name));
}

/** Up to the next space; empty where there is no such field. */
function textAfter(line: string, name: string): string {
  const found = line.indexOf(name);
  if (found < 0) return '';
  const start = found + name.length;
  const end = line.indexOf(' ', start);
  return line.slice(start, end < 0 ? line.length : end);
}
