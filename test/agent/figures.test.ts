import assert from 'node:assert/strict';
import { test } from 'node:test';
import { culprits } from '../../src/agent/culprits.ts';
import { figure, figures, largestBy } from '../../src/agent/figures.ts';
import type { ProcessCounters } from '../../src/agent/snapshot.ts';
import { culpritsSchema } from '../../src/protocol/row.ts';
import { bareIdentities, sample } from './samples.ts';
import { countersOf, snapshot } from './snapshots.ts';

const PAGE = 4_096;
const taken = snapshot(2, { 10: { rssPages: 7 }, 11: { rssPages: 9 }, 12: { ioHidden: true }, 13: {} });
const window = sample(
  taken,
  {
    10: { cpuTicks: 33.3333, readBytes: 1_001, writeBytes: 5 },
    11: { cpuTicks: 50 },
    12: { cpuTicks: 10, readBytes: 99 },
  },
  { durationMs: 2_000 },
);
const process = (pid: number): ProcessCounters => taken.processes.get(pid) as ProcessCounters;

test('makes rates of usage, in percent of one core and bytes per second', () => {
  assert.deepEqual(figures(process(10), window, PAGE), {
    cpuPercent: 16.667,
    rssBytes: 7 * PAGE,
    readBytesPerSec: 501,
    writeBytesPerSec: 3,
  });
});

test('tells a measured zero from what is not known', () => {
  assert.equal(figure('cpuPercent', process(13), window, PAGE), 0);
  assert.equal(figure('readBytesPerSec', process(13), window, PAGE), 0);
  assert.equal(figure('readBytesPerSec', process(12), window, PAGE), undefined);
  assert.equal(figure('netInBytesPerSec', process(10), window, PAGE), undefined);
  assert.deepEqual(Object.keys(figures(process(12), window, PAGE)), ['cpuPercent', 'rssBytes']);
});

test('makes rates of what was moved, where there is a source that tells', () => {
  const moved = sample(
    taken,
    {},
    { durationMs: 2_000, network: { 10: { inBytes: 3_001, outBytes: 8, loopbackInBytes: 1e9 } } },
  );
  const net = (pid: number) => {
    const { netInBytesPerSec, netOutBytesPerSec } = figures(process(pid), moved, PAGE);
    return [netInBytesPerSec, netOutBytesPerSec];
  };
  assert.deepEqual(net(10), [1_501, 4]);
  assert.deepEqual(net(12), [0, 0], 'a measured zero');
});

test('finds the largest, largest first, equals in their order, unknown ones last', () => {
  const pids = (count: number, name: 'cpuPercent' | 'readBytesPerSec'): number[] =>
    largestBy(name, window, count, PAGE).map(({ pid }) => pid);
  assert.deepEqual(pids(2, 'cpuPercent'), [11, 10]);
  assert.deepEqual(pids(9, 'cpuPercent'), [11, 10, 12, 1, 13]);
  assert.deepEqual(pids(9, 'readBytesPerSec'), [10, 1, 11, 13, 12]);
  assert.deepEqual(pids(0, 'cpuPercent'), []);
});

test('finds the largest of many as sorting would', () => {
  const many = Array.from({ length: 300 }, (_, index) => 2 + ((index * 7_919) % 311));
  const used = Object.fromEntries(many.map((pid) => [pid, { cpuTicks: (pid * 31) % 17 }]));
  const all = sample(snapshot(0, Object.fromEntries(many.map((pid) => [pid, {}]))), used);
  const value = (pid: number): number => used[pid]?.cpuTicks ?? 0;
  const sorted = [...all.snapshot.processes.keys()].sort((a, b) => value(b) - value(a));
  const found = largestBy('cpuPercent', all, 40, PAGE).map(({ pid }) => pid);
  assert.deepEqual(found.map(value), sorted.slice(0, 40).map(value));
});

test('counts a process that ended within the window among the others', () => {
  const last = countersOf(14, { comm: 'job', state: 'X', rssPages: 0 });
  const all = sample(taken, { 14: { cpuTicks: 70 } }, { ended: [last] });
  assert.deepEqual(largestBy('cpuPercent', all, 1, PAGE), [last]);
  const identities = bareIdentities();
  identities.update(taken);
  assert.deepEqual(culprits(all, identities, PAGE).cpu, [{ instance: 'job', pid: 14, value: 70 }]);
});

test('names the three largest users of each resource, and nobody who used nothing', () => {
  const identities = bareIdentities();
  identities.update(taken);
  const found = culprits(window, identities, PAGE);
  assert.deepEqual(found, {
    cpu: [
      { instance: 'p11', pid: 11, value: 25 },
      { instance: 'p10', pid: 10, value: 16.667 },
      { instance: 'p12', pid: 12, value: 5 },
    ],
    mem: [
      { instance: 'systemd', pid: 1, value: 10 * PAGE },
      { instance: 'p12', pid: 12, value: 10 * PAGE },
      { instance: 'p13', pid: 13, value: 10 * PAGE },
    ],
    read: [{ instance: 'p10', pid: 10, value: 501 }],
    write: [{ instance: 'p10', pid: 10, value: 3 }],
  });
  assert.deepEqual(culpritsSchema.parse(found), found);
});
