import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { blameSchema } from '../../src/protocol/blame.ts';
import type { ProcessRow } from '../../src/protocol/row.ts';
import { blame } from '../../src/server/blame.ts';
import type { HostHistory, Peaks } from '../../src/store/store.ts';
import { aProcess, interval, STEP, T0, usage } from '../store/sample.ts';

const history: HostHistory = {
  total: {
    host: 'a',
    at: new Date(T0).toISOString(),
    ...usage({ cpuPercent: 400, memUsedBytes: 1_000, writeBytesPerSec: 0, unattributed: { cpuPercent: 20 } }),
  },
  max: { ...interval(0).hostMax, cpuPercent: 790, memUsedBytes: 1_100, writeBytesPerSec: 0 },
  fromMs: T0 - 2 * STEP,
  toMs: T0,
  coveredMs: 2 * STEP,
  intervals: 2,
};
const peaks = {
  ...Object.fromEntries(Object.keys(interval(0).hostMax).map((name) => [name, T0 - STEP])),
  cpuPercent: T0,
} as Peaks;

const row = (pid: number, instance: string, fields: Partial<ProcessRow>): ProcessRow => ({
  host: 'a',
  ...aProcess({ rssBytes: 0, rssBytesMax: 0, cpuPercent: 0, cpuPercentMax: 0, pid, instance }),
  ...fields,
});

const rows = [
  row(1, 'mysqld:3307', { cpuPercent: 200, cpuPercentMax: 300, rssBytes: 600, rssBytesMax: 700 }),
  row(2, 'postgres:5432', { cpuPercent: 50, cpuPercentMax: 500, comm: 'postgres', cmdline: 'postgres: writer' }),
  row(3, 'postgres:5432', { cpuPercent: 60, cpuPercentMax: 480, comm: 'postgres', cmdline: 'postgres: reader' }),
  row(4, 'cron', { cpuPercent: 1, cpuPercentMax: 2, rssBytes: 10, rssBytesMax: 10 }),
];

const of = (resource: string, limit = 5, of = rows) => {
  const found = blame(history, of, peaks, limit).resources.find((one) => one.resource === resource);
  assert.ok(found !== undefined);
  return found;
};

describe('blame', () => {
  it('is of one host and its time, in the shape of the wire', () => {
    const { resources, ...head } = blame(history, rows, peaks, 5);
    assert.deepEqual(head, {
      host: 'a',
      from: new Date(T0 - 2 * STEP).toISOString(),
      to: new Date(T0).toISOString(),
      coveredMs: 2 * STEP,
      cores: 8,
      memTotalBytes: 64e9,
    });
    assert.deepEqual(
      resources.map(({ resource }) => resource),
      ['cpu', 'mem', 'read', 'write', 'net-in', 'net-out'],
    );
    assert.deepEqual(blameSchema.parse({ ...head, resources }), { ...head, resources });
  });

  it('names instances, the largest first, with their shares of the host', () => {
    const { hostAvg, hostMax, hostMaxAt, culprits } = of('cpu');
    assert.deepEqual([hostAvg, hostMax, hostMaxAt], [400, 790, new Date(T0).toISOString()]);
    assert.deepEqual(
      culprits.map(({ instance, avg, sharePercent, pids }) => [instance, avg, sharePercent, pids]),
      [
        ['mysqld:3307', 200, 50, [1]],
        ['postgres:5432', 110, 27.5, [3, 2]],
        ['cron', 1, 0.25, [4]],
      ],
    );
    assert.deepEqual([culprits[1]?.comm, culprits[1]?.cmdline], ['postgres', 'postgres: reader']);
  });

  it('adds up to the host with what no process accounts for and the others', () => {
    for (const limit of [1, 2, 5]) {
      const { hostAvg, unattributed = 0, others, culprits } = of('cpu', limit);
      assert.equal(unattributed, 20);
      assert.equal(
        culprits.reduce((sum, { avg }) => sum + avg, others + unattributed),
        hostAvg,
      );
      assert.equal(culprits.length, Math.min(limit, 3));
    }
    const { unattributed, others } = of('mem');
    assert.deepEqual([unattributed, others], [undefined, 390]);
  });

  it('says no more of the maximum of several processes than the host had', () => {
    const max = (name: string): number | undefined => of('cpu').culprits.find(({ instance }) => instance === name)?.max;
    assert.equal(max('mysqld:3307'), 300);
    assert.equal(max('postgres:5432'), 790);
  });

  it('blames nobody for what the host did not do', () => {
    const { hostAvg, others, culprits, unattributed } = of('write');
    assert.deepEqual([hostAvg, others, culprits, unattributed], [0, 0, [], undefined]);
  });

  it('keeps shares within the whole where processes share memory', () => {
    const { culprits, others } = of('mem', 5, [row(1, 'a', { rssBytes: 5_000, rssBytesMax: 5_000 })]);
    assert.deepEqual([culprits[0]?.sharePercent, others], [100, 0]);
  });

  it('names no more processes of an instance than anybody would read', () => {
    const storm = Array.from({ length: 5_000 }, (_, index) => row(index + 1, 'job', { cpuPercent: index / 1_000 }));
    assert.deepEqual(of('cpu', 5, storm).culprits[0]?.pids.slice(0, 2), [5_000, 4_999]);
    assert.equal(of('cpu', 5, storm).culprits[0]?.pids.length, 100);
  });
});
