import type { RolloutStatus } from '../../src/protocol/release.ts';
import type { HostRow } from '../../src/protocol/row.ts';
import { standing } from '../support/fake-rollout-view.ts';
import { AT, busyHost, hostRow, hostTotal, later, point, processRow, recordedRow, totalOf } from './fleet.ts';
import { Stage } from './stage.ts';

const at = (second: number) => new Date(Date.UTC(2026, 10, 23, 3, 12, second)).toISOString();

/** Names as an attacker, a hurried colleague and half the world choose them. */
export const HOSTILE = processRow({
  pid: 666,
  comm: '\x1b[2J\x1b]0;own\x07',
  instance: 'evil\x1b[31m',
  user: 'ro\not',
  cmdline:
    '/bin/sh -c \x1b[1;1H\x9b5m 订单明细导出 👩‍👩‍👧‍👦 🇨🇳 z̵̴̷̶algo\u202e --日期=昨天 --全部 --目标=/数据/导出/订单明细.csv',
  cpuPercent: 20,
});

/** One machine, its processes and what led up to now. */
export function host(columns: number, rows: number): Stage {
  const processes = busyHost('db-01', 120, 0);
  const stage = new Stage(columns, rows, 'this machine only').status({ state: 'open' });
  for (let second = 0; second < 40; second += 2) {
    const total = totalOf('db-01', busyHost('db-01', 120, second - 38));
    stage.hosts([hostRow({ ...total, lastSeenAt: at(second) })], at(second));
  }
  const shown = [...processes.slice(0, 49), HOSTILE];
  return stage.rows(shown, { totals: [hostTotal(totalOf('db-01', [...processes, HOSTILE]))] }, at(38));
}

/** Several machines in every state. */
export function hosts(columns: number, rows: number): Stage {
  const busy = (name: string, step: number): HostRow =>
    hostRow({ host: name, ...totalOf(name, busyHost(name, 90, step)) });
  return new Stage(columns, rows)
    .status({ state: 'open' })
    .hosts([
      busy('db-01', 0),
      busy('db-02', 5),
      { ...busy('数据库-03', 9), status: 'late', lastSeenAt: '2026-11-23T03:11:52.000Z' },
      { ...busy('db-04', 2), status: 'offline', lastSeenAt: '2026-11-23T03:08:00.000Z', message: 'connection reset' },
      { host: 'db-05', status: 'deploying' },
      { host: 'db-06', status: 'failed', message: 'ssh: permission denied' },
      { ...busy('cache-1.example.org', 4), status: 'upgrading', culprits: {} },
    ]);
}

/** Several machines, and a release that comes to them. */
export const upgrading = (columns: number, rows: number, fields: Partial<RolloutStatus> = {}) =>
  hosts(columns, rows).release(standing(fields));

export const halted = (columns: number, rows: number) =>
  upgrading(columns, rows, { state: 'halted', reason: `db-03: it ended with 1 \x1b[2J: ${'错误 '.repeat(40)}` });

/** The processes of the fleet, one host missing. */
export function fleet(columns: number, rows: number): Stage {
  const names = ['db-01', 'db-02.example.org'];
  const processes = names.flatMap((name, index) => busyHost(name, 60, index * 3));
  const totals = names.map((name) => hostTotal({ ...totalOf(name, busyHost(name, 60, 0)), host: name }));
  const incomplete = [{ host: 'db-03', reason: 'does not answer' }];
  const largest = processes.toSorted((a, b) => (b.cpuPercent ?? 0) - (a.cpuPercent ?? 0)).slice(0, 50);
  return new Stage(columns, rows)
    .fleet(...names, 'db-03')
    .keys('2')
    .rows(largest, { totals, incomplete });
}

export const details = (columns: number, rows: number) => {
  const stage = host(columns, rows);
  stage.rows([HOSTILE]).keys('enter');
  for (const cpuPercent of [10, 80, 0, 150, 42]) stage.rows([{ ...HOSTILE, cpuPercent }], {}, at(40));
  return stage;
};

export const gone = (columns: number, rows: number) =>
  host(columns, rows).status({ state: 'lost', reason: 'nothing listens there', retryInMs: 10 });

export const help = (columns: number, rows: number) => host(columns, rows).keys('?');

