import { isBaseDisk } from '../procfs/block-device.ts';
import { type DiskCounters, parseDiskstats } from '../procfs/diskstats.ts';
import { KernelText, readWhole } from '../procfs/kernel-file.ts';
import { type MemInfo, parseMemInfo } from '../procfs/meminfo.ts';
import { type InterfaceCounters, parseNetDev } from '../procfs/net-dev.ts';
import { hostInterfaces } from '../procfs/net-interface.ts';
import { type CpuTimes, parseStat } from '../procfs/stat.ts';

/** The machine's own counters at one moment: the truth that processes are added up against. */
export interface HostCounters {
  /** When `cpu` was read: the CPU truth is wall time less idle time, so the two belong together. */
  monotonicMs: number;
  cpu: CpuTimes;
  /** Since boot, suspended time included: the clock that start times of processes are on. */
  uptimeTicks: number;
  memory: MemInfo;
  load1: number;
  /** Every device of /proc/diskstats. */
  disks: DiskCounters[];
  /** Those of `disks` that count towards the host's total. */
  baseDisks: ReadonlySet<string>;
  /** Interfaces that count towards the host's total. */
  interfaces: InterfaceCounters[];
  /** The loopback interface, where the kernel has one; each byte is counted both in and out. */
  loopback: InterfaceCounters | undefined;
}

export class HostReader {
  readonly #procRoot: string;
  readonly #sysRoot: string;
  readonly #text = new KernelText();
  readonly #isBaseDisk = new Map<string, boolean>();
  #interfaceNames = '';
  #countedInterfaces: ReadonlySet<string> = new Set();

  constructor(procRoot: string, sysRoot: string) {
    this.#procRoot = procRoot;
    this.#sysRoot = sysRoot;
  }

  /** @throws when /proc/stat, uptime or meminfo is missing: then this is no Linux /proc. Disks and network may be absent. */
  read(): HostCounters {
    const stat = this.#required('stat');
    const monotonicMs = performance.now();
    const uptimeTicks = Math.round(Number.parseFloat(this.#required('uptime')) * 100);
    const disks = parseDiskstats(this.#optional('diskstats'));
    const interfaces = parseNetDev(this.#optional('net/dev'));
    const counted = this.#countedAmong(interfaces.map(({ name }) => name));
    return {
      monotonicMs,
      cpu: parseStat(stat),
      uptimeTicks,
      memory: parseMemInfo(this.#required('meminfo')),
      load1: Number.parseFloat(this.#optional('loadavg')) || 0,
      disks,
      baseDisks: new Set(disks.filter(({ name }) => this.#isBase(name)).map(({ name }) => name)),
      interfaces: interfaces.filter(({ name }) => counted.has(name)),
      loopback: interfaces.find(({ name }) => name === 'lo'),
    };
  }

  /** Looked up anew only when an interface has come or gone. */
  #countedAmong(names: readonly string[]): ReadonlySet<string> {
    const known = names.join();
    if (known !== this.#interfaceNames) {
      this.#interfaceNames = known;
      this.#countedInterfaces = new Set(hostInterfaces(this.#sysRoot, names));
    }
    return this.#countedInterfaces;
  }

  #isBase(name: string): boolean {
    let base = this.#isBaseDisk.get(name);
    if (base === undefined) {
      base = isBaseDisk(this.#sysRoot, name);
      this.#isBaseDisk.set(name, base);
    }
    return base;
  }

  #required(file: string): string {
    const absent = readWhole(`${this.#procRoot}/${file}`, this.#text);
    if (absent !== undefined) throw new Error(`${this.#procRoot}/${file} is ${absent}`);
    return this.#text.toString();
  }

  #optional(file: string): string {
    return readWhole(`${this.#procRoot}/${file}`, this.#text) === undefined ? this.#text.toString() : '';
  }
}
