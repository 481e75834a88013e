import type { Interval, IntervalProcess } from '../../protocol/interval.ts';
import type { Rules } from '../../protocol/message.ts';
import { FLOW_NAMES, type MaxName, METRICS, type MetricName } from '../../protocol/metric.ts';
import type { HostUsage, Identity } from '../../protocol/row.ts';
import { figure, isKnown } from '../figures.ts';
import type { Identities } from '../identity/identity.ts';
import { roundFigure } from '../rounding.ts';
import type { Sample } from '../sampler.ts';
import { isAlive, type ProcessCounters } from '../snapshot.ts';
import { HostMeans } from './host-means.ts';

/** Processes an interval keeps account of; a host with more active ones in half a minute loses the newest of them. */
const MAX_ACCOUNTS = 50_000;
/** Rows an interval may carry, the largest first. */
const MAX_ROWS = 2_000;

/** Largest distance of two samples' times that still counts as none. */
const SEAM_MS = 1_000;

const NOTHING_KNOWN = { network: undefined };

/** One process's part in the interval so far. */
interface Account {
  process: ProcessCounters;
  /** Read while it lives, when it first used anything. */
  identity: Identity | undefined;
  /** How far into the interval its present memory has been accounted for. */
  sinceMs: number;
  /** Per metric Σ value × ms and the largest value; undefined where it is not known. */
  sums: { [name in MetricName]?: { weighted: number; max: number } };
}

/** Where the last interval ended. */
export interface Seam {
  /** 0 before the first. */
  endMs: number;
  /** When its last sample was taken, at its end or, under load, long after it. */
  sampledAtMs: number;
}

/** Makes intervals of samples: averages and maxima, of the host and of the processes that matter. */
export class IntervalBuilder {
  readonly #identities: Identities;
  readonly #pageBytes: number;
  readonly #living = new Map<number, Account>();
  readonly #ended: Account[] = [];
  readonly #host = new HostMeans();
  #durationMs = 0;
  #samples = 0;
  /** Of the interval before; the next one meets it unless there is a gap between their samples. */
  seam: Seam = { endMs: 0, sampledAtMs: 0 };
  /** By the wall clock. */
  #startedAtMs = 0;
  #latest: Sample | undefined;

  constructor(identities: Identities, pageBytes: number) {
    this.#identities = identities;
    this.#pageBytes = pageBytes;
  }

  get isEmpty(): boolean {
    return this.#samples === 0;
  }

