import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostMeans } from '../../../src/agent/history/host-means.ts';
import { Mean } from '../../../src/agent/history/mean.ts';
import { usage } from '../../store/sample.ts';

test('weighs values by the time they held', () => {
  const mean = new Mean();
  assert.deepEqual([mean.average, mean.max], [0, 0]);
  mean.add(10, 1_000);
  mean.add(40, 3_000);
  assert.deepEqual([mean.average, mean.max], [32.5, 40]);
});

test('averages every figure of the host and keeps the maxima', () => {
  const means = new HostMeans();
  means.add(usage({ cpuPercent: 10, load1: 1, writeBytesPerSec: 0.0004, unattributed: { cpuPercent: 2 } }), 1_000);
  means.add(usage({ cpuPercent: 40, load1: 3, writeBytesPerSec: 0.0004, unattributed: { cpuPercent: 6 } }), 3_000);
  const { averages, maxima } = means.take();
  assert.equal(averages.cpuPercent, 32.5);
  assert.equal(averages.load1, 2.5);
  assert.equal(averages.writeBytesPerSec, 0);
  assert.deepEqual(averages.unattributed, { cpuPercent: 5 });
  assert.equal(maxima.cpuPercent, 40);
  assert.equal('load1' in maxima, false);
});

test('takes counted figures as they were last', () => {
  const means = new HostMeans();
  means.add(usage({ cores: 2, processes: 100, memTotalBytes: 1_000 }), 1_000);
  means.add(usage({ cores: 4, processes: 201, memTotalBytes: 2_000 }), 1_000);
  const { cores, processes, memTotalBytes } = means.take().averages;
  assert.deepEqual([cores, processes, memTotalBytes], [4, 201, 2_000]);
});

test('begins anew after each interval, and makes none of nothing', () => {
  const means = new HostMeans();
  means.add(usage({ cpuPercent: 90 }), 1_000);
  means.take();
  assert.throws(() => means.take(), RangeError);
  means.add(usage({ cpuPercent: 10 }), 1_000);
  const { averages, maxima } = means.take();
  assert.deepEqual([averages.cpuPercent, maxima.cpuPercent], [10, 10]);
});
