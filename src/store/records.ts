import { hash } from 'node:crypto';
import type {
  Disk,
  HostMaxima,
  Interval,
  IntervalEndpoint,
  IntervalInterface,
  IntervalProcess,
} from '../protocol/interval.ts';
import { type Flows, type MaxName, METRICS, type MetricMaxima, type Metrics } from '../protocol/metric.ts';
import type { HostTotal, HostUsage, ProcessRow } from '../protocol/row.ts';
import type { Point } from '../protocol/series.ts';
import type { HostHistory, HostInterval } from './store.ts';
import {
  DISK_INFO,
  DISK_UTIL_QU_INFO,
  type Fields,
  HOST_FIGURES,
  HOST_MAXIMA,
  LARGEST_WHOLE,
  LONGEST_PATH,
  NET_INFO,
  PORT_NET_INFO,
  PROCESS_IO_INFO,
  type Table,
  UNATTRIBUTED,
} from './tables.ts';

/** A row of `PROCESS_INFO`. */
export type NameFields = Fields & { md5_str: string };

/** The rows that keep one interval, by table. Of a process (pid, start) or mount listed twice the first counts. */
export interface IntervalRows {
  host: Fields;
  /** Each distinct name once. */
  names: NameFields[];
  parts: ReadonlyMap<Table, Fields[]>;
}

export function intervalRows({ host, interval }: HostInterval): IntervalRows {
  const { endMs } = interval;
  const names = new Map<string, NameFields>();
  const processes = inOrder(interval.processes).map((process) => {
    const info = processInfoFields(endMs, process);
    names.set(info.md5_str, info);
    return processIoFields(host, endMs, process, info.md5_str);
  });
  const key = (fields: Fields, table: Table): string => table.key.map((column) => keyText(fields[column])).join('\0');
  const rows = (table: Table, fields: (Fields | undefined)[]): [Table, Fields[]] => [
    table,
    distinct(
      fields.filter((row) => row !== undefined),
      (row) => key(row, table),
    ),
  ];
  return {
    host: hostInfoFields(host, interval, processes.length),
    names: [...names.values()],
    parts: new Map([
      [PROCESS_IO_INFO, processes],
      rows(
        DISK_INFO,
        interval.disks.map((disk) => diskInfoFields(host, endMs, disk)),
      ),
      rows(
        DISK_UTIL_QU_INFO,
        interval.disks.map((disk) => diskUtilFields(host, endMs, disk)),
      ),
      rows(
        NET_INFO,
        (interval.interfaces ?? []).map((card) => netFields(host, endMs, card)),
      ),
      rows(
        PORT_NET_INFO,
        (interval.endpoints ?? []).map((endpoint) => portNetFields(host, endMs, endpoint)),
      ),
    ]),
  };
}

/** As the primary key has them. */
function inOrder(processes: readonly IntervalProcess[]): IntervalProcess[] {
  return distinct(processes, (one) => `${one.pid} ${startedMs(one)}`).sort(
    (a, b) => a.pid - b.pid || startedMs(a) - startedMs(b),
  );
}

/** Keys that differ in spaces at their end alone are equal to MySQL. */
function keyText(value: string | number | null | undefined): string {
  return String(value).replace(/ +$/, '');
}

function distinct<T>(items: readonly T[], key: (item: T) => string): T[] {
  const found = new Map<string, T>();
  for (const item of items) {
    const its = key(item);
    if (!found.has(its)) found.set(its, item);
  }
  return [...found.values()];
}

/** `HOST_INFO`. An interval that claims no length is taken for a millisecond, so that no average divides by zero. */
function hostInfoFields(rshost: string, interval: Interval, recorded: number): Fields {
  const { startMs, endMs, samples, host, hostMax } = interval;
  const length_ms = whole(Math.max(1, endMs - startMs));
  const fields: Fields = { rshost, a_time: endMs, length_ms, samples: whole(samples), recorded };
  for (const { field, column } of HOST_FIGURES) fields[column] = host[field];
  for (const column of ['cores', 'processes']) fields[column] = whole(Number(fields[column]));
  for (const { field, column } of HOST_MAXIMA) fields[column] = hostMax[field];
  for (const { field, column } of UNATTRIBUTED) fields[column] = host.unattributed[field] ?? null;
  return fields;
}

