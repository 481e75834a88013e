import { METRICS } from '../../src/protocol/metric.ts';
import type { Query } from '../../src/protocol/query.ts';
import type { HostRow, HostTotal, HostUsage, ProcessRow, Row } from '../../src/protocol/row.ts';
import { select } from '../../src/protocol/select.ts';
import type { Point } from '../../src/protocol/series.ts';

export const AT = '2026-11-23T03:12:00.000Z';

/** One process with whatever matters to a test. */
export function processRow(own: Partial<ProcessRow> = {}): ProcessRow {
  return {
    host: 'db-01',
    pid: 2913,
    instance: 'mysqld:3307',
    comm: 'mysqld',
    user: 'mysql',
    cmdline: '/usr/sbin/mysqld --defaults-file=/etc/mysql/3307.cnf --port=3307',
    ports: [3307],
    state: 'S',
    threads: 45,
    startedAt: '2026-11-20T01:02:03.000Z',
    cpuPercent: 182.4,
    rssBytes: 12.4 * 1024 ** 3,
    readBytesPerSec: 1.2 * 1024 ** 2,
    writeBytesPerSec: 34 * 1024 ** 2,
    netInBytesPerSec: 512 * 1024,
    netOutBytesPerSec: 2 * 1024 ** 2,
    ...own,
  };
}

export function usage(own: Partial<HostUsage> = {}): HostUsage {
  return {
    cores: 8,
    cpuPercent: 312.5,
    iowaitPercent: 4.2,
    stealPercent: 0,
    load1: 3.2,
    memTotalBytes: 64 * 1024 ** 3,
    memUsedBytes: 39 * 1024 ** 3,
    readBytesPerSec: 2.5 * 1024 ** 2,
    writeBytesPerSec: 41 * 1024 ** 2,
    deviceReadBytesPerSec: 2 * 1024 ** 2,
    deviceWriteBytesPerSec: 44 * 1024 ** 2,
    diskUtilPercent: 37.5,
    diskQueue: 1.2,
    netInBytesPerSec: 900 * 1024,
    netOutBytesPerSec: 2.6 * 1024 ** 2,
    processes: 412,
    unattributed: {
      cpuPercent: 6.2,
      readBytesPerSec: 0,
      writeBytesPerSec: 120 * 1024,
      netInBytesPerSec: 30 * 1024,
      netOutBytesPerSec: 0,
    },
    ...own,
  };
}

export function hostRow(own: Partial<HostRow> = {}): HostRow {
  return {
    host: 'db-01',
    status: 'online',
    version: '1.0.0',
    lastSeenAt: AT,
    ...usage(),
    netSource: 'bpf',
    culprits: {
      cpu: [{ instance: 'mysqld:3307', pid: 2913, value: 182.4 }],
      mem: [{ instance: 'java', pid: 77, value: 20 * 1024 ** 3 }],
      write: [{ instance: 'backup', pid: 99, value: 34 * 1024 ** 2 }],
    },
    ...own,
  };
}

export function hostTotal(own: Partial<HostTotal> = {}): HostTotal {
  return { host: 'db-01', at: AT, ...usage(), ...own };
}

/** The instant so many seconds after `AT`. */
export function later(seconds: number): string {
  return new Date(Date.parse(AT) + seconds * 1_000).toISOString();
}

/** A row as an interval recorded it: with the largest samples, twice the averages. */
export function recordedRow(row: ProcessRow): ProcessRow {
  const maxima = METRICS.flatMap(({ name }) => {
    const average = row[name];
    return average === undefined ? [] : [[`${name}Max`, 2 * average]];
  });
  return { ...row, ...Object.fromEntries(maxima) };
}

/** An interval of half a minute that ends so many seconds after `AT`. */
export function point(seconds: number, own: Partial<Point> = {}): Point {
  const { cpuPercent, memUsedBytes, readBytesPerSec, writeBytesPerSec, ...more } = usage();
  const { diskUtilPercent, diskQueue, netInBytesPerSec, netOutBytesPerSec } = more;
  return {
    ...{ from: later(seconds - 30), at: later(seconds), usage: usage() },
    max: {
      ...{ cpuPercent, memUsedBytes, readBytesPerSec, writeBytesPerSec },
      ...{ diskUtilPercent, diskQueue, netInBytesPerSec, netOutBytesPerSec },
    },
    ...own,
  };
}

