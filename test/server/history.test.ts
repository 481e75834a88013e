import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Problem } from '../../src/problem.ts';
import type { Query } from '../../src/protocol/query.ts';
import { type HostRow, hostRowSchema } from '../../src/protocol/row.ts';
import type { HostHistory, Peaks } from '../../src/store/store.ts';
import { aProcess, interval, STEP, T0, usage } from '../store/sample.ts';
import { FakeStore } from '../support/fake-store.ts';
import { openServer, processQuery } from '../support/test-server.ts';

const AT = new Date(T0).toISOString();
const FROM = new Date(T0 - STEP).toISOString();

function hostHistory(host: string, cpuPercent: number): HostHistory {
  const total = { host, at: AT, ...usage({ cpuPercent }) };
  return { total, max: interval(0).hostMax, fromMs: T0 - STEP, toMs: T0, coveredMs: STEP, intervals: 1 };
}

const ROWS = [
  { host: 'a', ...aProcess({ pid: 1, cpuPercent: 10, cpuPercentMax: 90, user: 'root' }) },
  { host: 'a', ...aProcess({ pid: 2, cpuPercent: 30, cpuPercentMax: 40 }) },
  { host: 'b', ...aProcess({ pid: 3, cpuPercent: 20, cpuPercentMax: 20 }) },
];

/** A server whose store answers with two hosts, and the question put to it through a viewer. */
async function opened(t: TestContext) {
  const store = new FakeStore();
  store.answer = { atMs: T0, rows: ROWS, hosts: [hostHistory('a', 40), hostHistory('b', 20)], incomplete: [] };
  const server = await openServer(t, { store });
  const viewer = await server.connect('viewer');
  let id = 0;
  const ask = (fields: Partial<Query>): number => {
    id += 1;
    viewer.send({ type: 'subscribe', id, query: { ...processQuery({ atMs: T0 + 5_000 }), ...fields } });
    return id;
  };
  const pids = async (fields: Partial<Query>): Promise<number[]> => {
    ask(fields);
    return (await viewer.next('rows')).rows.map((row) => ('pid' in row ? row.pid : -1));
  };
  return { server, store, viewer, ask, pids };
}

