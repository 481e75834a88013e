import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import stringWidth from 'string-width';
import { busyHost, hostRow, hostTotal, processRow } from './fleet.ts';
import { details, fleet, gone, groups, HOSTILE, help, host, hosts, SCENES } from './scenes.ts';
import { plain, Stage } from './stage.ts';

before(() => {
  process.env.TZ = 'UTC';
});

test('a host at 80×24: gauges with their past, processes, and what makes them add up', () => {
  assert.equal(
    host(80, 24).text(),
    ` procmesh › db-01                                1/1 online   03:12:38   ● live
 CPU  ████████▌·····   61%  485.5% / 8 cores  load 3.20     ▆▆▇▇▇▆▆▅▅▅▆▇▇▇▆▆▅▅▅
 MEM  ████████▌·····   61%  39G of 64G        121 processes ▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅
 DISK █████████████▉   99%  4.9M r  94M w     iowait 4.2%   ▆▆▆▅▅▅▅▅▅▆▆▆▆▅▅▅▅▅▆
 NET  ███████████▉··   58M  2.8M in  55M out  seen by bpf   ▇██████▇▇▇██████▇▇▇
── processes ────────────────────────────────────────────────────── 50 of 121 ──
  INSTANCE           PID  ▼CPU   MEM  READ  WRITE  NET-IN  NET-OUT COMMAND
› mysqld:3308       1037  95.9  3.8G     0    24M       0        0 mysqld --def…
  mysqld:3307       1000  80.7  8.7G  1.6M      0    1.2M     3.2M mysqld --def…
  kafka.service     1074  68.9  2.3G     0      0       0        0 java -Xmx8g …
  xtrabackup        1185  27.4  960M     0   6.9M       0        0 xtrabackup -…
  evil�[31m          666  20.0   12G  1.2M    34M    512K     2.0M sh -c �[1;1H…
  redis:6379        1111  19.6  1.5G  403K   4.9M       0     2.0M redis-server…
  nginx.service     1222  19.6  772M  402K      0       0        0 nginx: worke…
  sshd.service      1333  15.2  499M  312K   3.8M       0        0 sshd: dba@pt…
  python3           1148  13.7  1.1G     0      0    211K     563K python3 /hom…
  redis:6379        1481   9.6  321M     0   2.4M       0     2.0M redis-server…
  kworker/3:1       1296   9.3  535M     0      0    143K     2.0M [kworker/3:1]
  mysqld:3307       1370   8.4  418M     0      0       0        0 mysqld --def…
  kafka.service     1444   7.8  341M  161K      0    121K     323K java -Xmx8g …
  nginx.service     1592   6.8  247M     0      0    105K     280K nginx: worke…
  71 others                  0     -  306K   5.9M    172K      28M
  unattributed             6.2     -     0   120K     30K        0
 Esc back  Enter open  ←→ sort  t group  ? help  q quit       this machine only
`,
  );
});

test('hosts at 80×24: bars, culprits, and the state of those that are not online', () => {
  assert.equal(
    hosts(80, 24).text().trimEnd(),
    ` procmesh › hosts                                2/7 online   03:12:00   ● live
 cpu 47% of 48 cores  mem 61% of 256G  read 25M  write 226M  in 17M  out 187M
── hosts ────────────────────────────────────────────────────────────────── 7 ──
    HOST               ▼CPU        MEM       DISK        NET TOP CPU
› ● db-02        ███▊·  76% ███··  61% ███▍·  67% ████▋  53M mysqld:3307 182%  …
  ● db-01        ██▉··  58% ███··  61% ███▏·  62% ███▉·  44M mysqld:3307 182%  …
  ↑ cache-1.exa… ██···  40% ███··  61% ██▉··  59% █████  57M upgrading
  ◐ 数据库-03    █▊···  35% ███··  61% ██▌··  50% ████▋  52M late, seen 8 s ago
  ○ db-04         offline, seen 4 m ago, connection reset
  ↑ db-05         deploying
  ✗ db-06         failed, ssh: permission denied












 Enter open  2 processes  ←→ sort  / filter  [ rewind  p pause  ? help  q quit`,
  );
});

