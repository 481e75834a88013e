import { attachRawTracepoint, BpfMap } from './bpf.ts';
import { assemble, atomicAdd, call, compute, exit, label, load, mapEntry } from './bpf-assembly.ts';
import { memberOffsets } from './btf.ts';
import type { Libc } from './libc.ts';
import { asWords, u64At } from './words.ts';

/** Key: tgid u32. Value: u64 each, ns of CPU time of its tasks that are over, and how many they are. */
const MAP = { keyBytes: 4, valueBytes: 16, maxEntries: 32_768 } as const;

/** Places on the program's stack. */
const runtime = -8;
const key = -16;
const zeros = -32;

/**
 * What tasks had used when the kernel forgot them, after somebody reaped them: all of it, also the release of their memory
 * and their last run, which taskstats does not tell.
 */
export class TaskEnds {
  readonly #libc: Libc;
  readonly #map: BpfMap;
  readonly #links: number[];
  readonly #tgids: Uint32Array;
  readonly #words: Uint32Array;

  /**
   * @param btf content of /sys/kernel/btf/vmlinux.
   * @throws RangeError when it does not describe what is wanted; KernelError when the kernel refuses, as for `SocketBytes`.
   */
  constructor(libc: Libc, btf: Buffer) {
    const offsets = memberOffsets(btf, { task_struct: ['tgid', 'se'], sched_entity: ['sum_exec_runtime'] });
    const offset = (member: string): number => offsets.get(member) as number;
    const places = {
      tgid: offset('task_struct.tgid'),
      runtime: offset('task_struct.se') + offset('sched_entity.sum_exec_runtime'),
    };
    this.#libc = libc;
    this.#map = new BpfMap(libc, MAP);
    try {
      this.#links = attachRawTracepoint(libc, 'sched_process_free', program(this.#map.fd, places));
    } catch (error) {
      this.#map.close();
      throw error;
    }
    this.#tgids = asWords(this.#map.keys);
    this.#words = asWords(this.#map.values);
  }

  /** Takes out what ended since the last time: of each process its tasks' CPU time in ns. @throws KernelError */
  drain(visit: (tgid: number, cpuNs: number, tasks: number) => void): void {
    const count = this.#map.drain();
    const words = this.#words;
    for (let index = 0; index < count; index += 1) {
      const at = index * 4;
      visit(this.#tgids[index] as number, u64At(words, at), words[at + 2] as number);
    }
  }

  close(): void {
    for (const fd of this.#links.splice(0)) this.#libc.close(fd);
    this.#map.close();
  }
}

/** Runs at the tracepoint (task), where the task is not the one that is running. A full map leaves out the newest. */
function program(mapFd: number, places: { tgid: number; runtime: number }): Buffer {
  const read = (place: number, bytes: number, offset: number) => [
    compute('r1', '=', 'r10'),
    compute('r1', '+', place),
    compute('r2', '=', bytes),
    compute('r3', '=', 'r6'),
    compute('r3', '+', offset),
    call('probe_read_kernel'),
  ];
  return assemble([
    load('u64', 'r6', 'r1', 0),
    ...read(runtime, 8, places.runtime),
    ...read(key, 4, places.tgid),
    ...mapEntry('process', { mapFd, key, value: zeros, valueBytes: MAP.valueBytes }, 'done'),
    load('u64', 'r1', 'r10', runtime),
    atomicAdd('r0', 0, 'r1'),
    compute('r1', '=', 1),
    atomicAdd('r0', 8, 'r1'),
    label('done'),
    compute('r0', '=', 0),
    exit(),
  ]);
}
