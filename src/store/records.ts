import { createHash } from 'node:crypto';
import type {
  Disk,
  HostMaxima,
  Interval,
  IntervalEndpoint,
  IntervalInterface,
  IntervalProcess,
} from '../protocol/interval.ts';
import { type Flows, type MaxName, METRICS } from '../protocol/metric.ts';
import type { HostTotal, ProcessRow } from '../protocol/row.ts';
import type { HostHistory } from './store.ts';
import { type Fields, HOST_FIGURES, HOST_MAXIMA, UNATTRIBUTED } from './tables.ts';

/** `HOST_INFO`. An interval that claims no length is taken for a millisecond, so that no average divides by zero. */
export function hostInfoFields(rshost: string, interval: Interval, recorded: number): Fields {
  const { startMs, endMs, samples, host, hostMax } = interval;
  const start_time = Math.min(startMs, endMs - 1);
  const fields: Fields = { rshost, a_time: endMs, start_time, samples, recorded };
  for (const { field, column } of HOST_FIGURES) fields[column] = host[field];
  for (const { field, column } of HOST_MAXIMA) fields[column] = hostMax[field];
  for (const { field, column } of UNATTRIBUTED) fields[column] = host.unattributed[field] ?? null;
  return fields;
}

/** `DISK_INFO`. */
export function diskInfoFields(rshost: string, a_time: number, disk: Disk): Fields {
  const { mount, device, totalBytes, usedBytes } = disk;
  return { rshost, a_time, mount, device, total_bytes: totalBytes, used_bytes: usedBytes };
}

/** `DISK_UTIL_QU_INFO`; undefined for a device without counters. */
export function diskUtilFields(rshost: string, a_time: number, disk: Disk): Fields | undefined {
  const counters = {
    read_bytes_per_sec: disk.readBytesPerSec ?? null,
    write_bytes_per_sec: disk.writeBytesPerSec ?? null,
    util_percent: disk.utilPercent ?? null,
    util_percent_max: disk.utilPercentMax ?? null,
    queue: disk.queue ?? null,
    queue_max: disk.queueMax ?? null,
  };
  if (Object.values(counters).every((value) => value === null)) return undefined;
  return { rshost, a_time, device: disk.device, ...counters };
}

/** `NET_INFO`. */
export function netFields(rshost: string, a_time: number, card: IntervalInterface): Fields {
  const { name, speedBitsPerSec = null } = card;
  return { rshost, a_time, interface: name, speed_bits_per_sec: speedBitsPerSec, ...netFigures(card) };
}

/** `PORT_NET_INFO`. */
export function portNetFields(rshost: string, a_time: number, endpoint: IntervalEndpoint): Fields {
  const { instance, localPort = 0, remoteAddress, remotePort = 0 } = endpoint;
  return {
    ...{ rshost, a_time, instance, local_port: localPort, remote_address: remoteAddress, remote_port: remotePort },
    ...netFigures(endpoint),
  };
}

function netFigures(of: IntervalInterface | IntervalEndpoint): Fields {
  return {
    in_bytes_per_sec: of.inBytesPerSec,
    in_bytes_per_sec_max: of.inBytesPerSecMax,
    out_bytes_per_sec: of.outBytesPerSec,
    out_bytes_per_sec_max: of.outBytesPerSecMax,
  };
}

/** `PROCESS_INFO`; `md5_str` is the hash of all the rest but the time. */
export function processInfoFields(a_time: number, process: IntervalProcess): Fields & { md5_str: string } {
  const { cmdline, instance, user, comm, unit = null, container = null } = process;
  const names = { cmdline, instance, user, comm, unit, container, ports: process.ports.join(',') };
  const md5_str = createHash('md5')
    .update(JSON.stringify(Object.values(names)))
    .digest('hex');
  return { md5_str, ...names, a_time };
}

/** Epoch ms. A start that is no date is taken for 0: one odd process must not cost its host the interval. */
export function startedMs({ startedAt }: IntervalProcess): number {
  return Date.parse(startedAt) || 0;
}

/** `PROCESS_IO_INFO`. */
export function processIoFields(rshost: string, a_time: number, process: IntervalProcess, md5_str: string): Fields {
  const { pid, state, threads, ports } = process;
  const rsport = ports.length === 0 ? null : Math.min(...ports);
  const fields: Fields = { rshost, a_time, pid, started: startedMs(process), rsport, md5_str, state, threads };
  for (const { name, column } of METRICS) {
    fields[column] = process[name] ?? null;
    fields[`${column}_max`] = process[`${name}Max`] ?? null;
  }
  return fields;
}

/** What the intervals of one host in a stretch of time amount to, before any figure of them is read. */
export interface Extent {
  fromMs: number;
  toMs: number;
  coveredMs: number;
  intervals: number;
  /** Rows in `PROCESS_IO_INFO`. */
  recorded: number;
}

/** @param fields the columns of `HOST_INFO`, averaged and maximised over the extent. */
export function hostHistory(host: string, extent: Extent, fields: Fields): HostHistory {
  const { fromMs, toMs, coveredMs, intervals } = extent;
  const unattributed: Flows = {};
  for (const { field, column } of UNATTRIBUTED) {
    const value = fields[column];
    if (typeof value === 'number') unattributed[field] = value;
  }
  const usage = Object.fromEntries(HOST_FIGURES.map(({ field, column }) => [field, fields[column]]));
  const total = { host, at: new Date(toMs).toISOString(), ...usage, unattributed } as HostTotal;
  const max = Object.fromEntries(HOST_MAXIMA.map(({ field, column }) => [field, fields[column]])) as HostMaxima;
  return { total, max, fromMs, toMs, coveredMs, intervals };
}

/** A row of `PROCESS_IO_INFO` without what its key says of host and time. */
export interface ProcessRecord {
  pid: number;
  started: number;
  md5_str: string;
  state: string;
  threads: number;
  /** In the order of `METRICS`; null is not known. */
  averages: (number | null)[];
  maxima: (number | null)[];
}

/** @param names the row of `PROCESS_INFO` that the record's `md5_str` stands for; without it the names are empty. */
export function processRow(host: string, record: ProcessRecord, names: Fields | undefined): ProcessRow {
  const text = (column: string): string => String(names?.[column] ?? '');
  const row: ProcessRow = {
    host,
    pid: record.pid,
    instance: text('instance'),
    comm: text('comm'),
    user: text('user'),
    cmdline: text('cmdline'),
    ports: text('ports') === '' ? [] : text('ports').split(',').map(Number),
    state: record.state,
    threads: record.threads,
    startedAt: new Date(record.started).toISOString(),
  };
  if (names?.unit != null) row.unit = text('unit');
  if (names?.container != null) row.container = text('container');
  for (const [index, { name }] of METRICS.entries()) {
    const max: MaxName = `${name}Max`;
    const average = record.averages[index] ?? undefined;
    const maximum = record.maxima[index] ?? undefined;
    if (average !== undefined) row[name] = average;
    if (maximum !== undefined) row[max] = maximum;
  }
  return row;
}
