import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { blameReport } from '../../src/cli/blame-report.ts';
import type { Blame, BlamedResource, CulpritShare } from '../../src/protocol/blame.ts';
import { cells } from '../../tui/text.ts';

const zone = process.env.TZ;
const FILE = { width: undefined, hasColours: false };

function culprit(own: Partial<CulpritShare> = {}): CulpritShare {
  return {
    instance: 'mysqld:3307',
    comm: 'mysqld',
    pids: [2913],
    cmdline: '/usr/sbin/mysqld --port=3307',
    user: 'mysql',
    ...{ avg: 190.2, max: 380, sharePercent: 61 },
    ...own,
  };
}

function resource(own: Partial<BlamedResource> = {}): BlamedResource {
  return {
    ...{ resource: 'cpu', hostAvg: 311.8, hostMax: 790, hostMaxAt: '2026-11-23T03:07:30.000Z' },
    ...{ unattributed: 6.2, others: 115.4, culprits: [culprit()] },
    ...own,
  };
}

function blame(resources: BlamedResource[], own: Partial<Blame> = {}): Blame {
  return {
    ...{ host: 'db-01', from: '2026-11-23T03:02:00.000Z', to: '2026-11-23T03:12:00.000Z', coveredMs: 600_000 },
    ...{ cores: 8, memTotalBytes: 64 * 1024 ** 3, resources },
    ...own,
  };
}

/** Share of each line that has one. */
function shares(lines: readonly string[]): number[] {
  return lines
    .flatMap((line) => Number(/ ([\d.]+)%/.exec(line.startsWith(' ') ? line : '')?.[1] ?? Number.NaN))
    .filter((share) => !Number.isNaN(share));
}

describe('the report of blame', () => {
  before(() => {
    process.env.TZ = 'UTC';
  });
  after(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });

  it('tells the host, its peak, who was it, and what nobody accounts for', () => {
    const network: BlamedResource = { ...resource({ resource: 'net-in' }), hostAvg: 0, hostMax: 0, culprits: [] };
    const flow = { hostAvg: 4e6, hostMax: 5e7, unattributed: 0, others: 0 };
    const written = [culprit({ instance: 'backup', pids: [99, 98, 97, 96], avg: 4e6, max: 5e7, sharePercent: 100 })];
    const lines = blameReport(
      blame([resource(), resource({ ...flow, resource: 'write', culprits: written }), network]),
      FILE,
    );
    assert.equal(
      lines.join('\n'),
      `db-01  2026-11-23 03:02:00 – 03:12:00  8 cores, 64G
             SHARE    AVG    MAX  INSTANCE      PIDS      COMMAND
cpu      average 311.8% of 800%, maximum 790.0% at 03:07:30
 ██████▏···  61.0%  190.2  380.0  mysqld:3307   2913      /usr/sbin/mysqld --port=3307
 ███▊······  37.0%  115.4         others
 ▎·········   2.0%    6.2         unattributed
write    average 3.8M/s, maximum 48M/s at 03:07:30
 ██████████ 100.0%   3.8M    48M  backup        99 98 +2  /usr/sbin/mysqld --port=3307
 ··········     0%      0         unattributed
net-in: nothing`,
    );
  });

  it('says how much of the time was not recorded', () => {
    const [head] = blameReport(blame([], { coveredMs: 420_000 }), FILE);
    assert.match(head ?? '', /8 cores, 64G {2}3 m of it not recorded$/);
    assert.doesNotMatch(blameReport(blame([], { coveredMs: 599_400 }), FILE)[0] ?? '', /recorded/);
  });

  it('names the day of each moment when there are two', () => {
    const [head, , cpu] = blameReport(blame([resource()], { from: '2026-11-22T23:00:00.000Z' }), FILE);
    assert.match(head ?? '', /2026-11-22 23:00:00 – 2026-11-23 03:12:00/);
    assert.match(cpu ?? '', /at 2026-11-23 03:07:30$/);
  });

  it('prints shares that add up to a hundred, whatever they are', () => {
    for (const parts of [
      [1, 1, 1],
      [1, 2, 3, 1],
      [0.04, 0.04, 99.92],
      [33.33, 66.67],
      [7, 11, 13, 17, 19],
    ]) {
      const [rest = 0, ...named] = parts;
      const hostAvg = parts.reduce((sum, part) => sum + part, 0);
      const culprits = named.map((avg) => culprit({ avg, sharePercent: (avg / hostAvg) * 100 }));
      const lines = blameReport(blame([resource({ hostAvg, unattributed: rest, others: 0, culprits })]), FILE);
      const sum = shares(lines).reduce((total, share) => total + share, 0);
      assert.equal(sum.toFixed(1), '100.0', lines.join('\n'));
    }
  });

  it('rounds the largest of equals up', () => {
    const culprits = [200, 50].map((avg) => culprit({ avg, sharePercent: (100 * avg) / 300 }));
    const lines = blameReport(blame([resource({ hostAvg: 300, unattributed: 10.5, others: 39.5, culprits })]), FILE);
    assert.deepEqual(shares(lines), [66.7, 16.7, 13.1, 3.5]);
  });

  it('takes shares of memory as they are: shared pages count in each process', () => {
    const culprits = [culprit({ sharePercent: 80 }), culprit({ sharePercent: 70 })];
    const lines = blameReport(
      blame([resource({ resource: 'mem', unattributed: undefined, others: 0, culprits })]),
      FILE,
    );
    assert.deepEqual(shares(lines), [80, 70]);
    assert.doesNotMatch(lines.join(), /unattributed|others/);
  });

  it('names a kernel thread by its name', () => {
    const lines = blameReport(blame([resource({ culprits: [culprit({ comm: 'kswapd0', cmdline: '' })] })]), FILE);
    assert.match(lines[3] ?? '', /\[kswapd0\]$/);
  });

  it('keeps within a terminal however narrow it is and wide the names are, and cuts nothing for a file', () => {
    const culprits = [
      culprit({ instance: '数据库备份'.repeat(20), cmdline: '订单'.repeat(200), pids: [4194303, 4194302, 1] }),
    ];
    for (const width of [20, 60, 80, 200])
      for (const line of blameReport(blame([resource({ culprits })]), { width, hasColours: false }))
        assert.ok(cells(line) <= width, line);
    assert.match(blameReport(blame([resource({ culprits })]), FILE).join(), /(数据库备份){20}.*(订单){200}/);
  });

  it('has colours only where they are wanted', () => {
    const coloured = blameReport(blame([resource()]), { width: 80, hasColours: true }).join('\n');
    assert.ok(coloured.startsWith('\x1b[1mdb-01\x1b[22m'));
    assert.equal(
      blameReport(blame([resource()]), FILE)
        .join('\n')
        .includes('\x1b'),
      false,
    );
  });
});
