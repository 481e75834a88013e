import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { intervalRows, nameRow, type Values } from '../../src/store/rows.ts';
import type { Table } from '../../src/store/table.ts';
import { HOST_INFO, INTERVAL_PARTS, PROCESS_INFO } from '../../src/store/tables.ts';
import { aProcess, interval } from './sample.ts';

const rates = { inBytesPerSec: 1, inBytesPerSecMax: 2, outBytesPerSec: 3, outBytesPerSecMax: 4 };
const FULL = interval(0, {
  interfaces: [{ name: 'eth0', speedBitsPerSec: 1e9, ...rates }],
  endpoints: [{ instance: 'mysqld:3306', localPort: 3306, remoteAddress: '10.0.0.7', ...rates }],
});

const WRITING = {
  time: (epochMs: number) => (epochMs === FULL.endMs ? 'then' : 'else'),
  md5: (text: string) => `of ${text.slice(0, 9)}`,
};

/** A row by the names of its columns. */
function byColumn(table: Table, row: Values | undefined): Record<string, unknown> {
  assert.equal(row?.length, table.columns.length, table.name);
  return Object.fromEntries(table.columns.map(({ name }, index) => [name, row[index]]));
}

describe('rows of an interval', () => {
  const { host, names, parts } = intervalRows({ host: 'a', interval: FULL }, WRITING);

  it('have a value for each column of their table, in its order', () => {
    assert.deepEqual(
      Object.entries(byColumn(HOST_INFO, host)).slice(0, 5),
      Object.entries({ rshost: 'a', a_time: 'then', length_ms: 30_000, samples: 15, recorded: 1 }),
    );
    const {
      cores,
      cpu_percent,
      cpu_percent_max,
      unattributed_cpu_percent,
      unattributed_write_bytes_per_sec,
      net_out_bytes_per_sec_max,
    } = byColumn(HOST_INFO, host);
    assert.deepEqual(
      [
        cores,
        cpu_percent,
        cpu_percent_max,
        unattributed_cpu_percent,
        unattributed_write_bytes_per_sec,
        net_out_bytes_per_sec_max,
      ],
      [8, 310.7, 790, 10.7, null, 800],
    );
    for (const table of INTERVAL_PARTS) {
      const [row] = parts.get(table) ?? [];
      const { rshost, a_time } = byColumn(table, row);
      assert.deepEqual([rshost, a_time], ['a', 'then'], table.name);
    }
    const [process] = INTERVAL_PARTS.map((table) => byColumn(table, parts.get(table)?.[0]));
    assert.deepEqual(
      [process?.pid, process?.started, process?.rsport, process?.threads, process?.rss_bytes, process?.cpu_percent_max],
      [4711, Date.parse('2026-06-01T00:00:00.120Z'), 3307, 42, 3_000_000_000.3, 390],
    );
    const [[text, named] = ['', aProcess()]] = names;
    assert.deepEqual(byColumn(PROCESS_INFO, nameRow(text, named, FULL.endMs, WRITING)), {
      ...{
        md5_str: process?.md5_str,
        cmdline: aProcess().cmdline,
        instance: 'mysqld:3307',
        user: 'mysql',
        comm: 'mysqld',
      },
      ...{ unit: null, container: null, ports: '3307,33070', a_time: 'then' },
    });
  });

  it('name what is called the same once, and what differs in any name apart', () => {
    const same = [aProcess({ pid: 1 }), aProcess({ pid: 2 })];
    const others = [{ ports: [1] }, { unit: 'x' }, { container: '' }, { user: 'y' }, { cmdline: 'z' }, { comm: 'c' }];
    const processes = [...same, ...others.map((fields, index) => aProcess({ pid: 3 + index, ...fields }))];
    assert.equal(
      intervalRows({ host: 'a', interval: interval(0, { processes }) }, WRITING).names.size,
      1 + others.length,
    );
  });

  it('take the first of what MySQL takes for the same key', () => {
    const [root] = FULL.disks;
    assert.ok(root !== undefined);
    const mounts = ['/data', '/data ', '/Data', '/data\t', `/${'x'.repeat(600)}`, `/${'x'.repeat(601)}`];
    const disks = mounts.map((mount, index) => ({ ...root, mount, usedBytes: index }));
    const rows = intervalRows({ host: 'a', interval: interval(0, { disks }) }, WRITING).parts;
    const [, disk] = INTERVAL_PARTS;
    assert.ok(disk !== undefined);
    assert.deepEqual(
      rows.get(disk)?.map((row) => byColumn(disk, row).used_bytes),
      [0, 2, 3, 4],
    );
  });
});
