import type { Interval, IntervalProcess } from '../../../src/protocol/interval.ts';
import type { HostInterval } from '../../../src/store/store.ts';
import { seededRandom } from '../../support/random.ts';

const PROGRAMS = [
  'mysqld',
  'redis-server',
  'postgres',
  'java',
  'xtrabackup',
  'nginx',
  'python3',
  'sshd',
  'rsync',
  'bash',
];

/** Hosts that run the same processes all the time and use more or less. */
export class SyntheticFleet {
  readonly #random = seededRandom(1);
  readonly #hosts: { name: string; processes: IntervalProcess[] }[];

  constructor(hosts: number, processesPerHost: number) {
    this.#hosts = Array.from({ length: hosts }, (_, host) => ({
      name: `10.20.${Math.floor(host / 250)}.${host % 250}`,
      processes: Array.from({ length: processesPerHost }, (_, index) => this.#process(host, index)),
    }));
  }

  /** What all of them deliver at the end of one interval. */
  intervals(endMs: number, lengthMs: number): HostInterval[] {
    return this.#hosts.map(({ name, processes }) => ({
      host: name,
      interval: this.#interval(processes, endMs, lengthMs),
    }));
  }

  #process(host: number, index: number): IntervalProcess {
    const comm = PROGRAMS[index % PROGRAMS.length] ?? 'x';
    const port = index < 12 ? 3306 + index : undefined;
    return {
      pid: 1_000 + Math.floor(this.#random() * 4e6),
      instance: port === undefined ? comm : `${comm}:${port}`,
      comm,
      user: comm === 'mysqld' ? 'mysql' : 'root',
      cmdline: `/usr/sbin/${comm} --defaults-file=/etc/instances/${host}/${index}.cnf --datadir=/data/${index}`,
      ports: port === undefined ? [] : [port],
      state: 'S',
      threads: 1 + Math.floor(this.#random() * 60),
      startedAt: new Date(1.79e12 + Math.floor(this.#random() * 1e9)).toISOString(),
    };
  }

  #interval(processes: readonly IntervalProcess[], endMs: number, lengthMs: number): Interval {
    const random = this.#random;
    const some = (most: number): number => Math.round(random() * most * 1_000) / 1_000;
    const bytes = (most: number): number => Math.round(random() * most);
    const disk = (mount: string, device: string) => ({
      ...{ mount, device, totalBytes: 1e12, usedBytes: bytes(1e12), readBytesPerSec: bytes(1e8) },
      ...{ writeBytesPerSec: bytes(1e8), utilPercent: some(50), utilPercentMax: 99.5, queue: some(2), queueMax: 8 },
    });
    const rates = () => ({
      ...{ inBytesPerSec: bytes(1e7), inBytesPerSecMax: bytes(1e7) },
      ...{ outBytesPerSec: bytes(1e7), outBytesPerSecMax: bytes(1e7) },
    });
    return {
      startMs: endMs - lengthMs,
      endMs,
      samples: 15,
      host: {
        ...{ cores: 16, cpuPercent: some(1_600), iowaitPercent: some(20), stealPercent: 0, load1: some(20) },
        ...{
          memTotalBytes: 128e9,
          memUsedBytes: bytes(128e9),
          readBytesPerSec: bytes(1e8),
          writeBytesPerSec: bytes(1e8),
        },
        ...{ deviceReadBytesPerSec: bytes(1e8), deviceWriteBytesPerSec: bytes(1e8), diskUtilPercent: some(100) },
        ...{ diskQueue: some(8), netInBytesPerSec: bytes(1e8), netOutBytesPerSec: bytes(1e8), processes: 400 },
        unattributed: { cpuPercent: some(5), readBytesPerSec: 0, writeBytesPerSec: bytes(1e5), netInBytesPerSec: 0 },
      },
      hostMax: {
        ...{ cpuPercent: 1_600, memUsedBytes: 128e9, readBytesPerSec: bytes(1e9), writeBytesPerSec: bytes(1e9) },
        ...{ diskUtilPercent: 100, diskQueue: 30, netInBytesPerSec: bytes(1e9), netOutBytesPerSec: bytes(1e9) },
      },
      disks: [disk('/', '/dev/vda1'), disk('/data', '/dev/vdb')],
      interfaces: [{ name: 'eth0', speedBitsPerSec: 1e10, ...rates() }],
      endpoints: [{ instance: 'mysqld:3306', localPort: 3306, remoteAddress: '10.20.9.9', ...rates() }],
      processes: processes.map((process) => {
        const cpuPercent = some(80);
        const rssBytes = bytes(8e9);
        const isBusy = random() < 0.3;
        const flow = isBusy ? { readBytesPerSec: bytes(1e7), writeBytesPerSec: bytes(1e7) } : QUIET;
        return {
          ...{ ...process, cpuPercent, cpuPercentMax: cpuPercent * 2, rssBytes, rssBytesMax: rssBytes + 4_096 },
          ...{ ...flow, readBytesPerSecMax: flow.readBytesPerSec * 3, writeBytesPerSecMax: flow.writeBytesPerSec * 3 },
          ...{ netInBytesPerSec: bytes(1e5), netInBytesPerSecMax: 1e5, netOutBytesPerSec: 0, netOutBytesPerSecMax: 0 },
        };
      }),
    };
  }
}

const QUIET = { readBytesPerSec: 0, writeBytesPerSec: 0 };
