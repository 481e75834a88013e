import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { intervalProcessSchema } from '../../src/protocol/interval.ts';
import { FLOW_NAMES, METRICS, metricBySort, SORT_NAMES, type SortName } from '../../src/protocol/metric.ts';
import { culpritsSchema, groupRowSchema, hostUsageSchema, processRowSchema } from '../../src/protocol/row.ts';
import { PROCESS_IO_INFO } from '../../src/store/tables.ts';

describe('metric catalogue', () => {
  it('has every name, sort name, column and caption once', () => {
    for (const key of ['name', 'sort', 'column', 'caption'] as const) {
      const values = METRICS.map((metric) => metric[key]);
      assert.equal(new Set(values).size, METRICS.length, key);
    }
  });

  it('offers the sort names of the command line', () => {
    assert.deepEqual(SORT_NAMES, ['cpu', 'mem', 'read', 'write', 'net-in', 'net-out']);
  });

  it('has a column for every average and every maximum in the store', () => {
    const columns = METRICS.map(({ column }) => column);
    assert.deepEqual(columns, [
      ...['cpu_percent', 'rss_bytes', 'read_bytes_per_sec', 'write_bytes_per_sec'],
      ...['net_in_bytes_per_sec', 'net_out_bytes_per_sec'],
    ]);
    const stored = PROCESS_IO_INFO.columns.map(({ name }) => name);
    for (const column of columns) assert.ok(stored.includes(column) && stored.includes(`${column}_max`), column);
  });

  it('has a field for every average and every maximum in every row', () => {
    for (const { name } of METRICS) {
      for (const schema of [processRowSchema, groupRowSchema, intervalProcessSchema])
        for (const field of [name, `${name}Max`]) assert.ok(field in schema.shape, field);
    }
  });

  it('has culprits for every sort name', () => {
    assert.deepEqual(Object.keys(culpritsSchema.shape), SORT_NAMES);
  });

  it('counts everything but memory among the flows that a host has a remainder of', () => {
    assert.deepEqual(
      FLOW_NAMES,
      METRICS.map(({ name }) => name).filter((name) => name !== 'rssBytes'),
    );
    assert.deepEqual(Object.keys(hostUsageSchema.shape.unattributed.shape), FLOW_NAMES);
  });

  it('finds a metric by its sort name and no other', () => {
    for (const metric of METRICS) assert.equal(metricBySort(metric.sort), metric);
    for (const sort of ['luck', '', 'cpuPercent', '__proto__'])
      assert.throws(() => metricBySort(sort as SortName), RangeError, sort);
  });
});
