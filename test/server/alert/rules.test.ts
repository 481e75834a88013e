import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeDeployments } from '../../../src/server/alert/deploy-rule.ts';
import { HostRule } from '../../../src/server/alert/host-rule.ts';
import { OutboxRule } from '../../../src/server/alert/outbox-rule.ts';
import { ReachRule } from '../../../src/server/alert/reach-rule.ts';
import { judgeServers } from '../../../src/server/alert/server-rule.ts';
import { judgeStore } from '../../../src/server/alert/store-rule.ts';
import type { Verdict } from '../../../src/server/alert/verdict.ts';
import type { ListedHost, MeshReading } from '../../../src/server/host-list.ts';
import { ISTATE, type MeshServer } from '../../../src/store/fleet.ts';

const SECOND = 1_000;
const SINCE = Date.UTC(2026, 10, 23, 3, 12);
const host = (fields: Partial<ListedHost> = {}): ListedHost => ({
  ...{ host: 'web-1', rshost: 'web-1', istate: ISTATE.running, server: 'srv-1' },
  ...fields,
});
const server = (name: string, silentMs = 0): MeshServer => ({ name, url: `wss://${name}:9300`, silentMs });
const ALIVE = [server('srv-1'), server('srv-2')];

/** `web-1 bad`, `web-1 well`. */
const brief = (verdicts: readonly Verdict[]) =>
  verdicts.map(({ host, isWell }) => `${host} ${isWell ? 'well' : 'bad'}`);

/** By a server that has read on for long. */
const read = (hosts: ListedHost[], servers: MeshServer[], readAt: number): MeshReading => ({
  ...{ hosts, servers, readAt, steadySince: -600 * SECOND },
});

describe('rule of hosts', () => {
  /** What is found of hosts that stay so, each second. @returns the first second at which one is missed. */
  const missedAfter = (
    rows: ListedHost[],
    servers: MeshServer[],
    { startedAgo = 600, has = true }: { startedAgo?: number; has?: boolean } = {},
  ): number | undefined => {
    const rule = new HostRule();
    const steadySince = -startedAgo * SECOND;
    for (let second = 0; second < 120; second += 1) {
      const reading = { hosts: rows, servers, readAt: second * SECOND, steadySince };
      const verdicts = rule.judge(reading, { server: 'srv-2', has: () => has });
      if (verdicts.some(({ isWell }) => !isWell)) return second;
    }
    return undefined;
  };

  it('misses one that is disconnected for ten seconds, and says since when', () => {
    assert.equal(missedAfter([host({ disconnectedMs: SINCE })], ALIVE), 10);
    const rule = new HostRule();
    const own = { server: 'srv-2', has: () => true };
    rule.judge(read([host({ disconnectedMs: SINCE })], ALIVE, 60 * SECOND), own);
    assert.deepEqual(rule.judge(read([host({ disconnectedMs: SINCE })], ALIVE, 70 * SECOND), own), [
      {
        ...{ host: 'web-1', kind: 'offline', isWell: false },
        text: 'offline: its agent is not connected since 2026-11-23T03:12:00Z',
      },
    ]);
    assert.deepEqual(brief(rule.judge(read([host()], ALIVE, 71 * SECOND), own)), ['web-1 well']);
  });

  it('gives agents thirty seconds after the start to come back', () => {
    assert.equal(missedAfter([host({ disconnectedMs: SINCE })], ALIVE, { startedAgo: 0 }), 30);
  });

  it('misses one whose server is silent, or listed no more, when it has come to no other in fifteen seconds', () => {
    assert.equal(missedAfter([host()], [server('srv-1', 10_001), server('srv-2')]), 15);
    assert.equal(missedAfter([host()], [server('srv-2')]), 15);
    assert.equal(missedAfter([host()], [server('srv-1', 10_000)]), undefined);
  });

  it('does not miss one that has moved to another server', () => {
    const rule = new HostRule();
    const own = { server: 'srv-2', has: () => true };
    const servers = [server('srv-1', 20_000), server('srv-2')];
    assert.deepEqual(rule.judge(read([host()], servers, 0), own), []);
    assert.deepEqual(brief(rule.judge(read([host({ server: 'srv-2' })], servers, 14 * SECOND), own)), ['web-1 well']);
    assert.deepEqual(rule.judge(read([host({ disconnectedMs: SINCE })], servers, 16 * SECOND), own), []);
  });

  it('misses one of its own that has not come back since it was started again, whatever the store says', () => {
    assert.equal(missedAfter([host({ server: 'srv-2' })], ALIVE, { startedAgo: 0, has: false }), 30);
    assert.equal(missedAfter([host({ server: 'srv-2' })], ALIVE), undefined);
    // Itself it need not see in the list.
    assert.equal(missedAfter([host({ server: 'srv-2' })], []), undefined);
  });

  it('says nothing of hosts that are worked on, taken offline, not yet connected, or listed twice', () => {
    for (const row of [
      host({ disconnectedMs: SINCE, phase: 'copying the runtime' }),
      host({ disconnectedMs: SINCE, istate: ISTATE.bringOnline }),
      host({ disconnectedMs: SINCE, istate: ISTATE.takeOffline }),
      host({ disconnectedMs: SINCE, istate: ISTATE.offline }),
      host({ server: undefined }),
      host({ disconnectedMs: SINCE, fault: 'web-1 is listed already, as web-1: remove one of them' }),
    ])
      assert.equal(missedAfter([row], ALIVE), undefined);
  });

  it('names a host as it is called, without SSH user and port', () => {
    const rule = new HostRule();
    assert.deepEqual(
      brief(rule.judge(read([host({ rshost: 'root@web-1:2222' })], ALIVE, 0), { server: '', has: () => true })),
      ['web-1 well'],
    );
  });
});

