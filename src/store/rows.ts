import type { Disk, Interval, IntervalEndpoint, IntervalInterface, IntervalProcess } from '../protocol/interval.ts';
import { type MaxName, METRICS } from '../protocol/metric.ts';
import type { HostInterval } from './store.ts';
import { LARGEST_WHOLE, LONGEST_PATH, type Table } from './table.ts';
import {
  DISK_INFO,
  DISK_UTIL_QU_INFO,
  HOST_FIGURES,
  HOST_MAXIMA,
  NET_INFO,
  PORT_NET_INFO,
  PROCESS_IO_INFO,
  UNATTRIBUTED,
  WHOLE_FIGURES,
} from './tables.ts';

/** One row, in the order of its table's columns. Arrays, as a server makes thousands of them a second. */
export type Values = (string | number | Buffer | null)[];

/** How a store writes an instant, and the MD5 of a text. */
export interface Writing {
  time: (epochMs: number) => string | number;
  md5: (text: string) => string | Buffer;
}
type Time = ReturnType<Writing['time']>;

/** The rows that keep one interval. Of a process (pid, start) or mount listed twice the first counts. */
export interface IntervalRows {
  /** `HOST_INFO`. */
  host: Values;
  /** `HOST_LAST`. */
  last: Values;
  /** Each distinct one, by the text whose MD5 stands for it. */
  names: ReadonlyMap<string, IntervalProcess>;
  parts: ReadonlyMap<Table, Values[]>;
}

const METRIC_NAMES = METRICS.map(({ name }) => name);
const MAX_NAMES = METRIC_NAMES.map((name): MaxName => `${name}Max`);

export function intervalRows({ host, interval }: HostInterval, writing: Writing): IntervalRows {
  const time = writing.time(interval.endMs);
  const names = new Map<string, IntervalProcess>();
  const processes = inOrder(interval.processes).map(({ process, startedMs }) => {
    const text = JSON.stringify(namesOf(process));
    if (!names.has(text)) names.set(text, process);
    return processRow(host, time, process, startedMs, writing.md5(text));
  });
  const { disks, interfaces = [], endpoints = [] } = interval;
  return {
    host: hostRow(host, time, interval, processes.length),
    last: [host, time],
    names,
    parts: new Map([
      [PROCESS_IO_INFO, processes],
      [
        DISK_INFO,
        distinct(
          disks.map((disk) => diskRow(host, time, disk)),
          DISK_INFO,
        ),
      ],
      [
        DISK_UTIL_QU_INFO,
        distinct(
          disks.filter(hasCounters).map((disk) => diskUtilRow(host, time, disk)),
          DISK_UTIL_QU_INFO,
        ),
      ],
      [
        NET_INFO,
        distinct(
          interfaces.map((card) => netRow(host, time, card)),
          NET_INFO,
        ),
      ],
      [
        PORT_NET_INFO,
        distinct(
          endpoints.map((endpoint) => portNetRow(host, time, endpoint)),
          PORT_NET_INFO,
        ),
      ],
    ]),
  };
}

/** `PROCESS_INFO`; used last by an interval that ended at `endMs`. */
export function nameRow(text: string, process: IntervalProcess, endMs: number, { md5, time }: Writing): Values {
  return [md5(text), ...namesOf(process), time(endMs)];
}

/** What is absent counts too. */
function namesOf({ cmdline, instance, user, comm, unit, container, ports }: IntervalProcess): Values {
  return [cmdline, instance, user, comm, unit ?? null, container ?? null, ports.join(',')];
}

/** As the primary key has them. */
function inOrder(processes: readonly IntervalProcess[]): { process: IntervalProcess; startedMs: number }[] {
  return processes
    .map((process) => ({ process, startedMs: startedMs(process) }))
    .sort((a, b) => a.process.pid - b.process.pid || a.startedMs - b.startedMs)
    .filter(
      ({ process, startedMs: started }, index, all) =>
        all[index - 1]?.process.pid !== process.pid || all[index - 1]?.startedMs !== started,
    );
}

/** Epoch ms. A start that is no date is taken for 0: one odd process must not cost its host the interval. */
function startedMs({ startedAt }: IntervalProcess): number {
  return Date.parse(startedAt) || 0;
}

function distinct(rows: Values[], table: Table): Values[] {
  if (rows.length < 2) return rows;
  const key = table.key.map((name) => table.columns.findIndex((column) => column.name === name));
  const found = new Map<string, Values>();
  for (const row of rows) {
    const its = key.map((index) => keyText(String(row[index]))).join('\0');
    if (!found.has(its)) found.set(its, row);
  }
  return [...found.values()];
}

/** Keys that differ in spaces at their end alone are equal to MySQL. */
function keyText(text: string): string {
  return text.endsWith(' ') ? text.replace(/ +$/, '') : text;
}

/** An interval that claims no length is taken for a millisecond, so that no average divides by zero. */
function hostRow(rshost: string, time: Time, interval: Interval, recorded: number): Values {
  const { startMs, endMs, samples, host, hostMax } = interval;
  return [
    ...[rshost, time, whole(Math.max(1, endMs - startMs)), whole(samples), recorded],
    ...HOST_FIGURES.map(({ field }) => (WHOLE_FIGURES.includes(field) ? whole(host[field]) : host[field])),
    ...HOST_MAXIMA.map(({ field }) => hostMax[field]),
    ...UNATTRIBUTED.map(({ field }) => host.unattributed[field] ?? null),
  ];
}

function processRow(
  rshost: string,
  time: Time,
  process: IntervalProcess,
  started: number,
  md5: string | Buffer,
): Values {
  const { pid, state, threads, ports } = process;
  const rsport = ports.length === 0 ? null : Math.min(...ports);
  const row: Values = [rshost, time, whole(pid), started, rsport, md5, state, whole(threads)];
  for (const name of METRIC_NAMES) row.push(process[name] ?? null);
  for (const name of MAX_NAMES) row.push(process[name] ?? null);
  return row;
}

function diskRow(rshost: string, time: Time, { mount, device, totalBytes, usedBytes }: Disk): Values {
  return [rshost, time, mount.slice(0, LONGEST_PATH), device, totalBytes, usedBytes];
}

function diskUtilRow(rshost: string, time: Time, disk: Disk): Values {
  return [rshost, time, disk.device, ...countersOf(disk).map((value) => value ?? null)];
}

function hasCounters(disk: Disk): boolean {
  return countersOf(disk).some((value) => value !== undefined);
}

function countersOf(disk: Disk): (number | undefined)[] {
  const { readBytesPerSec, writeBytesPerSec, utilPercent, utilPercentMax, queue, queueMax } = disk;
  return [readBytesPerSec, writeBytesPerSec, utilPercent, utilPercentMax, queue, queueMax];
}

function netRow(rshost: string, time: Time, card: IntervalInterface): Values {
  return [rshost, time, card.name, card.speedBitsPerSec ?? null, ...ratesOf(card)];
}

function portNetRow(rshost: string, time: Time, endpoint: IntervalEndpoint): Values {
  const { instance, localPort = 0, remoteAddress, remotePort = 0 } = endpoint;
  return [rshost, time, instance, localPort, remoteAddress, remotePort, ...ratesOf(endpoint)];
}

function ratesOf(of: IntervalInterface | IntervalEndpoint): Values {
  return [of.inBytesPerSec, of.inBytesPerSecMax, of.outBytesPerSec, of.outBytesPerSecMax];
}

/** An absurd count must not cost its host the interval. */
function whole(count: number): number {
  return Math.min(Math.round(count), LARGEST_WHOLE);
}
