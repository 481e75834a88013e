import { constants } from 'node:os';
import { type Libc, openLibc } from '../../src/kernel/libc.ts';
import { netlinkMessage } from '../../src/kernel/netlink.ts';
import type { TcpDump, TcpSocket } from '../../src/kernel/sock-diag.ts';

/** What a socket says, kept beyond the visit. */
export function copy(socket: TcpSocket): TcpSocket {
  const { cookie, inode, localPort, remotePort, remoteAddress, isLoopback, outBytes, inBytes } = socket;
  return { cookie, inode, localPort, remotePort, remoteAddress, isLoopback, outBytes, inBytes };
}

export function all(dump: TcpDump): TcpSocket[] {
  const sockets: TcpSocket[] = [];
  dump.each((socket) => sockets.push(copy(socket)));
  return sockets;
}

/** A kernel that answers with what it is told to; every refusal is a negated errno. */
export function fakeKernel(answers: (Buffer | number)[], refused: Partial<Record<keyof Libc, number>> = {}) {
  const sent: Buffer[] = [];
  let opened = 0;
  const fake: Libc = {
    ...openLibc(),
    socket: () => {
      opened += 1;
      return refused.socket ?? 100;
    },
    bind: () => refused.bind ?? 0,
    setsockopt: (_fd, _level, option) => (option === 33 ? (refused.setsockopt ?? 0) : 0),
    send: (_fd, message) => {
      sent.push(Buffer.from(message));
      return refused.send ?? message.length;
    },
    recv: (_fd, buffer) => {
      const answer = answers.shift() ?? -constants.errno.EAGAIN;
      return typeof answer === 'number' ? answer : answer.copy(buffer);
    },
    close: () => 0,
  };
  return { fake, sent, opened: () => opened };
}

interface Described {
  family?: number;
  cookie?: bigint;
  inode?: number;
  local?: string;
  remote?: string;
  /** Of struct tcp_info; 248 on Linux 6.18. */
  infoBytes?: number;
  counters?: { acked?: bigint; received?: bigint; sent?: bigint; resent?: bigint };
  sequence?: number;
  flags?: number;
}

/** An answer about one socket, with an attribute of another kind in front of its counters. */
export function described(fields: Described): Buffer {
  const { family = 2, cookie = 1n, inode = 31_337, infoBytes = 248, counters = {}, sequence = 1, flags = 2 } = fields;
  const { local = '0a000005', remote = '0a000007' } = fields;
  const message = Buffer.alloc(72);
  message[0] = family;
  message.writeUInt16BE(3_306, 4);
  message.writeUInt16BE(40_112, 6);
  message.write(local, 8, 'hex');
  message.write(remote, 24, 'hex');
  message.writeBigUInt64LE(cookie, 44);
  message.writeUInt32LE(inode, 68);
  const shutdown = Buffer.from('0500080000000000', 'hex');
  const info = Buffer.alloc(4 + infoBytes);
  if (infoBytes > 0) {
    info.writeUInt16LE(info.length, 0);
    info.writeUInt16LE(2, 2);
    const { acked = 0n, received = 0n, sent = 0n, resent = 0n } = counters;
    for (const [at, value] of [
      [120, acked],
      [128, received],
      [200, sent],
      [208, resent],
    ] as const) {
      if (at + 8 <= infoBytes) info.writeBigUInt64LE(value, 4 + at);
    }
  }
  const answer = netlinkMessage(20, flags, Buffer.concat([message, shutdown, infoBytes > 0 ? info : Buffer.alloc(0)]));
  answer.writeUInt32LE(sequence, 8);
  return answer;
}

export function result(type: number, sequence: number, code = 0, flags = 2): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeInt32LE(code);
  const answer = netlinkMessage(type, flags, payload);
  answer.writeUInt32LE(sequence, 8);
  return answer;
}