describe('rule of deployments', () => {
  it('finds what failed, with the reason, until it is done', () => {
    const failed = { failure: 'no space left on /opt', attempts: 3 };
    assert.deepEqual(judgeDeployments([host({ istate: ISTATE.bringOnline, ...failed })]), [
      {
        ...{ host: 'web-1', kind: 'deploy', isWell: false, reason: 'no space left on /opt' },
        text: 'cannot be deployed (attempt 3): no space left on /opt',
      },
    ]);
    assert.deepEqual(judgeDeployments([host({ istate: ISTATE.takeOffline, failure: 'no route', attempts: 1 })]), [
      {
        ...{ host: 'web-1', kind: 'deploy', isWell: false, reason: 'no route' },
        text: 'cannot be taken offline: no route',
      },
    ]);
    assert.deepEqual(judgeDeployments([host({ istate: ISTATE.bringOnline })]), []);
    assert.deepEqual(brief(judgeDeployments([host(), host({ host: 'web-2', istate: ISTATE.offline })])), [
      'web-1 well',
      'web-2 well',
    ]);
  });
});

describe('rule of servers', () => {
  it('finds one that is silent for more than ten seconds', () => {
    assert.deepEqual(brief(judgeServers([server('srv-1', 10_000), server('srv-2', 10_001)])), [
      'srv-1 well',
      'srv-2 bad',
    ]);
    assert.equal(judgeServers([server('srv-2', 12_400)])[0]?.text, 'server is silent for 12 s');
  });
});

describe('rule of reach', () => {
  const unreachable = { server: 'wss://srv-1:9300/', reason: 'it does not answer' };

  it('finds a server that lives and that agents cannot reach, until none has said so for five minutes', () => {
    const rule = new ReachRule();
    assert.equal(rule.hasReports, false);
    rule.report('web-1', unreachable, 0);
    for (const name of ['web-2', 'web-2', 'web-3']) rule.report(name, unreachable, 1);
    assert.deepEqual(rule.judge(ALIVE, 2), [
      {
        ...{ host: 'srv-1', kind: 'reach', isWell: false },
        text: 'server lives, but cannot be reached by web-1 and 2 more: it does not answer',
      },
    ]);
    assert.deepEqual(brief(rule.judge(ALIVE, 300_000)), ['srv-1 bad']);
    assert.deepEqual(brief(rule.judge(ALIVE, 300_001)), ['srv-1 well']);
    assert.equal(rule.hasReports, false);
  });

  it('does not mind a server that was started again', () => {
    const rule = new ReachRule();
    for (const reason of ['the connection was closed', 'going away (1001)', 'nothing listens there'])
      rule.report('web-1', { ...unreachable, reason }, 0);
    assert.equal(rule.hasReports, false);
  });

  it('leaves to others one that is silent, and to nobody one that has ended', () => {
    const rule = new ReachRule();
    rule.report('web-1', unreachable, 0);
    assert.deepEqual(rule.judge([server('srv-1', 10_001)], 1), []);
    assert.deepEqual(rule.judge([server('srv-2')], 1), []);
  });
});

describe('rule of outboxes', () => {
  it('finds a host that loses intervals, how many, until it has lost none for five minutes', () => {
    const rule = new OutboxRule();
    rule.hello('web-1', { waiting: 0, dropped: 0 }, 0);
    assert.deepEqual(rule.judge(0), []);
    rule.count('web-1', 1, 0);
    assert.match(rule.judge(0)[0]?.text ?? '', /1 interval had/);
    rule.count('web-1', 5, 60_000);
    rule.count('web-1', 5, 90_000);
    assert.match(rule.judge(359_999)[0]?.text ?? '', /5 intervals had/);
    assert.deepEqual(brief(rule.judge(360_000)), ['web-1 well']);
    rule.count('web-1', 7, 400_000);
    assert.match(rule.judge(400_000)[0]?.text ?? '', /2 intervals had/);
  });

  it('takes a smaller number for that of an agent that was started again', () => {
    const rule = new OutboxRule();
    rule.count('web-1', 10, 0);
    rule.count('web-1', 0, 1);
    rule.count('web-1', 3, 2);
    assert.match(rule.judge(2)[0]?.text ?? '', /13 intervals had/);
  });

  it('does not take losses of long ago for new ones when the server was started again, but those of an outage', () => {
    const rule = new OutboxRule();
    rule.hello('web-1', { waiting: 2, dropped: 12 }, 0);
    rule.hello('web-2', { waiting: 5_000, dropped: 12 }, 0);
    assert.deepEqual(brief(rule.judge(0)), ['web-1 well', 'web-2 bad']);
    rule.count('web-1', 13, 1);
    assert.match(rule.judge(1)[0]?.text ?? '', /1 interval had/);
  });
});

describe('rule of the store', () => {
  it('finds one that has taken nothing for ten seconds', () => {
    assert.deepEqual(brief(judgeStore('srv-1', undefined)), ['srv-1 well']);
    assert.deepEqual(judgeStore('srv-1', { forMs: 9_999, reason: 'away' }), []);
    assert.deepEqual(judgeStore('srv-1', { forMs: 12_000, reason: 'MySQL at db:3306 is away' }), [
      {
        ...{ host: 'srv-1', kind: 'store', isWell: false },
        text: 'history cannot be stored for 12 s: MySQL at db:3306 is away',
      },
    ]);
  });
});