/** `DISK_INFO`. */
function diskInfoFields(rshost: string, a_time: number, disk: Disk): Fields {
  const { mount, device, totalBytes, usedBytes } = disk;
  return {
    rshost,
    a_time,
    mount: mount.slice(0, LONGEST_PATH),
    device,
    total_bytes: totalBytes,
    used_bytes: usedBytes,
  };
}

/** `DISK_UTIL_QU_INFO`; undefined for a device without counters. */
function diskUtilFields(rshost: string, a_time: number, disk: Disk): Fields | undefined {
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
function netFields(rshost: string, a_time: number, card: IntervalInterface): Fields {
  const { name, speedBitsPerSec = null } = card;
  return { rshost, a_time, interface: name, speed_bits_per_sec: speedBitsPerSec, ...netFigures(card) };
}

/** `PORT_NET_INFO`. */
function portNetFields(rshost: string, a_time: number, endpoint: IntervalEndpoint): Fields {
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
function processInfoFields(a_time: number, process: IntervalProcess): NameFields {
  const { cmdline, instance, user, comm, unit = null, container = null } = process;
  const names = { cmdline, instance, user, comm, unit, container, ports: process.ports.join(',') };
  const md5_str = hash('md5', JSON.stringify(Object.values(names)));
  return { md5_str, ...names, a_time };
}

/** Epoch ms. A start that is no date is taken for 0: one odd process must not cost its host the interval. */
function startedMs({ startedAt }: IntervalProcess): number {
  return Date.parse(startedAt) || 0;
}

/** `PROCESS_IO_INFO`. */
function processIoFields(rshost: string, a_time: number, process: IntervalProcess, md5_str: string): Fields {
  const { pid, state, threads, ports } = process;
  const rsport = ports.length === 0 ? null : Math.min(...ports);
  const key = { rshost, a_time, pid: whole(pid), started: startedMs(process) };
  const fields: Fields = { ...key, rsport, md5_str, state, threads: whole(threads) };
  for (const { name, column } of METRICS) {
    fields[column] = process[name] ?? null;
    fields[`${column}_max`] = process[`${name}Max`] ?? null;
  }
  return fields;
}

/** An absurd count must not cost its host the interval. */
function whole(count: number): number {
  return Math.min(Math.round(count), LARGEST_WHOLE);
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
  const total: HostTotal = { host, at: new Date(toMs).toISOString(), ...hostUsage(fields) };
  return { total, max: hostMaxima(fields), fromMs, toMs, coveredMs, intervals };
}

/** @param fields a row of `HOST_INFO`; its `a_time` is in ms here. */
export function hostPoint(fields: Fields): Point {
  const endMs = Number(fields.a_time);
  const from = new Date(endMs - Number(fields.length_ms)).toISOString();
  return { from, at: new Date(endMs).toISOString(), usage: hostUsage(fields), max: hostMaxima(fields) };
}

function hostUsage(fields: Fields): HostUsage {
  const unattributed: Flows = {};
  for (const { field, column } of UNATTRIBUTED) {
    const value = fields[column];
    if (typeof value === 'number') unattributed[field] = value;
  }
  const usage = Object.fromEntries(HOST_FIGURES.map(({ field, column }) => [field, fields[column]]));
  return { ...usage, unattributed } as HostUsage;
}

function hostMaxima(fields: Fields): HostMaxima {
  return Object.fromEntries(HOST_MAXIMA.map(({ field, column }) => [field, fields[column]])) as HostMaxima;
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
  return Object.assign(row, processFigures(record));
}

/** What is not known is left out. */
export function processFigures({
  averages,
  maxima,
}: Pick<ProcessRecord, 'averages' | 'maxima'>): Metrics & MetricMaxima {
  const figures: Metrics & MetricMaxima = {};
  for (const [index, { name }] of METRICS.entries()) {
    const max: MaxName = `${name}Max`;
    const average = averages[index] ?? undefined;
    const maximum = maxima[index] ?? undefined;
    if (average !== undefined) figures[name] = average;
    if (maximum !== undefined) figures[max] = maximum;
  }
  return figures;
}
