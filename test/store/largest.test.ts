import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { METRICS } from '../../src/protocol/metric.ts';
import { LargestRecords } from '../../src/store/largest.ts';
import type { ProcessRecord } from '../../src/store/records.ts';

/** Its averages by metric: CPU, memory, read, write, network in and out. */
function record(pid: number, averages: (number | null)[]): ProcessRecord {
  return { pid, started: 0, md5_str: '', state: 'S', threads: 1, averages, maxima: [] };
}

describe('largest records', () => {
  const perMetric = 3;
  const limit = perMetric * METRICS.length;

  it('are all while they fit', () => {
    const largest = new LargestRecords(limit);
    for (let pid = 1; pid <= limit; pid += 1) largest.add('a', record(pid, [1]));
    const { records, cut } = largest.result();
    assert.equal(records.length, limit);
    assert.equal(cut.size, 0);
  });

  it('hold the largest of each metric over all hosts, whatever came before and after', () => {
    const largest = new LargestRecords(limit);
    // Every host has ten; CPU grows with the host's number, network is used by one process only.
    for (let host = 0; host < 100; host += 1) {
      for (let pid = 1; pid <= 10; pid += 1) {
        const netInBytesPerSec = host === 50 && pid === 5 ? 9 : 0;
        largest.add(`h${host}`, record(pid, [host * 10 + pid, 1, null, 0, netInBytesPerSec, null]));
      }
    }
    const { records, cut } = largest.result();
    assert.ok(records.length <= limit);
    const cpu = records.map(({ record: { averages } }) => averages[0] ?? 0).toSorted((a, b) => b - a);
    assert.deepEqual(cpu.slice(0, perMetric), [1000, 999, 998]);
    assert.ok(records.some(({ record: { averages } }) => averages[4] === 9));
    assert.equal(cut.size, 100);
  });
});