test('the fleet at 120×16 says which hosts are missing', () => {
  assert.equal(
    fleet(120, 16).text(),
    ` procmesh › processes                                                                    3/3 online   03:12:00   ● live
 cpu 38% of 24 cores  mem 61% of 128G  read 7.1M  write 107M  in 4.1M  out 58M
── processes ────────────────────────────────────────────────────────────── without db-03: does not answer  50 of 120 ──
  HOST             INSTANCE             PID USER        ▼CPU   MEM  READ  WRITE  NET-IN  NET-OUT COMMAND
› db-02.example.o… mysqld:3308         1037 mysql      112.0  3.9G     0    28M       0        0 mysqld --defaults-file…
  db-02.example.o… mysqld:3307         1000 mysql      104.4  8.8G  2.1M      0    1.6M     4.2M mysqld --defaults-file…
  db-01            mysqld:3308         1037 mysql       95.9  3.8G     0    24M       0        0 mysqld --defaults-file…
  db-01            mysqld:3307         1000 mysql       80.7  8.7G  1.6M      0    1.2M     3.2M mysqld --defaults-file…
  db-01            kafka.service       1074 kafka       68.9  2.3G     0      0       0        0 java -Xmx8g -cp /opt/k…
  db-02.example.o… kafka.service       1074 kafka       60.8  2.3G     0      0       0        0 java -Xmx8g -cp /opt/k…
  db-02.example.o… xtrabackup          1185 root        29.4  968M     0   7.4M       0        0 xtrabackup --backup --…
  db-01            xtrabackup          1185 root        27.4  960M     0   6.9M       0        0 xtrabackup --backup --…
  db-01            redis:6379          1111 redis       19.6  1.5G  403K   4.9M       0     2.0M redis-server 127.0.0.1…
                   70 others                             6.7     -  630K   3.2M       0      27M
                   unattributed                         12.4     -     0   240K     60K        0
 Esc back  Enter open  ←→ sort  t group  / filter  [ rewind  p pause  ? help  q quit
`,
  );
});

test('groups at 80×14', () => {
  assert.equal(
    groups(80, 14).text(),
    ` procmesh › processes                            3/3 online   03:12:00   ● live
 cpu 39% of 8 cores  mem 61% of 64G  read 2.5M  write 41M  in 900K  out 2.6M
── by instance ───────────────────────────────────────────────────── 2 of 412 ──
  HOST          INSTANCE         PROCS  ▼CPU   MEM  READ  WRITE  NET-IN  NET-OUT
› db-01         mysqld:3307          3 210.0  8.4G     -      -       -        0
  db-02.exampl… 订单服务�[H          1     0     -     -      -       -        -





                408 others              96.3     -  2.5M    41M    870K     2.6M
                unattributed             6.2     -     0   120K     30K        0
 Esc back  Enter open  ←→ sort  t group  / filter  [ rewind  ? help  q quit
`,
  );
});

test('the details of a process show all of it, with its escape sequences disarmed', () => {
  assert.equal(
    details(80, 24).text(),
    ` procmesh › db-01 › evil�[31m [666]              1/1 online   03:12:40   ● live
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
── usage since opened ──────────────────────────────────────────────────────────
 CPU           42.0%                                                    ▂▁▅▁█▃
 MEM             12G                                                    ██████
 READ         1.2M/s                                                    ██████
 WRITE         34M/s                                                    ██████
 NET-IN       512K/s                                                    ██████
 NET-OUT      2.0M/s                                                    ██████
── command line ────────────────────────────────────────────────────────────────
 /bin/sh -c �[1;1H�5m 订单明细导出 👩👩👧👦 �� z̵̴algo --日期=昨天 --全部
 --目标=/数据/导出/订单明细.csv


 Esc back  ↑↓ scroll  [ rewind  p pause  ? help  q quit       this machine only
`,
  );
});

