import { readFileSync, statSync } from 'node:fs';
import type { Libc } from '../../kernel/libc.ts';
import { SocketBytes } from '../../kernel/socket-bytes.ts';
import type { PidNamespace } from '../../kernel/socket-program.ts';
import { type EndpointBytes, type NetworkBytes, type NetworkReading, type NetworkSource, noBytes } from './source.ts';

/** Inode of the PID namespace that the machine started with, PROC_PID_INIT_INO in include/linux/proc_ns.h. */
const FIRST_PID_NAMESPACE = 4_026_531_836n;
/** What Linux has unless it was told otherwise. */
const EPHEMERAL_PORTS: [number, number] = [32_768, 60_999];

/** The first rung: programs in the kernel see every byte of every process. */
export class BpfNetwork implements NetworkSource {
  readonly name = 'bpf';
  readonly #socketBytes: SocketBytes;

  /** @throws KernelError when the kernel refuses. */
  constructor(libc: Libc, { procRoot, ownPid }: { procRoot: string; ownPid: number }) {
    this.#socketBytes = new SocketBytes(libc, ownPid, {
      pidNamespace: ownPidNamespace(procRoot),
      ephemeralPorts: readEphemeralPorts(procRoot),
    });
  }

  get limitation(): string | undefined {
    return this.#socketBytes.isFull ? 'more processes use the network at once than can be counted' : undefined;
  }

  read(): NetworkReading {
    const processes = new Map<number, NetworkBytes>();
    const endpoints: EndpointBytes[] = [];
    this.#socketBytes.drain((part) => {
      const { tgid, scope, outBytes, inBytes } = part;
      let bytes = processes.get(tgid);
      if (bytes === undefined) {
        bytes = noBytes();
        processes.set(tgid, bytes);
      }
      switch (scope) {
        case 'network':
          bytes.outBytes += outBytes;
          bytes.inBytes += inBytes;
          break;
        case 'loopback':
          bytes.loopbackOutBytes += outBytes;
          bytes.loopbackInBytes += inBytes;
          break;
        case 'unconnected':
          bytes.unconnectedOutBytes += outBytes;
          bytes.unconnectedInBytes += inBytes;
      }
      const endpoint = part.endpoint();
      if (endpoint !== undefined) endpoints.push(endpoint);
    });
    return { processes, endpoints };
  }

  close(): void {
    this.#socketBytes.close();
  }
}

/** @returns undefined in the first namespace, where process ids are everybody's. */
export function ownPidNamespace(procRoot: string): PidNamespace | undefined {
  const { dev, ino } = statSync(`${procRoot}/self/ns/pid`, { bigint: true });
  return ino === FIRST_PID_NAMESPACE ? undefined : { device: dev, inode: ino };
}

function readEphemeralPorts(procRoot: string): [number, number] {
  try {
    const [low, high] = readFileSync(`${procRoot}/sys/net/ipv4/ip_local_port_range`, 'utf8').trim().split(/\s+/);
    return [Number(low), Number(high)];
  } catch {
    return EPHEMERAL_PORTS;
  }
}
