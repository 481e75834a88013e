import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DetailReader } from '../../src/agent/details.ts';
import { PssReader } from '../../src/agent/pss.ts';
import type { Sample } from '../../src/agent/sampler.ts';
import { Watches } from '../../src/agent/watch.ts';
import { FilterError } from '../../src/protocol/filter.ts';
import { type AgentRows, agentRowsSchema, type Watch } from '../../src/protocol/message.ts';
import type { Query } from '../../src/protocol/query.ts';
import type { ProcessRow } from '../../src/protocol/row.ts';
import { FakeProc } from '../support/fake-proc.ts';
import { scratchFolder } from '../support/scratch.ts';
import { bareDetails, bareIdentities, sample } from './samples.ts';
import { countersOf, type ProcessFields, snapshot, T0_MS } from './snapshots.ts';

const PROCESSES: Record<number, ProcessFields> = {
  10: { comm: 'mysqld' },
  11: { ppid: 10, comm: 'mysqld' },
  12: { comm: 'nginx' },
};

function setUp() {
  const identities = bareIdentities();
  const watches = new Watches('db1', 4_096, { identities, details: bareDetails() });
  let second = 0;
  /** A sample in which these used so many percent of a core. */
  const evaluate = (cpu: Record<number, number>, nowMs = 0): AgentRows[] => {
    second += 1;
    const used = Object.fromEntries(Object.entries(cpu).map(([pid, cpuTicks]) => [pid, { cpuTicks }]));
    const taken = sample(snapshot(second, PROCESSES), used, { network: {} });
    identities.update(taken.snapshot);
    return watches.evaluate(taken, nowMs);
  };
  const watch = (query: Partial<Query>, fields: Partial<Watch> = {}, nowMs = 0): AgentRows | undefined =>
    watches.watch(
      { type: 'watch', id: 1, query: { view: 'processes', sort: 'cpu', limit: 2, ...query }, ttlMs: 100, ...fields },
      nowMs,
    );
  return { watches, evaluate, watch };
}

function pids(answer: AgentRows | undefined): number[] | undefined {
  return answer?.rows.map((row) => ('pid' in row ? row.pid : -1));
}

test('answers with the largest rows and the host’s figures of the same sample', () => {
  const { evaluate, watch } = setUp();
  assert.equal(watch({}), undefined);
  const [answer, ...others] = evaluate({ 10: 20, 11: 70, 12: 30 });
  assert.deepEqual(others, []);
  assert.deepEqual(pids(answer), [11, 12]);
  assert.deepEqual([answer?.type, answer?.id, answer?.atMs], ['rows', 1, T0_MS + 1_000]);
  assert.deepEqual([answer?.total.host, answer?.total.at], ['db1', new Date(T0_MS + 1_000).toISOString()]);
  assert.equal(answer?.total.cpuPercent, 310.7);
  const [row] = answer?.rows ?? [];
  assert.ok(row !== undefined && 'pid' in row);
  assert.deepEqual([row.host, row.comm, row.cpuPercent, row.rssBytes], ['db1', 'mysqld', 70, 40_960]);
  assert.deepEqual(agentRowsSchema.parse(answer), answer);
});

test('reads details of the first rows alone, and only where they are asked for', () => {
  const { evaluate, watch } = setUp();
  const known = (answer: AgentRows | undefined): boolean[] =>
    (answer?.rows ?? []).map((row) => 'endpoints' in row && row.endpoints !== undefined);
  watch({ limit: 10, details: true });
  watch({ limit: 10, details: true, filter: 'comm:nginx' }, { id: 2 });
  watch({ limit: 10 }, { id: 3 });
  watch({ limit: 10, details: true, groupBy: 'comm' }, { id: 4 });
  const answers = evaluate({ 10: 20, 11: 70, 12: 30 });
  assert.deepEqual(answers.map(known), [[true, true, true, true], [true], Array(4).fill(false), Array(3).fill(false)]);
  for (const answer of answers) assert.deepEqual(agentRowsSchema.parse(answer), answer);
});

test('shows of further rows the memory share that was read in turn', (t) => {
  const proc = new FakeProc(scratchFolder(t));
  const pss = new PssReader(proc.procRoot, () => 0);
  const identities = bareIdentities();
  const watches = new Watches('db1', 4_096, { identities, details: new DetailReader(proc.procRoot, pss) });
  const pids = [21, 22, 23, 24, 25, 26, 27];
  const crowd = snapshot(1, Object.fromEntries(pids.map((pid) => [pid, { rssPages: pid === 26 ? 5_000 : 1 }])));
  for (const pid of pids) proc.write(`${pid}/smaps_rollup`, 'Pss: 300 kB\n');
  pss.takeTurn(crowd.processes, crowd.monotonicMs);
  const taken = sample(crowd, Object.fromEntries(pids.map((pid) => [pid, { cpuTicks: 100 - pid }])));
  identities.update(crowd);
  const query = { view: 'processes', sort: 'cpu', limit: 10, details: true } as const;
  watches.watch({ type: 'watch', id: 1, query, ttlMs: 100 }, 0);
  const rows = watches.evaluate(taken, 0)[0]?.rows as ProcessRow[];
  const known = [21, 22, 23, 24, 25, 26].map((pid) => [pid, 307_200]);
  assert.deepEqual(
    rows.map(({ pid, pssBytes }) => [pid, pssBytes]),
    [...known, [27, undefined], [1, undefined]],
  );
});

