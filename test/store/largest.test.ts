import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { METRICS } from '../../src/protocol/metric.ts';
import { LargestRows } from '../../src/store/largest.ts';
import { aProcess } from './sample.ts';

describe('largest rows', () => {
  const perMetric = 3;
  const limit = perMetric * METRICS.length;

  it('are all rows while they fit', () => {
    const largest = new LargestRows(limit);
    for (let pid = 1; pid <= limit; pid += 1) largest.add({ host: 'a', ...aProcess({ pid }) });
    const { rows, cut } = largest.result();
    assert.equal(rows.length, limit);
    assert.equal(cut.size, 0);
  });

  it('hold the largest of each metric over all hosts, whatever came before and after', () => {
    const largest = new LargestRows(limit);
    const figures = aProcess({ rssBytes: 1, writeBytesPerSec: 0 });
    // Every host has ten; CPU grows with the host's number, network is used by one process only.
    for (let host = 0; host < 100; host += 1) {
      for (let pid = 1; pid <= 10; pid += 1) {
        const netInBytesPerSec = host === 50 && pid === 5 ? 9 : 0;
        largest.add({ host: `h${host}`, ...figures, pid, cpuPercent: host * 10 + pid, netInBytesPerSec });
      }
    }
    const { rows, cut } = largest.result();
    assert.ok(rows.length <= limit);
    const cpu = rows.toSorted((a, b) => (b.cpuPercent ?? 0) - (a.cpuPercent ?? 0)).slice(0, perMetric);
    assert.deepEqual(
      cpu.map((row) => row.cpuPercent),
      [1000, 999, 998],
    );
    assert.ok(rows.some((row) => row.netInBytesPerSec === 9));
    assert.equal(cut.size, 100);
  });
});
