import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { PAST_STYLE } from '../../tui/moment-view.ts';
import { hostRow, later, point, processRow, recordedRow } from './fleet.ts';
import { gap, host, rewound, rewoundDetails, rewoundHosts, SCENES, unrecorded } from './scenes.ts';
import { plain, Stage } from './stage.ts';

before(() => {
  process.env.TZ = 'UTC';
});

/** Scenes that show the past. */
const PAST = Object.entries(SCENES).filter(([, scene]) => scene(80, 24).model.moment.state === 'past');

test('a host in the past at 80×14: averages, the maximum of what it is sorted by, and the intervals before', () => {
  assert.equal(
    rewound(80, 14).text(),
    ` procmesh › db-01                       2026-11-23 03:12:00   38 s ago   ◀ past
 CPU  ████████▏·····   58%  465.5% / 8 cores  load 3.20              ▇▆▆▆▅▅▅▅▅▅
 MEM  ████████▌·····   61%  39G of 64G        120 processes          ▅▅▅▅▅▅▅▅▅▅
 DISK ████████▉·····   63%  3.7M r  60M w     iowait 4.2%            ▅▅▅▅▅▅▅▅▅▆
 NET  ███████████▍··   56M  2.3M in  53M out                         ████▇▇▇▇▇▇
── processes  averages of 03:11:30–03:12:00 ─────────────────────── 15 of 120 ──
  INSTANCE        ▼CPU   MAX   MEM  READ  WRITE  NET-IN  NET-OUT COMMAND
› mysqld:3308     95.9 191.8  3.8G     0    24M       0        0 mysqld --defau…
  mysqld:3307     80.7 161.4  8.7G  1.6M      0    1.2M     3.2M mysqld --defau…
  kafka.service   68.9 137.8  2.3G     0      0       0        0 java -Xmx8g -c…
  xtrabackup      27.4  54.8  960M     0   6.9M       0        0 xtrabackup --b…
  105 others      54.6           -     0      0     67K      41M
  unattributed     6.2           -     0   120K     30K        0
 L live  [ ] step  p play  @ go to  ? help  q quit            this machine only
`,
  );
});

test('hosts in the past at 60×14: figures of then, whatever their status is now', () => {
  assert.equal(
    rewoundHosts(60, 14).text(),
    ` procmesh › hosts    2026-11-23 03:12:00   0 s ago   ◀ past
 cpu 55% of 32 cores  mem 61% of 192G  read 18M  write 185M…
── hosts  averages of 03:11:30–03:12:00 ─────────────── 3 ──
    HOST               ▼CPU        MEM       DISK        NET
›   db-02        ████·  80% ███··  61% ███··  60% █████  57M
    db-01        ███▍·  69% ███··  61% ███▍·  67% ████▎  49M
    数据库-03    █▉···  36% ███··  61% ███▍·  67% ████▌  51M






 L live  [ ] step  p play  @ go to  ? help  q quit
`,
  );
});

test('the details of a process in the past at 80×24: averages, maxima, and the intervals before', () => {
  assert.equal(
    rewoundDetails(80, 24).text(),
    ` procmesh › db-01 › evil�[31m [666]     2026-11-23 03:12:00   38 s ago   ◀ past
 host       db-01
 instance   evil�[31m
 command    �[2J�]0;own�
 pid        666
 user       ro ot
 state      S sleeping, 45 threads
 started    2026-11-20 01:02:03, 3 d ago
 unit       -
 container  -
 ports      3307
── usage  averages of 03:11:30–03:12:00, and the largest samples ───────────────
 CPU           20.0%   40.0%                    ▁▂▂▁▂▂▁▂▂           ▂▁▂▂▁▂▂▁▂▂
 MEM             12G     25G
 READ         1.2M/s  2.4M/s
 WRITE         34M/s   68M/s
 NET-IN       512K/s  1.0M/s
 NET-OUT      2.0M/s  4.0M/s
── command line ────────────────────────────────────────────────────────────────
 /bin/sh -c �[1;1H�5m 订单明细导出 👩👩👧👦 �� z̵̴algo --日期=昨天 --全部
 --目标=/数据/导出/订单明细.csv


 L live  [ ] step  p play  @ go to  ? help  q quit            this machine only
`,
  );
});

test('the whole first line tells the past from the present, with and without colours', () => {
  assert.ok(PAST.length >= 10);
  for (const [name, scene] of PAST)
    for (const [columns, rows] of [
      [60, 14],
      [80, 24],
      [200, 50],
    ] as const) {
      const stage = scene(columns, rows);
      const [header = []] = stage.frame();
      for (const { style } of header) assert.deepEqual(style, PAST_STYLE, name);
      assert.ok(PAST_STYLE.inverse);
      assert.match(plain([header])[0] ?? '', / {2}2026-11-23 03:1\d:\d\d {3}.* {3}(◀ past|▶ playing) $/, name);
      assert.match(stage.lines('ascii')[0] ?? '', / {2}2026-11-23 03:1\d:\d\d {3}.* {3}(< past|> playing) $/, name);
    }
});

test('no screen of the past says what is live, and none of the present what is past', () => {
  for (const [name, scene] of Object.entries(SCENES)) {
    const text = scene(100, 30).text();
    const isPast = PAST.some(([past]) => past === name);
    if (isPast) assert.doesNotMatch(text, /● live|online|seen by|usage since opened/, name);
    else assert.doesNotMatch(text, /◀ past|▶ playing|averages of|L live/, name);
  }
});

