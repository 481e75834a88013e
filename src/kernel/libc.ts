import { createRequire } from 'node:module';
import { arch } from 'node:process';
import { getSystemErrorName } from 'node:util';

/**
 * System calls that Node.js does not offer. As in the kernel, each gives a result of 0 or more, or the negated errno:
 * absence is common in hot loops, and exceptions are dear.
 */
export interface Libc {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: Buffer): number;
  connect(fd: number, address: Buffer): number;
  /** Writes the socket's own address. */
  getsockname(fd: number, address: Buffer): number;
  setsockopt(fd: number, level: number, option: number, value: Buffer): number;
  send(fd: number, message: Buffer, length: number): number;
  /** Writes at most the buffer's length, and gives the number of bytes. */
  recv(fd: number, buffer: Buffer, flags: number): number;
  /** bpf(2). `attributes` is a `union bpf_attr`; what its pointers point to must be kept alive by the caller. */
  bpf(command: number, attributes: Buffer): number;
  close(fd: number): number;
  /** Gives memory that was freed back to the machine, malloc_trim(3); takes some 0.2 ms. */
  trim(): void;
  /** Where the bytes are, for pointers inside structures. Buffers do not move. */
  address(bytes: Buffer): bigint;
}

/** A system call refused; `code` is the errno's name, `EPERM`. */
export class KernelError extends Error {
  readonly code: string;

  constructor(call: string, result: number, detail = '') {
    const code = getSystemErrorName(result);
    super(`${call}: ${code}${detail && `: ${detail}`}`);
    this.name = 'KernelError';
    this.code = code;
  }
}

/** Gives the result of a call that may not fail. @throws KernelError */
export function must(result: number, call: string): number {
  if (result < 0) throw new KernelError(call, result);
  return result;
}

/** From the kernel's tables of system calls. */
const SYS_BPF: { [arch: string]: number } = { x64: 321, arm64: 280 };

/** @throws when koffi is not installed, or has no build for this machine. */
export function openLibc(): Libc {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const libc = koffi.load('libc.so.6');
  const socket = libc.func('int socket(int, int, int)');
  const bind = libc.func('int bind(int, void *, unsigned int)');
  const connect = libc.func('int connect(int, void *, unsigned int)');
  const getsockname = libc.func('int getsockname(int, void *, void *)');
  const setsockopt = libc.func('int setsockopt(int, int, int, void *, unsigned int)');
  const send = libc.func('long send(int, void *, size_t, int)');
  const recv = libc.func('long recv(int, void *, size_t, int)');
  const syscall = libc.func('long syscall(long, int, void *, unsigned int)');
  const close = libc.func('int close(int)');
  const trim = libc.func('int malloc_trim(size_t)');
  const sysBpf = SYS_BPF[arch];
  const result = (returned: number): number => (returned < 0 ? -koffi.errno() : returned);
  const addressLength = Buffer.alloc(4);
  return {
    socket: (family, type, protocol) => result(socket(family, type, protocol)),
    bind: (fd, address) => result(bind(fd, address, address.length)),
    connect: (fd, address) => result(connect(fd, address, address.length)),
    getsockname: (fd, address) => {
      addressLength.writeUInt32LE(address.length);
      return result(getsockname(fd, address, addressLength));
    },
    setsockopt: (fd, level, option, value) => result(setsockopt(fd, level, option, value, value.length)),
    send: (fd, message, length) => result(send(fd, message, length, 0)),
    recv: (fd, buffer, flags) => result(recv(fd, buffer, buffer.length, flags)),
    bpf: (command, attributes) => {
      if (sysBpf === undefined) throw new Error(`bpf(2) is not known for ${arch}`);
      return result(syscall(sysBpf, command, attributes, attributes.length));
    },
    close: (fd) => result(close(fd)),
    trim: () => {
      trim(0);
    },
    address: (bytes) => koffi.address(bytes),
  };
}
