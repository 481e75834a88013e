import type { Interval, IntervalProcess } from '../../src/protocol/interval.ts';
import type { HostUsage } from '../../src/protocol/row.ts';

/** 2026-07-01 03:12:00 UTC, a whole multiple of the 30 s of `STEP`. */
export const T0 = Date.UTC(2026, 6, 1, 3, 12);
export const STEP = 30_000;

export function aProcess(fields: Partial<IntervalProcess> = {}): IntervalProcess {
  return {
    pid: 4711,
    instance: 'mysqld:3307',
    comm: 'mysqld',
    user: 'mysql',
    cmdline: '/usr/sbin/mysqld --defaults-file=/etc/my3307.cnf',
    ports: [3307, 33_070],
    state: 'S',
    threads: 42,
    startedAt: '2026-06-01T00:00:00.120Z',
    cpuPercent: 120.1,
    cpuPercentMax: 390,
    rssBytes: 3_000_000_000.3,
    rssBytesMax: 3_100_000_000,
    ...fields,
  };
}

export function usage(fields: Partial<HostUsage> = {}): HostUsage {
  return {
    cores: 8,
    cpuPercent: 310.7,
    iowaitPercent: 0.1,
    stealPercent: 0,
    load1: 3.3,
    memTotalBytes: 64e9,
    memUsedBytes: 32e9,
    readBytesPerSec: 1000.1,
    writeBytesPerSec: 2000.2,
    deviceReadBytesPerSec: 900,
    deviceWriteBytesPerSec: 1800,
    diskUtilPercent: 12.5,
    diskQueue: 0.7,
    netInBytesPerSec: 300,
    netOutBytesPerSec: 400,
    processes: 250,
    unattributed: { cpuPercent: 10.7, readBytesPerSec: 0 },
    ...fields,
  };
}

/** Ends at T0 + `step` · STEP and is one STEP long, unless told otherwise. */
export function interval(step: number, fields: Partial<Interval> = {}): Interval {
  const endMs = T0 + step * STEP;
  return {
    startMs: endMs - STEP,
    endMs,
    samples: 15,
    host: usage(),
    hostMax: {
      cpuPercent: 790,
      memUsedBytes: 33e9,
      readBytesPerSec: 5000,
      writeBytesPerSec: 6000,
      diskUtilPercent: 99,
      diskQueue: 4,
      netInBytesPerSec: 700,
      netOutBytesPerSec: 800,
    },
    disks: [
      { mount: '/', device: 'vda', totalBytes: 1e11, usedBytes: 4e10, utilPercent: 12.5, utilPercentMax: 99 },
      { mount: '/var', device: 'vda', totalBytes: 1e11, usedBytes: 4e10, utilPercent: 12.5, utilPercentMax: 99 },
      { mount: '/mnt', device: 'nas:/export', totalBytes: 1e12, usedBytes: 4e11 },
    ],
    processes: [aProcess()],
    ...fields,
  };
}