test('while an answer is waited for, the moment that is shown is the one that is named', () => {
  const stage = rewound(100, 24).keys('{');
  assert.match(stage.line('procmesh'), /2026-11-23 03:12:00 {3}38 s ago/);
  assert.match(stage.second().line('procmesh'), /2026-11-23 03:12:00 {3}asking 03:06:45 {3}◀ past/);
  stage.rows([recordedRow(processRow())], { from: later(-330) }, later(-300));
  assert.match(stage.line('procmesh'), /2026-11-23 03:07:00 {3}5 m ago/);
  assert.match(stage.line('── processes'), /averages of 03:06:30–03:07:00/);
});

test('where there is nothing yet, the moment that is looked for is named', () => {
  const stage = new Stage(80, 24, undefined, Date.parse(later(-300))).status({ state: 'open' });
  assert.match(stage.line('procmesh'), /2026-11-23 03:07:00/);
  assert.match(stage.text(), /asking what there was at 2026-11-23 03:07:00/);
});

test('where nothing was recorded it says so, and how to go on', () => {
  assert.match(gap(80, 24).text(), /nothing was recorded then\s+\[ and \] step on from here, L returns to the present/);
  const stage = rewoundHosts(80, 24).keys('{').hosts([], later(-300));
  assert.match(stage.text(), /nothing was recorded then/);
  assert.doesNotMatch(stage.text(), /no hosts yet/);
});

test('a host that is gone by now has the figures it had then', () => {
  const then = { ...hostRow(), status: 'offline', culprits: undefined } as const;
  const stage = new Stage(120, 24)
    .fleet('db-01', 'db-02')
    .keys('[')
    .series([point(0)]);
  stage.hosts([then], later(0), later(-30));
  assert.match(stage.line('db-01'), /39%.*61%/);
  assert.doesNotMatch(stage.text(), /offline|seen|TOP|○/);
  assert.match(stage.line('cores'), /cpu 39% of 8 cores/);
});

test('a table can be ordered by maxima, and goes by its averages when it is live again', () => {
  const rows = [
    processRow({ pid: 1, instance: 'steady', cpuPercent: 50, cpuPercentMax: 60 }),
    processRow({ pid: 2, instance: 'spiky', cpuPercent: 20, cpuPercentMax: 700 }),
  ];
  const stage = rewound(100, 24).rows(rows, { from: later(-30) });
  assert.match(stage.selected(), /steady +\d+ .* 50\.0 +60\.0 /);
  stage.keys('right');
  assert.match(stage.selected(), /spiky/);
  assert.match(stage.line('INSTANCE'), / CPU +▼MAX /);
  assert.equal(stage.asked?.sort, 'cpu');
  stage.keys('L').hosts().rows(rows);
  assert.match(stage.selected(), /steady/);
  assert.doesNotMatch(stage.line('INSTANCE'), /MAX/);
});

test('the maximum is of the metric that was chosen, of groups too', () => {
  const row = { host: 'db-01', group: 'mysqld', processes: 2, writeBytesPerSec: 1024, writeBytesPerSecMax: 7168 };
  const stage = rewound(100, 24)
    .keys('w')
    .rows([], { from: later(-30) });
  stage.keys('t').rows([row], { from: later(-30) });
  assert.match(stage.line('INSTANCE'), /▼WRITE +MAX +NET-IN/);
  assert.match(stage.selected(), / 1\.0K +7\.0K /);
});

test('what led up to a moment is not what led up to another host or process', () => {
  const chart = (stage: Stage) => /[▁▂▃▄▅▆▇█]{3,}/.test(stage.line(' MEM  ').slice(45));
  assert.equal(chart(rewound(100, 24)), true);
  const stage = rewound(100, 24)
    .keys('1')
    .hosts([hostRow({ host: 'db-02' })], later(0), later(-30))
    .keys('enter');
  stage.rows([processRow({ host: 'db-02' })], { from: later(-30), totals: [] }, later(0));
  assert.equal(stage.standing('series')?.host, 'db-02');
  stage.rows([], { from: later(-30) }, later(0));
  assert.equal(chart(stage), false);
  stage.series(
    [-60, -30, 0].map((second) => point(second)),
    'db-02',
  );
  assert.equal(chart(stage), true);
});

test('nor is the past of one process that of another one of the host', () => {
  const chart = (stage: Stage) => /[▁▂▃▄▅▆▇█]{3,}/.test(stage.line(' CPU '));
  const two = [1, 2].map((pid) => recordedRow(processRow({ pid, instance: `number ${pid}` })));
  const recorded = [-60, -30, 0].map((second) => point(second, { process: { cpuPercent: 50 } }));
  const stage = rewound(100, 24)
    .rows(two, { from: later(-30) })
    .keys('enter')
    .series(recorded);
  assert.equal(chart(stage.rows(two, { from: later(-30) })), true);
  stage
    .keys('escape')
    .rows(two, { from: later(-30) })
    .keys('down', 'enter')
    .rows(two, { from: later(-30) });
  assert.match(stage.text(), /number 2/);
  assert.equal(chart(stage), false);
});

test('a process that was not recorded has its past all the same', () => {
  assert.match(unrecorded(80, 24).line(' CPU '), / - +- .*[▁▂▃]{3,}/);
});

test('the keys of the past are in the last line, whatever there is no room for', () => {
  for (const columns of [60, 80, 120]) {
    assert.match(rewound(columns, 24).lines().at(-1) ?? '', /^ L live {2}\[ \] step .* \? help {2}q quit/);
    assert.match(rewoundHosts(columns, 24).lines().at(-1) ?? '', / p play {2}@ go to /);
    assert.match(rewoundHosts(columns, 24).keys('p').lines().at(-1) ?? '', / p stop /);
  }
  assert.match(host(120, 24).lines().at(-1) ?? '', /\[ rewind/);
});
