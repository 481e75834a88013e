import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Query } from '../../src/protocol/query.ts';
import { type HostRow, hostRowSchema } from '../../src/protocol/row.ts';
import { largestHosts } from '../../src/server/live-hosts.ts';
import { usage } from '../store/sample.ts';
import { FakeStore } from '../support/fake-store.ts';
import { openServer } from '../support/test-server.ts';
import type { Wire } from '../support/wire.ts';

const HOSTS: Query = { view: 'hosts', sort: 'cpu', limit: 100 };

/** Waits for an answer in which a host is as wanted. */
async function until(viewer: Wire, host: string, wanted: (row: HostRow) => boolean): Promise<HostRow> {
  for (;;) {
    const row = (await viewer.next('hosts')).rows.find((candidate) => candidate.host === host);
    if (row !== undefined && wanted(row)) return row;
  }
}

describe('the view of the hosts', { timeout: 30_000 }, () => {
  it('is answered at once with every host that is known, largest first', async (t) => {
    const store = new FakeStore();
    store.known = [{ host: 'gone', lastIntervalEndMs: Date.UTC(2026, 0, 1) }];
    const server = await openServer(t, { store });
    for (const [host, cpuPercent] of [
      ['small', 10],
      ['big', 90],
    ] as const) {
      const agent = await server.agent(host);
      agent.usage = usage({ cpuPercent });
      agent.beat({ culprits: { cpu: [{ instance: 'mysqld:3307', pid: 7, value: 9 }] } });
      await agent.wire.settled();
    }
    const { type, id, at, rows } = await (await server.viewer(HOSTS)).next('hosts');
    assert.deepEqual([type, id, new Date(at).toISOString()], ['hosts', 1, at]);
    assert.deepEqual(
      rows.map(({ host, status }) => [host, status]),
      [
        ['big', 'online'],
        ['small', 'online'],
        ['gone', 'offline'],
      ],
    );
    for (const row of rows) assert.deepEqual(hostRowSchema.parse(row), row);
    assert.deepEqual(rows[2], { host: 'gone', status: 'offline', lastSeenAt: '2026-01-01T00:00:00.000Z' });
    const { lastSeenAt, ...big } = rows[0] as HostRow;
    assert.ok(Date.parse(lastSeenAt ?? '') <= Date.now());
    assert.deepEqual(big, {
      host: 'big',
      status: 'online',
      version: '1.0.0',
      server: 'srv-1',
      ...usage({ cpuPercent: 90 }),
      agent: { cpuPercent: 0.5, rssBytes: 5e7 },
      culprits: { cpu: [{ instance: 'mysqld:3307', pid: 7, value: 9 }] },
    });
  });

  it('is answered again when a host comes, beats, goes and comes back', async (t) => {
    const server = await openServer(t);
    const viewer = await server.viewer(HOSTS);
    assert.deepEqual((await viewer.next('hosts')).rows, []);
    const agent = await server.agent('web-1');
    await until(viewer, 'web-1', ({ status, cpuPercent }) => status === 'online' && cpuPercent === undefined);
    agent.usage = usage({ cpuPercent: 123 });
    agent.beat();
    await until(viewer, 'web-1', ({ cpuPercent }) => cpuPercent === 123);
    agent.wire.socket.terminate();
    const offline = await until(viewer, 'web-1', ({ status }) => status === 'offline');
    assert.equal(offline.cpuPercent, undefined);
    assert.equal(offline.message, 'closed (1006)');
    await server.agent('web-1');
    await until(viewer, 'web-1', ({ status, message }) => status === 'online' && message === undefined);
  });

  it('shows that a host has become late though nothing has happened', async (t) => {
    const server = await openServer(t, { settings: { sampleMs: 20 } });
    const agent = await server.agent('web-1');
    agent.beat();
    const viewer = await server.viewer(HOSTS);
    await until(viewer, 'web-1', ({ status }) => status === 'late');
    agent.beat();
    await until(viewer, 'web-1', ({ status }) => status === 'online');
  });

  it('gathers the beats of many hosts into one answer', async (t) => {
    const server = await openServer(t);
    const agents = [];
    for (let index = 0; index < 30; index += 1) agents.push(await server.agent(`host-${index}`));
    const viewer = await server.viewer(HOSTS);
    await viewer.next('hosts');
    let answers = 0;
    for (const load1 of [77, 78]) {
      for (const agent of agents) {
        agent.usage = usage({ load1 });
        agent.beat();
      }
      for (let whole = false; !whole; answers += 1)
        whole = (await viewer.next('hosts')).rows.every((row) => row.load1 === load1);
    }
    assert.ok(answers <= 20, `${answers} answers for 60 beats`);
  });

  it('keeps to one host, and to the limit', async (t) => {
    const server = await openServer(t);
    for (const host of ['a', 'b', 'c']) await server.agent(host);
    const one = await (await server.viewer({ ...HOSTS, host: 'b' })).next('hosts');
    assert.deepEqual(
      one.rows.map(({ host }) => host),
      ['b'],
    );
    const none = await (await server.viewer({ ...HOSTS, host: 'x' })).next('hosts');
    assert.deepEqual(none.rows, []);
    const two = await (await server.viewer({ ...HOSTS, limit: 2 })).next('hosts');
    assert.deepEqual(
      two.rows.map(({ host }) => host),
      ['a', 'b'],
    );
  });
});

describe('largestHosts', { timeout: 30_000 }, () => {
  const rows: HostRow[] = [
    { host: 'a', status: 'online', ...usage({ cpuPercent: 1, memUsedBytes: 30, netInBytesPerSec: 5 }) },
    { host: 'b', status: 'online', ...usage({ cpuPercent: 1, memUsedBytes: 10, netInBytesPerSec: 7 }) },
    { host: 'c', status: 'online', ...usage({ cpuPercent: 2, memUsedBytes: 20, netInBytesPerSec: 6 }) },
    { host: 'd', status: 'offline' },
  ];
  for (const [sort, order] of [
    ['cpu', 'cabd'],
    ['mem', 'acbd'],
    ['net-in', 'bcad'],
  ] as const) {
    it(`sorts by ${sort}, then by name, hosts without figures last`, () => {
      const sorted = largestHosts({ ...HOSTS, sort }, rows.toReversed());
      assert.equal(sorted.map(({ host }) => host).join(''), order);
    });
  }
});
