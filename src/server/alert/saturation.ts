import type { Beat } from '../../protocol/message.ts';
import { duration } from './book.ts';
import { Load } from './load.ts';
import type { Verdict } from './verdict.ts';

/** From which share of a host's whole on, 0–100, for how long; 0: never. */
export interface SaturationLimits {
  readonly cpuPercent: number;
  readonly memPercent: number;
  readonly diskUtilPercent: number;
  readonly netPercent: number;
  readonly forMs: number;
}

/** Averages of so many steps in a row have to be above: one sample that is not does not matter, a quiet minute does. */
const STEPS = 10;
/** A host that was silent for longer begins anew. */
const MAX_GAP_MS = 90_000;
const MOST_CULPRITS = 3;
/** Smaller shares are not worth a word. */
const LEAST_PERCENT = 3;
const MUCH_UNATTRIBUTED_PERCENT = 10;

class HostLoad {
  readonly cpu = new Load();
  readonly mem = new Load();
  readonly disk = new Load();
  readonly net = new Load();
  /** Of the busiest interface, as its last beat was. */
  interfaceName = '';
  isOut = false;
  stepAt: number;
  beatAt: number;

  constructor(now: number) {
    this.stepAt = now;
    this.beatAt = now;
  }
}

/** Which hosts are used up, and by whom: host figures and culprits of each beat, averaged. */
export class Saturation {
  #limits: SaturationLimits;
  readonly #hosts = new Map<string, HostLoad>();

  constructor(limits: SaturationLimits) {
    this.#limits = withNever(limits);
  }

  /** What was added up by other limits says nothing any more. */
  change(limits: SaturationLimits): void {
    this.#limits = withNever(limits);
    this.#hosts.clear();
  }

  forget(host: string): void {
    this.#hosts.delete(host);
  }

  /** @param now monotonic, ms. @returns what can be said of the host, at the end of a step; else nothing. */
  add(host: string, beat: Beat, now: number): Verdict[] | undefined {
    let load = this.#hosts.get(host);
    if (load === undefined || now - load.beatAt > MAX_GAP_MS) {
      load = new HostLoad(now);
      this.#hosts.set(host, load);
    }
    load.beatAt = now;
    this.#addCpu(load.cpu, beat);
    this.#addMem(load.mem, beat);
    this.#addDisk(load.disk, beat);
    this.#addNet(load, beat);
    const stepMs = now - load.stepAt;
    if (stepMs < this.#limits.forMs / STEPS) return undefined;
    load.stepAt = now;
    return this.#endStep(host, load, stepMs);
  }

  #addCpu(load: Load, { usage, culprits }: Beat): void {
    const perUnit = 1 / usage.cores;
    if (!load.add(usage.cpuPercent * perUnit, this.#limits.cpuPercent)) return;
    load.blame(culprits.cpu, perUnit);
    load.blameNobody((usage.unattributed.cpuPercent ?? 0) * perUnit);
  }

  #addMem(load: Load, { usage: { memUsedBytes, memTotalBytes }, culprits }: Beat): void {
    const perUnit = memTotalBytes > 0 ? 100 / memTotalBytes : 0;
    if (load.add(memUsedBytes * perUnit, this.#limits.memPercent)) load.blame(culprits.mem, perUnit);
  }

  /** How long each process kept the disk busy nobody knows: they are named by their share of the bytes. */
  #addDisk(load: Load, { usage, culprits }: Beat): void {
    if (!load.add(usage.diskUtilPercent, this.#limits.diskUtilPercent)) return;
    const bytes = usage.readBytesPerSec + usage.writeBytesPerSec;
    const perUnit = bytes > 0 ? 100 / bytes : 0;
    load.blame(culprits.read, perUnit);
    load.blame(culprits.write, perUnit);
    const { readBytesPerSec = 0, writeBytesPerSec = 0 } = usage.unattributed;
    load.blameNobody((readBytesPerSec + writeBytesPerSec) * perUnit);
  }

  #addNet(load: HostLoad, { usage, culprits, network }: Beat): void {
    let busiest = 0;
    for (const { name, speedBitsPerSec = 0, inBytesPerSec, outBytesPerSec } of network?.interfaces ?? NONE) {
      if (speedBitsPerSec === 0) continue;
      const percent = (Math.max(inBytesPerSec, outBytesPerSec) * 800) / speedBitsPerSec;
      if (percent <= busiest) continue;
      busiest = percent;
      load.interfaceName = name;
      load.isOut = outBytesPerSec > inBytesPerSec;
    }
    if (!load.net.add(busiest, this.#limits.netPercent)) return;
    const bytes = load.isOut ? usage.netOutBytesPerSec : usage.netInBytesPerSec;
    const perUnit = bytes > 0 ? 100 / bytes : 0;
    load.net.blame(culprits[load.isOut ? 'net-out' : 'net-in'], perUnit);
    const { netInBytesPerSec = 0, netOutBytesPerSec = 0 } = usage.unattributed;
    load.net.blameNobody((load.isOut ? netOutBytesPerSec : netInBytesPerSec) * perUnit);
  }

  #endStep(host: string, { cpu, mem, disk, net, interfaceName, isOut }: HostLoad, stepMs: number): Verdict[] {
    const { cpuPercent, memPercent, diskUtilPercent, netPercent, forMs } = this.#limits;
    const resources = [
      { kind: 'cpu', load: cpu, limit: cpuPercent, what: 'cpu', of: '' },
      { kind: 'mem', load: mem, limit: memPercent, what: 'memory', of: '' },
      { kind: 'disk', load: disk, limit: diskUtilPercent, what: 'disk busy', of: ' of its bytes' },
      {
        kind: 'net',
        load: net,
        limit: netPercent,
        what: `${interfaceName} ${isOut ? 'out' : 'in'}`,
        of: ' of its bytes',
      },
    ] as const;
    const verdicts: Verdict[] = [];
    for (const { kind, load, limit, what, of } of resources) {
      load.endStep(stepMs, limit);
      if (load.hotMs >= forMs) {
        const text = `${what} ${Math.round(load.averagePercent)} % for ${duration(load.hotMs)}${blamed(load, of)}`;
        verdicts.push({ host, kind, isWell: false, text });
      } else if (load.coolMs >= forMs) verdicts.push({ host, kind, isWell: true, text: WELL[kind] });
    }
    return verdicts;
  }
}

/** No share reaches 0 for never. */
function withNever({ forMs, ...limits }: SaturationLimits): SaturationLimits {
  const reached = (percent: number) => (percent === 0 ? Number.POSITIVE_INFINITY : percent);
  return {
    cpuPercent: reached(limits.cpuPercent),
    memPercent: reached(limits.memPercent),
    diskUtilPercent: reached(limits.diskUtilPercent),
    netPercent: reached(limits.netPercent),
    forMs,
  };
}

const NONE = [] as const;
const WELL = {
  cpu: 'cpu has room again',
  mem: 'memory has room again',
  disk: 'disk has room again',
  net: 'network has room again',
} as const;

/** `: mysqld:3307 61 %, xtrabackup 22 %`. */
function blamed(load: Load, of: string): string {
  const shares = load.shares().slice(0, MOST_CULPRITS);
  if (load.unattributedPercent >= MUCH_UNATTRIBUTED_PERCENT)
    shares.push({ instance: 'unattributed', percent: load.unattributedPercent });
  const named = shares
    .filter(({ percent }) => percent >= LEAST_PERCENT)
    .map(({ instance, percent }) => `${instance} ${Math.round(percent)} %`);
  return named.length === 0 ? '' : `: ${named.join(', ')}${of}`;
}