test('the details of a process show what its agent read because somebody looks', () => {
  const stage = host(80, 34);
  const known = processRow({
    openFiles: 812,
    pssBytes: 1024 ** 3,
    cpuWaitPercent: 12.5,
    loopbackInBytesPerSec: 2048,
    loopbackOutBytesPerSec: 0,
    endpoints: [
      { localPort: 3307, remoteAddress: '10.0.0.7', inBytesPerSec: 1024 ** 2, outBytesPerSec: 34 * 1024 ** 2 },
      { remotePort: 53, remoteAddress: '2001:db8::1', inBytesPerSec: 0, outBytesPerSec: 60 },
    ],
    endedChildren: [{ comm: 'cc1', count: 812, cpuPercent: 145 }],
  });
  const lines = stage.rows([known]).keys('enter').rows([known]).lines();
  const from = (start: string): string[] => lines.slice(lines.findIndex((line) => line.startsWith(start)));
  assert.deepEqual(
    from(' open files')
      .slice(0, 4)
      .map((line) => line.trim()),
    [
      'open files 812',
      'PSS        1.0G, its share of shared pages',
      "CPU wait   12.5% of a thread's time",
      'loopback   2.0K/s in, 0/s out',
    ],
  );
  assert.deepEqual(
    from('── network')
      .slice(0, 5)
      .map((line) => line.replace(/ +/g, ' ').replace(/─+ ?$/, '').trim()),
    [
      '── network, by endpoint',
      ':3307 from 10.0.0.7 1.0M/s in 34M/s out',
      'to [2001:db8::1]:53 0/s in 60/s out',
      '── ended below it and charged to it',
      '812 × cc1 145.0% CPU',
    ],
  );
});

test('the network gauge says how much of it is headers, unless it is quiet', () => {
  const gauge = (netInBytesPerSec: number): string | undefined => {
    const total = hostTotal({ netInBytesPerSec, netOutBytesPerSec: 0 });
    const network = { interfaces: [], loopbackBytesPerSec: 0, overheadOutBytesPerSec: 0 };
    const overheadInBytesPerSec = netInBytesPerSec / 20;
    return new Stage(120, 20)
      .status({ state: 'open' })
      .hosts([hostRow({ ...total, network: { ...network, overheadInBytesPerSec } })])
      .rows([processRow()], { totals: [total] })
      .lines()
      .find((line) => line.startsWith(' NET'));
  };
  assert.match(gauge(1e6) ?? '', /seen by bpf {2}headers 5%/);
  assert.doesNotMatch(gauge(1_000) ?? '', /headers/);
});

test('help fits a small terminal', () => {
  assert.equal(
    help(80, 24)
      .lines()
      .filter((line) => /[┌└]/.test(line)).length,
    2,
  );
  assert.equal(
    help(60, 14)
      .lines()
      .filter((line) => /[┌└]/.test(line)).length,
    2,
  );
});

test('a terminal that is too small is told how large it must be', () => {
  assert.deepEqual(host(40, 10).text().trim(), '40×10 is too small, 60×14 is needed');
  assert.deepEqual(host(12, 3).lines(), ['12×3 is too ', 'small, 60×14', ' is needed  ']);
});

test('every screen has as many lines as the terminal, each of exactly its columns', () => {
  for (const [name, scene] of Object.entries(SCENES))
    for (const [columns, rows] of [
      [80, 24],
      [120, 40],
      [40, 10],
      [60, 14],
      [61, 15],
      [99, 30],
      [250, 80],
    ] as const)
      for (const charset of ['unicode', 'ascii'] as const) {
        const lines = scene(columns, rows).lines(charset);
        assert.equal(lines.length, rows, name);
        for (const line of lines) assert.equal(stringWidth(line), columns, `${name} ${columns}×${rows}: ${line}`);
      }
});

test('no control character reaches the terminal from any screen', () => {
  for (const [name, scene] of Object.entries(SCENES))
    assert.doesNotMatch(scene(120, 40).lines().join(''), /[\p{Cc}\p{Cs}\u202a-\u202e\u200b-\u200f]/u, name);
});