export const groups = (columns: number, rows: number) => {
  const stage = fleet(columns, rows).keys('t');
  return stage.rows([
    { host: 'db-01', group: 'mysqld:3307', processes: 3, cpuPercent: 210, rssBytes: 9e9, netOutBytesPerSec: 0 },
    { host: 'db-02.example.org', group: '订单服务\x1b[H', processes: 1, cpuPercent: 0 },
  ]);
};

const FROM = later(-30);
/** Half an hour, of which five minutes were not recorded. */
const POINTS = Array.from({ length: 60 }, (_, index) => (index - 59) * 30)
  .filter((second) => second < -600 || second > -300)
  .map((second) => {
    const usage = totalOf('db-01', busyHost('db-01', 120, second / 30));
    return point(second, { usage, ...(second > -900 && { process: { cpuPercent: 20 + (second % 90) / 5 } }) });
  });

/** The same machine in the newest interval. */
export function rewound(columns: number, rows: number): Stage {
  const processes = busyHost('db-01', 14, 0).map(recordedRow);
  const totals = [hostTotal(totalOf('db-01', busyHost('db-01', 120, 0)))];
  const stage = host(columns, rows).keys('[').series(POINTS).series(POINTS);
  return stage.rows([...processes, recordedRow(HOSTILE)], { totals, from: FROM }, AT);
}

/** The hosts then: one is gone by now, another had not been recorded. */
export const rewoundHosts = (columns: number, rows: number) => {
  const then = (name: string, step: number): HostRow => ({
    ...{ host: name, status: 'online', lastSeenAt: AT, ...totalOf(name, busyHost(name, 90, step)) },
  });
  const stage = hosts(columns, rows).keys('[').series(POINTS, 'db-02');
  return stage.hosts([then('db-01', 3), then('db-02', 8), { ...then('数据库-03', 1), status: 'offline' }], AT, FROM);
};

export const rewoundDetails = (columns: number, rows: number) => {
  const stage = rewound(columns, rows)
    .rows([recordedRow(HOSTILE)], { from: FROM }, AT)
    .keys('enter');
  return stage.series(POINTS).rows([recordedRow(HOSTILE)], { from: FROM }, AT);
};

export const unrecorded = (columns: number, rows: number) => {
  const stage = rewoundDetails(columns, rows).keys('[').series(POINTS);
  return stage.rows([], { from: later(-60) }, FROM);
};

export const gap = (columns: number, rows: number) => {
  const incomplete = [{ host: 'db-01', reason: 'nothing was recorded then' }];
  return rewound(columns, rows).keys('[').rows([], { totals: [], incomplete }, FROM);
};

/** Every screen there is. */
export const SCENES: { [name: string]: (columns: number, rows: number) => Stage } = {
  ...{ host, hosts, fleet, details, gone, help, groups, upgrading, halted },
  ...{ rewound, rewoundHosts, rewoundDetails, unrecorded, gap },
  seeking: (columns, rows) => host(columns, rows).keys('['),
  playing: (columns, rows) => rewound(columns, rows).keys('p'),
  asking: (columns, rows) => rewound(columns, rows).keys('{').second().second(),
  'rewound and gone': (columns, rows) =>
    rewound(columns, rows).status({ state: 'lost', reason: 'nothing listens there', retryInMs: 10 }),
  'rewound groups': (columns, rows) =>
    rewound(columns, rows)
      .keys('t')
      .rows([{ host: 'db-01', group: 'mysqld:3307', processes: 3, cpuPercent: 210, cpuPercentMax: 400 }], {
        from: FROM,
      }),
  'wrong time': (columns, rows) => host(columns, rows).keys('@').type('订单'.repeat(30)).keys('enter'),
  'rewound and refused': (columns, rows) =>
    rewound(columns, rows).keys('[').refuse('the store has not answered within 60 s: its disk is too slow'),
  'rewound at once': (columns, rows) => new Stage(columns, rows, undefined, Date.parse(FROM)).status({ state: 'open' }),
  connecting: (columns, rows) => new Stage(columns, rows),
  waiting: (columns, rows) => new Stage(columns, rows).status({ state: 'open' }).hosts(),
  'no hosts': (columns, rows) => new Stage(columns, rows).status({ state: 'open' }).hosts([]),
  typing: (columns, rows) => host(columns, rows).keys('/').type('user:订单 '.repeat(12)),
  refused: (columns, rows) =>
    host(columns, rows)
      .keys('/', 'x', 'enter')
      .refuse(`the filter \x1b[H ${'x'.repeat(200)}`),
};