describe('a question about the past', { timeout: 30_000 }, () => {
  it('is answered from the store, in the shape of the present, with maxima', async (t) => {
    const { store, viewer, ask } = await opened(t);
    const id = ask({});
    const { totals, ...answer } = await viewer.next('rows');
    assert.deepEqual(answer, { type: 'rows', id, at: AT, from: FROM, rows: [ROWS[1], ROWS[2], ROWS[0]] });
    assert.deepEqual(totals, [hostHistory('a', 40).total, hostHistory('b', 20).total]);
    assert.deepEqual(store.questions, [{ atMs: T0 + 5_000 }]);
  });

  it('hands host and window on to the store', async (t) => {
    const { store, pids } = await opened(t);
    await pids({ host: 'a', windowMs: 600_000 });
    assert.deepEqual(store.questions, [{ atMs: T0 + 5_000, host: 'a', windowMs: 600_000 }]);
  });

  it('is filtered, sorted, grouped and limited as a live one', async (t) => {
    const { viewer, ask, pids } = await opened(t);
    assert.deepEqual(await pids({ filter: 'user:mysql' }), [2, 3]);
    assert.deepEqual(await pids({ filter: 'cpu:>15', limit: 1 }), [2]);
    ask({ groupBy: 'user' });
    const { rows } = await viewer.next('rows');
    const figures = rows.map((row) => [
      'group' in row && row.group,
      'processes' in row && row.processes,
      row.cpuPercent,
      row.cpuPercentMax,
    ]);
    assert.deepEqual(figures, [
      ['mysql', 2, 50, 60],
      ['root', 1, 10, 90],
    ]);
  });

  it('is answered once, not again with what happens now', async (t) => {
    const { server, viewer, pids } = await opened(t);
    await pids({});
    const agent = await server.agent('a');
    agent.sample();
    await agent.wire.settled();
    await viewer.settled();
    assert.deepEqual(viewer.received, []);
    assert.deepEqual(agent.asked, []);
  });

  it('says which hosts are missing, and why', async (t) => {
    const { store, viewer, ask } = await opened(t);
    const incomplete = [{ host: 'c', reason: 'nothing was recorded then' }];
    store.answer = { ...store.answer, incomplete };
    ask({});
    assert.deepEqual((await viewer.next('rows')).incomplete, incomplete);
  });

  it('about hosts is answered with figures of then and the status of now', async (t) => {
    const { server, viewer, ask } = await opened(t);
    await server.agent('a');
    const id = ask({ view: 'hosts' });
    const answer = await viewer.next('hosts');
    assert.deepEqual([answer.id, answer.at], [id, AT]);
    const [a, b] = answer.rows as [HostRow, HostRow];
    assert.deepEqual(b, { host: 'b', status: 'offline', ...usage({ cpuPercent: 20 }), lastSeenAt: AT });
    assert.equal(a.status, 'online');
    assert.equal(a.cpuPercent, 40);
    for (const row of answer.rows) assert.deepEqual(hostRowSchema.parse(row), row);
    ask({ view: 'hosts', limit: 1 });
    assert.deepEqual(
      (await viewer.next('hosts')).rows.map(({ host }) => host),
      ['a'],
    );
  });

  it('about one host is answered with its intervals, and a process among them', async (t) => {
    const { store, viewer, ask } = await opened(t);
    const { host: figures, hostMax } = interval(0);
    store.points = [{ from: FROM, at: AT, usage: figures, max: hostMax, process: { cpuPercent: 3 } }];
    const startedAt = '2026-06-01T00:00:00.120Z';
    const id = ask({ view: 'series', host: 'a', windowMs: 60_000, process: { pid: 7, startedAt } });
    assert.deepEqual(await viewer.next('series'), { type: 'series', id, host: 'a', points: store.points });
    const process = { pid: 7, startedMs: Date.parse(startedAt) };
    ask({ view: 'series', host: 'a', limit: 10_000 });
    await viewer.next('series');
    assert.deepEqual(store.questions, [
      { atMs: T0 + 5_000, windowMs: 60_000, host: 'a', process, limit: 10 },
      { atMs: T0 + 5_000, host: 'a', limit: 2_000 },
    ]);
  });

  it('about who used up a host is answered with the culprits', async (t) => {
    const { store, viewer, ask } = await opened(t);
    store.answer = { ...store.answer, hosts: [hostHistory('a', 40)], rows: ROWS.slice(0, 2) };
    store.peakTimes = Object.fromEntries(Object.keys(interval(0).hostMax).map((name) => [name, T0])) as Peaks;
    const id = ask({ view: 'blame', host: 'a', windowMs: 60_000, limit: 1 });
    const answer = await viewer.next('blame');
    assert.deepEqual([answer.id, answer.host, answer.from, answer.to], [id, 'a', FROM, AT]);
    const { culprits, hostMaxAt } = answer.resources[0] ?? {};
    assert.deepEqual(
      [culprits?.map(({ pids, sharePercent }) => [pids, sharePercent]), hostMaxAt],
      [[[[2, 1], 100]], AT],
    );
    assert.deepEqual(store.questions, [{ atMs: T0 + 5_000, windowMs: 60_000, host: 'a' }]);
  });

  it('about who used up a host that has no history then gets an error', async (t) => {
    const { store, viewer, ask } = await opened(t);
    const incomplete = [{ host: 'c', reason: 'nothing was recorded then' }];
    store.answer = { ...store.answer, hosts: [], rows: [], incomplete };
    ask({ view: 'blame', host: 'c' });
    const { message } = await viewer.next('error');
    assert.match(message, /^no history of c at that time \(nothing was recorded then\): name another time/);
  });

  it('that is asked of one host and a time gets an error without them', async (t) => {
    const { viewer, ask } = await opened(t);
    for (const fields of [
      { view: 'blame' },
      { view: 'series' },
      { view: 'series', host: 'a', atMs: undefined },
    ] as const) {
      ask(fields);
      assert.equal((await viewer.next('error')).message, `${fields.view} is asked of one host and a time`);
    }
  });

  it('counts among those of one viewer while the store has not answered', async (t) => {
    const { store, viewer, ask } = await opened(t);
    const held = Promise.withResolvers<void>();
    store.onRead = () => held.promise;
    for (let count = 0; count < 32; count += 1) ask({});
    ask({});
    assert.equal((await viewer.next('error')).message, 'more than 32 queries at once');
    held.resolve();
    for (let count = 0; count < 32; count += 1) await viewer.next('rows');
    ask({});
    await viewer.next('rows');
  });

  it('that the store cannot answer gets an error, and the viewer stays', async (t) => {
    const { store, viewer, ask, pids } = await opened(t);
    store.onRead = async () => {
      throw new Problem('ERR_STORE_SLOW', 'the store has not answered within 60 s: its disk is too slow');
    };
    const id = ask({});
    const message = 'the store has not answered within 60 s: its disk is too slow';
    assert.deepEqual(await viewer.next('error'), { type: 'error', id, code: 'ERR_STORE', message });
    store.onRead = async () => undefined;
    assert.equal((await pids({})).length, 3);
  });

  it('does not hold up a live one', async (t) => {
    const { server, store, viewer, ask } = await opened(t);
    const held = Promise.withResolvers<void>();
    store.onRead = () => held.promise;
    const past = ask({});
    const live = ask({ view: 'hosts', atMs: undefined });
    assert.equal((await viewer.next('hosts')).id, live);
    held.resolve();
    assert.equal((await viewer.next('rows')).id, past);
    assert.equal(server.troubles.length, 0);
  });
});