test('has a row for a process that ended within the window, for one sample', () => {
  const identities = bareIdentities();
  const watches = new Watches('db1', 4_096, { identities, details: bareDetails() });
  const ended = [countersOf(14, { comm: 'job', state: 'X', rssPages: 0 })];
  watches.watch({ type: 'watch', id: 1, query: { view: 'processes', sort: 'cpu', limit: 1 }, ttlMs: 100 }, 0);
  watches.watch(
    { type: 'watch', id: 2, query: { view: 'processes', sort: 'cpu', limit: 1, filter: 'job' }, ttlMs: 100 },
    0,
  );
  const rows = (taken: Sample): unknown[] => {
    identities.update(taken.snapshot);
    return watches.evaluate(taken, 0).map((answer) => {
      const [row] = answer.rows;
      return row !== undefined && 'pid' in row ? [row.pid, row.state, row.cpuPercent, row.rssBytes] : undefined;
    });
  };
  const job = [14, 'X', 60, 0];
  assert.deepEqual(rows(sample(snapshot(1, PROCESSES), { 10: { cpuTicks: 5 }, 14: { cpuTicks: 60 } }, { ended })), [
    job,
    job,
  ]);
  assert.deepEqual(rows(sample(snapshot(2, PROCESSES), { 10: { cpuTicks: 5 } })), [[10, 'S', 5, 40_960], undefined]);
});

test('answers a new or changed query at once, and a renewed one with the next sample', () => {
  const { evaluate, watch } = setUp();
  evaluate({ 10: 20, 12: 30 });
  assert.deepEqual(pids(watch({})), [12, 10]);
  assert.equal(watch({}), undefined);
  assert.deepEqual(pids(watch({ limit: 1 })), [12]);
  assert.deepEqual(pids(watch({ limit: 1 }, { floor: 25 })), [12]);
  assert.deepEqual(pids(watch({ limit: 1 }, { id: 2 })), [12]);
  assert.equal(evaluate({ 10: 20 }).length, 2);
});

test('filters, and refuses a filter that cannot be read', () => {
  const { evaluate, watch, watches } = setUp();
  evaluate({ 10: 20, 12: 30 });
  assert.deepEqual(pids(watch({ filter: 'comm:mysqld AND cpu:>10' })), [10]);
  assert.throws(() => watch({ filter: '((' }, { id: 2 }), FilterError);
  watches.unwatch(1);
  assert.deepEqual(evaluate({}), []);
});

test('sends every group, as only the server can tell which are the largest', () => {
  const { evaluate, watch } = setUp();
  evaluate({ 10: 20, 11: 15, 12: 30 });
  const answer = watch({ groupBy: 'comm', limit: 1 });
  assert.deepEqual(
    answer?.rows.map((row) => ('group' in row ? [row.group, row.processes, row.cpuPercent] : [])),
    [
      ['mysqld', 2, 35],
      ['nginx', 1, 30],
      ['systemd', 1, 0],
    ],
  );
});

test('leaves out rows below the floor, and says once that none is left', () => {
  const { evaluate, watch } = setUp();
  watch({}, { floor: 50 });
  assert.deepEqual(evaluate({ 10: 50, 12: 49 }).map(pids), [[10]]);
  assert.deepEqual(evaluate({ 10: 49 }).map(pids), [[]]);
  assert.deepEqual(evaluate({ 10: 49 }), []);
  assert.equal(watch({}, { floor: 50 }), undefined, 'a renewal changes nothing');
  assert.deepEqual(evaluate({ 10: 1 }), []);
  assert.deepEqual(evaluate({ 12: 60 }).map(pids), [[12]]);
  assert.deepEqual(evaluate({}).map(pids), [[]]);
  assert.deepEqual(pids(watch({}, { floor: 40 })), []);
});

test('goes on answering without a floor, though nothing matches', () => {
  const { evaluate, watch } = setUp();
  watch({ filter: 'comm:nobody' });
  for (let turn = 0; turn < 2; turn += 1) assert.deepEqual(evaluate({ 10: 5 }).map(pids), [[]]);
});

test('ends a watch that is not renewed in time', () => {
  const { evaluate, watch } = setUp();
  watch({}, {}, 1_000);
  assert.equal(evaluate({}, 1_099).length, 1);
  watch({}, {}, 1_099);
  assert.equal(evaluate({}, 1_198).length, 1);
  assert.equal(evaluate({}, 1_199).length, 0);
  assert.equal(evaluate({}, 1_100).length, 0);
});

test('forgets everybody when the connection is gone', () => {
  const { evaluate, watch, watches } = setUp();
  watch({});
  watch({}, { id: 2 });
  watches.clear();
  assert.deepEqual(evaluate({}), []);
});

test('works for 64 viewers at most, and still renews theirs', () => {
  const { evaluate, watch } = setUp();
  evaluate({ 10: 5 });
  for (let id = 1; id <= 64; id += 1) assert.notEqual(watch({}, { id }), undefined);
  assert.equal(watch({}, { id: 65 }), undefined);
  assert.notEqual(watch({ limit: 1 }, { id: 64 }), undefined);
  assert.equal(evaluate({ 10: 5 }).length, 64);
});