const PROGRAMS: readonly [instance: string, comm: string, user: string, cmdline: string][] = [
  ['mysqld:3307', 'mysqld', 'mysql', '/usr/sbin/mysqld --defaults-file=/etc/mysql/3307.cnf --port=3307'],
  ['mysqld:3308', 'mysqld', 'mysql', '/usr/sbin/mysqld --defaults-file=/etc/mysql/3308.cnf --port=3308'],
  [
    'kafka.service',
    'java',
    'kafka',
    '/usr/bin/java -Xmx8g -cp /opt/kafka/libs/* kafka.Kafka /etc/kafka/server.properties',
  ],
  ['redis:6379', 'redis-server', 'redis', '/usr/bin/redis-server 127.0.0.1:6379'],
  ['python3', 'python3', 'dba', 'python3 /home/dba/导出数据.py --表=订单明细 --日期=昨天 --全部'],
  ['xtrabackup', 'xtrabackup', 'root', 'xtrabackup --backup --target-dir=/backup/3307 --parallel=4'],
  ['nginx.service', 'nginx', 'www-data', 'nginx: worker process'],
  ['postgres:5432', 'postgres', 'postgres', 'postgres: app orders 10.0.3.7(51234) SELECT'],
  ['kworker/3:1', 'kworker/3:1', 'root', ''],
  ['sshd.service', 'sshd', 'root', 'sshd: dba@pts/3'],
];

/** A host full of processes whose figures depend on nothing but `step`, so that they can be made to move. */
export function busyHost(host: string, count: number, step: number): ProcessRow[] {
  return Array.from({ length: count }, (_, index) => {
    const [instance, comm, user, cmdline] = PROGRAMS[index % PROGRAMS.length] ?? ['x', 'x', 'x', 'x'];
    const weight = 1 / (1 + index) ** 1.3;
    const wave = 1 + 0.6 * Math.sin(step / 3 + index * 1.7 + host.length);
    return processRow({
      ...{ host, pid: 1000 + index * 37, instance, comm, user, cmdline },
      cpuPercent: index > 40 ? 0 : 190 * weight * wave,
      rssBytes: Math.round(9e9 * weight * (1 + 0.1 * wave)),
      readBytesPerSec: index % 3 === 0 ? 4e6 * weight * wave : 0,
      writeBytesPerSec: index % 2 === 1 ? 5e7 * weight * wave : 0,
      netInBytesPerSec: index % 4 === 0 ? 3e6 * weight * wave : 0,
      ...(index % 5 !== 3 && { netOutBytesPerSec: index % 4 === 0 ? 8e6 * weight * wave : 0 }),
    });
  });
}

/** The figures of a host that these processes and a small remainder add up to. */
export function totalOf(host: string, rows: readonly ProcessRow[]): HostUsage {
  const of = (name: 'cpuPercent' | 'readBytesPerSec' | 'writeBytesPerSec' | 'netInBytesPerSec' | 'netOutBytesPerSec') =>
    rows.reduce((sum, row) => sum + (row[name] ?? 0), 0) + (usage().unattributed[name] ?? 0);
  return usage({
    cores: host.length > 5 ? 16 : 8,
    cpuPercent: of('cpuPercent'),
    readBytesPerSec: of('readBytesPerSec'),
    writeBytesPerSec: of('writeBytesPerSec'),
    netInBytesPerSec: of('netInBytesPerSec'),
    netOutBytesPerSec: of('netOutBytesPerSec'),
    diskUtilPercent: Math.min(of('writeBytesPerSec') / 1e6, 100),
    processes: rows.length,
  });
}

/** What a server answers to a query over these processes. */
export function answerRows(query: Query, processes: readonly ProcessRow[], at = AT) {
  const mine = processes.filter(({ host }) => query.host === undefined || host === query.host);
  const hosts = [...new Set(mine.map(({ host }) => host))];
  const totals: HostTotal[] = hosts.map((host) => ({
    ...{ host, at },
    ...totalOf(
      host,
      mine.filter((row) => row.host === host),
    ),
  }));
  const rows = select(query, mine) as Row[];
  return { type: 'rows' as const, id: 1, at, rows: rows as ProcessRow[], totals };
}
