import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { METRICS } from '../../src/protocol/metric.ts';
import { ProcessAverages } from '../../src/store/averages.ts';
import type { ProcessRecord } from '../../src/store/records.ts';

function record(pid: number, cpu: number): ProcessRecord {
  const figures = [cpu, ...METRICS.slice(1).map(() => null)];
  return { pid, started: 0, md5_str: '', state: 'S', threads: 1, averages: figures, maxima: [...figures] };
}

describe('process averages', () => {
  it('keep exactly what fits', () => {
    const averages = new ProcessAverages(6);
    for (let pid = 1; pid <= 6; pid += 1) averages.add(record(pid, pid), 1);
    const { records, cut } = averages.result();
    assert.equal(records.length, 6);
    assert.equal(cut, false);
  });

  it('stay within their limit in a fork storm and keep the steady process that outgrows it', () => {
    const averages = new ProcessAverages(12);
    for (let step = 0; step < 1_000; step += 1) {
      averages.add(record(1, 50), 1 / 1_000);
      for (let child = 0; child < 5; child += 1) averages.add(record(100 + step * 5 + child, 20 - child), 1 / 1_000);
    }
    const { records, cut } = averages.result();
    assert.equal(cut, true);
    assert.ok(records.length <= 12);
    const steady = records.find(({ pid }) => pid === 1);
    assert.equal(Math.round(steady?.averages[0] ?? 0), 50);
    assert.equal(steady?.maxima[0], 50);
  });

  it('hold no more than twice their limit: a process that was small among many starts anew', () => {
    const averages = new ProcessAverages(6);
    averages.add(record(1, 1), 0.5);
    for (let pid = 2; pid <= 13; pid += 1) averages.add(record(pid, 10), 0.5);
    averages.add(record(1, 100), 0.5);
    const found = averages.result().records.find(({ pid }) => pid === 1);
    assert.equal(found?.averages[0], 50);
  });
});