test('without UTF-8 every screen is plain ASCII', () => {
  for (const [name, scene] of Object.entries(SCENES))
    assert.match(scene(80, 24).lines('ascii').join(''), /^[\x20-\x7e]*$/, name);
});

test('Chinese command lines keep the columns of the table', () => {
  const stage = new Stage(120, 24).oneHost([
    processRow({ cmdline: '导出 订单明细', instance: '订单导出服务:8080' }),
    HOSTILE,
  ]);
  const command = stage.line('INSTANCE').indexOf('COMMAND');
  const line = stage.line('订单导出服务:8080');
  assert.equal(stringWidth(line.slice(0, line.indexOf('导出 订单明细'))), command);
});

test('when the server is gone the last figures stay, without colour, below a banner', () => {
  const stage = gone(80, 24);
  const frame = stage.frame();
  assert.equal(
    plain(frame.slice(0, 3))
      .map((line) => line.trimEnd())
      .join('\n'),
    ` procmesh › db-01                                1/1 online   03:12:38   ✗ gone
 ✗ server gone: nothing listens there, trying again; this is from 03:12:38
 CPU  ████████▌·····   61%  485.5% / 8 cores  load 3.20     ▆▆▇▇▇▆▆▅▅▅▆▇▇▇▆▆▅▅▅`,
  );
  for (const { style } of frame.slice(2, -1).flat()) assert.ok(style.dim && style.fg === undefined);
});

test('before anything was heard the screen says what it waits for', () => {
  assert.match(new Stage().text(), /connecting to the server/);
  assert.match(new Stage().status({ state: 'open' }).text(), /waiting for the first sample/);
  assert.match(new Stage().status({ state: 'open' }).hosts([]).text(), /no hosts yet/);
});

test('what the agent says about itself stands below the gauges', () => {
  const stage = host(80, 24);
  const [row] = stage.model.hosts?.rows ?? [];
  assert.ok(row);
  stage.hosts([{ ...row, message: 'short processes are not seen: not root' }]);
  assert.match(stage.lines()[5] ?? '', /short processes are not seen/);
  assert.equal(stage.lines().length, 24);
});

test('help and quit stay at the bottom whatever else there is to say', () => {
  for (const columns of [60, 70, 80]) {
    const stage = new Stage(columns, 24, 'data in /var/lib/procmesh').oneHost();
    assert.match(stage.lines().at(-1) ?? '', /\? help {2}q quit .*data in \/var\/lib\/procmesh/);
  }
});

test('the selected row is marked and inverse, its bars are not', () => {
  const row = hosts(80, 24).frame()[4] ?? [];
  assert.equal(row[0]?.text, '›');
  assert.ok(row.some(({ text, style }) => text.includes('db-02') && style.inverse));
  assert.ok(row.some(({ text, style }) => text.startsWith('█') && !style.inverse));
});

test('no two states of a host look alike without colour', () => {
  const lines = hosts(80, 24).lines();
  for (const state of ['late', 'offline', 'deploying', 'upgrading', 'failed'])
    assert.equal(lines.filter((line) => line.includes(state)).length, 1);
});

test('a long table scrolls with its selection and keeps what is pinned below it', () => {
  const stage = new Stage(80, 24).oneHost(busyHost('db-01', 45, 0)).keys('end');
  assert.match(stage.lines()[20] ?? '', /^›/);
  assert.match(stage.lines()[22] ?? '', /unattributed/);
  stage.keys('pageup', 'pageup', 'pageup', 'pageup');
  assert.match(stage.lines()[7] ?? '', /^›/);
});

test('a command line longer than the screen scrolls, no further than its end', () => {
  const cmdline = Array.from({ length: 200 }, (_, index) => `--option-${index}`).join(' ');
  const stage = new Stage(80, 24).oneHost([processRow({ cmdline })]).keys('enter');
  assert.doesNotMatch(stage.text(), /--option-199/);
  stage.keys('end', 'down', 'down');
  assert.match(stage.lines()[22] ?? '', /--option-199/);
  assert.match(stage.keys('g').text(), /instance {3}mysqld:3307/);
});
