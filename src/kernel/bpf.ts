import { constants } from 'node:os';
import { KernelError, type Libc, must } from './libc.ts';

/** Commands and types of bpf(2), include/uapi/linux/bpf.h. */
const BPF_MAP_CREATE = 0;
const BPF_PROG_LOAD = 5;
const BPF_RAW_TRACEPOINT_OPEN = 17;
const BPF_MAP_LOOKUP_AND_DELETE_BATCH = 25;
const BPF_MAP_TYPE_HASH = 1;
const BPF_PROG_TYPE_RAW_TRACEPOINT = 17;

const LOG_BYTES = 65_536;
const MAX_LOAD_TRIES = 10;

/** A hash map that programs of the kernel add to and this process empties. */
export class BpfMap {
  readonly fd: number;
  readonly maxEntries: number;
  /** Entries of the last `drain`, one after the other. */
  readonly keys: Buffer;
  readonly values: Buffer;
  readonly #libc: Libc;
  readonly #batch = Buffer.alloc(56);
  readonly #position = Buffer.alloc(4);

  /** @throws KernelError EPERM without the right to, ENOMEM. */
  constructor(
    libc: Libc,
    { keyBytes, valueBytes, maxEntries }: { keyBytes: number; valueBytes: number; maxEntries: number },
  ) {
    const attributes = Buffer.alloc(20);
    for (const [index, value] of [BPF_MAP_TYPE_HASH, keyBytes, valueBytes, maxEntries].entries()) {
      attributes.writeUInt32LE(value, index * 4);
    }
    this.#libc = libc;
    this.fd = must(libc.bpf(BPF_MAP_CREATE, attributes), 'bpf(BPF_MAP_CREATE)');
    this.maxEntries = maxEntries;
    // Room for the whole map, so that one call is enough; memory that is never written to costs nothing.
    this.keys = Buffer.allocUnsafeSlow(keyBytes * maxEntries);
    this.values = Buffer.allocUnsafeSlow(valueBytes * maxEntries);
    this.#batch.writeBigUInt64LE(libc.address(this.#position), 8);
    this.#batch.writeBigUInt64LE(libc.address(this.keys), 16);
    this.#batch.writeBigUInt64LE(libc.address(this.values), 24);
    this.#batch.writeUInt32LE(this.fd, 36);
  }

  /**
   * Takes out every entry, into `keys` and `values`. What a program adds in the very moment that its entry is copied is
   * lost: one call's bytes at most. @returns how many entries there were. @throws KernelError
   */
  drain(): number {
    this.#batch.writeUInt32LE(this.maxEntries, 32);
    const result = this.#libc.bpf(BPF_MAP_LOOKUP_AND_DELETE_BATCH, this.#batch);
    // ENOENT says that the end was reached, which is what is wanted.
    if (result < 0) {
      const error = new KernelError('bpf(BPF_MAP_LOOKUP_AND_DELETE_BATCH)', result);
      if (error.code !== 'ENOENT') throw error;
    }
    return this.#batch.readUInt32LE(32);
  }

  close(): void {
    this.#libc.close(this.fd);
  }
}

/**
 * Has the kernel verify a program, and runs it at every pass of a tracepoint until the descriptors are closed, which the
 * kernel does itself when this process ends, however it ends.
 * @throws KernelError with the verifier's last words.
 */
export function attachRawTracepoint(libc: Libc, tracepoint: string, code: Buffer): number[] {
  const license = Buffer.from('GPL\0');
  const log = Buffer.alloc(LOG_BYTES);
  const load = Buffer.alloc(48);
  load.writeUInt32LE(BPF_PROG_TYPE_RAW_TRACEPOINT, 0);
  load.writeUInt32LE(code.length / 8, 4);
  load.writeBigUInt64LE(libc.address(code), 8);
  load.writeBigUInt64LE(libc.address(license), 16);
  load.writeUInt32LE(1, 24);
  load.writeUInt32LE(LOG_BYTES, 28);
  load.writeBigUInt64LE(libc.address(log), 32);
  let program = libc.bpf(BPF_PROG_LOAD, load);
  // The verifier gives up with EAGAIN when a signal arrives meanwhile.
  for (let tries = 1; program === -constants.errno.EAGAIN && tries < MAX_LOAD_TRIES; tries += 1) {
    program = libc.bpf(BPF_PROG_LOAD, load);
  }
  if (program < 0) throw new KernelError(`bpf(BPF_PROG_LOAD ${tracepoint})`, program, lastWords(log));

  const name = Buffer.from(`${tracepoint}\0`);
  const open = Buffer.alloc(16);
  open.writeBigUInt64LE(libc.address(name), 0);
  open.writeUInt32LE(program, 8);
  const link = libc.bpf(BPF_RAW_TRACEPOINT_OPEN, open);
  if (link < 0) {
    libc.close(program);
    throw new KernelError(`bpf(BPF_RAW_TRACEPOINT_OPEN ${tracepoint})`, link);
  }
  return [program, link];
}

/** The verifier ends its log with what it objects to, and a summary. */
function lastWords(log: Buffer): string {
  const text = log.toString('latin1', 0, log.indexOf(0)).trim();
  return text.split('\n').slice(-4).join('; ');
}