  add(sample: Sample): void {
    const { processes } = sample.snapshot;
    if (this.#samples === 0) this.#startedAtMs = Math.round(sample.atMs - sample.durationMs);
    this.#samples += 1;
    this.#latest = sample;
    this.#host.add(sample.host, sample.durationMs);
    for (const process of sample.processes.values()) this.#addProcess(process, sample);
    if (this.#living.size > processes.size) {
      for (const [pid, account] of this.#living) if (!processes.has(pid)) this.#end(pid, account);
    }
    this.#durationMs += sample.durationMs;
  }

  /** Ends the interval and begins the next; its disks are still to be filled in. @throws RangeError when no sample was added. */
  close(endMs: number, rules: Rules): Interval {
    const { averages, maxima } = this.#host.take();
    for (const [pid, account] of this.#living) this.#end(pid, account);
    const interval: Interval = {
      startMs: this.#startOf(endMs),
      endMs,
      samples: this.#samples,
      host: averages,
      hostMax: maxima,
      disks: [],
      processes: this.#worthRecording(rules, averages),
    };
    this.seam = { endMs, sampledAtMs: this.#latest?.atMs ?? endMs };
    this.#ended.length = 0;
    this.#samples = 0;
    this.#durationMs = 0;
    return interval;
  }

  /** Intervals without a gap between their samples meet exactly, though a sample may come long after the boundary. */
  #startOf(endMs: number): number {
    const long = Math.round(endMs - this.#durationMs);
    // Where the clock did not jump, its own word is the better one: the last sample may come long after the end.
    const sampledAtMs = this.#latest?.atMs ?? endMs;
    const isSteady = Math.abs(this.#startedAtMs - (sampledAtMs - this.#durationMs)) <= SEAM_MS;
    const measured = isSteady ? this.#startedAtMs : long;
    const meets = Math.abs(measured - this.seam.sampledAtMs) <= SEAM_MS;
    return Math.min(endMs - 1, meets ? this.seam.endMs : measured);
  }

  /** A process that changed nothing since its last sample is passed over: its memory is accounted for when it changes. */
  #addProcess(process: ProcessCounters, sample: Sample): void {
    let account = this.#living.get(process.pid);
    if (account !== undefined && account.process.startTicks !== process.startTicks) {
      this.#end(process.pid, account);
      account = undefined;
    }
    if (account === undefined) {
      if (this.#living.size + this.#ended.length >= MAX_ACCOUNTS) return;
      account = { process, identity: undefined, sinceMs: this.#durationMs, sums: {} };
      this.#living.set(process.pid, account);
    }
    const used = sample.usage.has(process.pid) || sample.network?.usage.has(process.pid);
    if (account.process !== process) {
      this.#accountMemory(account);
      account.process = process;
    }
    if (!used) return;
    account.identity ??= this.#identities.of(process);
    for (const name of FLOW_NAMES) {
      const value = figure(name, process, sample, this.#pageBytes);
      if (value !== undefined) addTo(account, name, value, sample.durationMs);
    }
  }

  #accountMemory(account: Account): void {
    addTo(account, 'rssBytes', account.process.rssPages * this.#pageBytes, this.#durationMs - account.sinceMs);
    account.sinceMs = this.#durationMs;
  }

  #end(pid: number, account: Account): void {
    this.#accountMemory(account);
    this.#living.delete(pid);
    this.#ended.push(account);
  }

  /** Every process that reached a threshold, and the `top` largest of each resource. */
  #worthRecording(rules: Rules, host: HostUsage): IntervalProcess[] {
    const chosen = new Set<Account>();
    const diskBusy = host.diskQueue >= rules.queue || host.diskUtilPercent >= rules.utilPercent;
    const thresholds = {
      cpu: rules.cpuPercent,
      mem: rules.memBytes,
      io: diskBusy ? 1 : rules.ioBytesPerSec,
      net: rules.netBytesPerSec,
    };
    const overThreshold: Account[] = [];
    for (const { name, rule } of METRICS) {
      const used = this.#ended.filter((account) => (account.sums[name]?.max ?? 0) > 0);
      used.sort((a, b) => (b.sums[name]?.weighted ?? 0) - (a.sums[name]?.weighted ?? 0));
      for (const [rank, account] of used.entries()) {
        if (rank < rules.top) chosen.add(account);
        else if ((account.sums[name]?.max ?? 0) >= thresholds[rule]) overThreshold.push(account);
      }
    }
    // Where there are too many rows, each resource keeps its largest.
    for (const account of overThreshold) chosen.add(account);
    return [...chosen].slice(0, MAX_ROWS).map((account) => this.#row(account));
  }

  #row(account: Account): IntervalProcess {
    const row: IntervalProcess = this.#identityOf(account);
    for (const { name } of METRICS) {
      const sum =
        account.sums[name] ??
        (isKnown(name, account.process, this.#latest ?? NOTHING_KNOWN) ? { weighted: 0, max: 0 } : undefined);
      if (sum === undefined) continue;
      const max: MaxName = `${name}Max`;
      row[name] = roundFigure(name, sum.weighted / this.#durationMs);
      row[max] = roundFigure(name, sum.max);
    }
    return row;
  }

  /** Of a process that still lives the newest, as ports may have opened since; else what was read in time. */
  #identityOf(account: Account): Identity {
    const { process } = account;
    const alive = this.#latest !== undefined && isAlive(process, this.#latest.snapshot.processes);
    if (alive) return { ...this.#identities.of(process) };
    return account.identity === undefined ? this.#identities.ofVanished(process) : { ...account.identity };
  }
}

function addTo(account: Account, name: MetricName, value: number, durationMs: number): void {
  const sum = account.sums[name];
  if (sum === undefined) {
    account.sums[name] = { weighted: value * durationMs, max: value };
    return;
  }
  sum.weighted += value * durationMs;
  if (value > sum.max) sum.max = value;
}
