import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FilterError } from '../../src/protocol/filter.ts';
import { METRICS } from '../../src/protocol/metric.ts';
import type { Query } from '../../src/protocol/query.ts';
import type { GroupRow, ProcessRow, Row } from '../../src/protocol/row.ts';
import { groupRows, largest, select, sumGroups } from '../../src/protocol/select.ts';
import { aRow } from '../support/fake-agent.ts';
import { processQuery } from '../support/test-server.ts';

function names(rows: readonly Row[]): string[] {
  return rows.map((row) => ('pid' in row ? `${row.host}:${row.pid}` : `${row.host ?? '*'}/${row.group}`));
}

/** All orders in which a few rows can come. */
function orders<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, index) => orders(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));
}

describe('largest', () => {
  it('puts the largest first by the figure that is asked for', () => {
    for (const { name, sort } of METRICS) {
      const rows = [3, 9, 5].map((value, index) => aRow('a', index + 1, 7, { [name]: value }));
      assert.deepEqual(names(largest(processQuery({ sort }), rows)), ['a:2', 'a:3', 'a:1'], sort);
    }
  });

  it('returns as many as asked for, or all there are', () => {
    const rows = [1, 2, 3].map((pid) => aRow('a', pid, pid));
    assert.deepEqual(names(largest(processQuery({ limit: 2 }), rows)), ['a:3', 'a:2']);
    assert.equal(largest(processQuery({ limit: 10 }), rows).length, 3);
    assert.deepEqual(largest(processQuery(), []), []);
  });

  it('orders equal rows by host and pid, whatever order they come in', () => {
    const rows = [aRow('a', 2, 5), aRow('b', 1, 5), aRow('a', 10, 5), aRow('c', 9, 6)];
    for (const order of orders(rows))
      assert.deepEqual(names(largest(processQuery(), order)), ['c:9', 'a:2', 'a:10', 'b:1']);
  });

  it('orders equal groups by host and name, whatever order they come in', () => {
    const rows: GroupRow[] = [
      { host: 'a', group: 'x', processes: 1, cpuPercent: 5 },
      { host: 'b', group: 'a', processes: 1, cpuPercent: 5 },
      { group: 'y', processes: 1, cpuPercent: 5 },
    ];
    for (const order of orders(rows)) assert.deepEqual(names(largest(processQuery(), order)), ['*/y', 'a/x', 'b/a']);
  });

  it('puts what is not known behind a measured zero', () => {
    const rows = [aRow('a', 1, 5, { cpuPercent: undefined }), aRow('a', 2, 0), aRow('a', 3, 0.1)];
    assert.deepEqual(names(largest(processQuery(), rows)), ['a:3', 'a:2', 'a:1']);
  });

  it('leaves the rows it is given as they are', () => {
    const rows = Object.freeze([aRow('a', 1, 1), aRow('a', 2, 2)]);
    assert.deepEqual(names(largest(processQuery(), rows)), ['a:2', 'a:1']);
    assert.deepEqual(names(rows), ['a:1', 'a:2']);
  });
});

describe('groupRows', () => {
  const rows = [
    aRow('a', 1, 10, { instance: 'mysqld:3306', user: 'mysql', comm: 'mysqld' }),
    aRow('a', 2, 20, { instance: 'mysqld:3306', user: 'mysql', comm: 'mysqld' }),
    aRow('a', 3, 30, { instance: 'cron', user: 'root', comm: 'cron' }),
    aRow('b', 1, 40, { instance: 'mysqld:3306', user: 'mysql', comm: 'mysqld' }),
  ];
  const summed = (groups: readonly GroupRow[]) =>
    groups.map(({ host, group, processes, cpuPercent }) => [host, group, processes, cpuPercent]);

  it('keeps equal instances of different hosts apart', () => {
    assert.deepEqual(summed(groupRows('instance', rows)), [
      ['a', 'mysqld:3306', 2, 30],
      ['a', 'cron', 1, 30],
      ['b', 'mysqld:3306', 1, 40],
    ]);
  });

  it('makes one group of each host', () => {
    assert.deepEqual(summed(groupRows('host', rows)), [
      ['a', 'a', 3, 60],
      ['b', 'b', 1, 40],
    ]);
  });

  it('sums users and comms over the hosts, and names no host', () => {
    const byUser = groupRows('user', rows);
    assert.deepEqual(summed(byUser), [
      [undefined, 'mysql', 3, 70],
      [undefined, 'root', 1, 30],
    ]);
    assert.ok(byUser.every((group) => !('host' in group)));
    assert.deepEqual(
      groupRows('comm', rows).map(({ group }) => group),
      ['mysqld', 'cron'],
    );
  });

  it('keeps nothing of a process but its figures', () => {
    const [group] = groupRows('user', rows);
    assert.deepEqual(Object.keys(group ?? {}).toSorted(), ['cpuPercent', 'group', 'processes', 'rssBytes']);
  });

  it('adds up every metric and every maximum', () => {
    const figures = Object.fromEntries(
      METRICS.flatMap(({ name }, i) => [
        [name, i + 1],
        [`${name}Max`, 10 * (i + 1)],
      ]),
    );
    const [group] = groupRows('user', [aRow('a', 1, 0, figures), aRow('b', 2, 0, figures)]);
    const { processes, group: name, ...sums } = group as GroupRow;
    assert.deepEqual([processes, name], [2, 'mysql']);
    assert.deepEqual(sums, Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, 2 * value])));
  });

  it('leaves a metric absent that no member knows, and sums what the others know', () => {
    const unknown = { cpuPercent: undefined, rssBytes: undefined };
    const [group] = groupRows('user', [
      aRow('a', 1, 0, { ...unknown, readBytesPerSec: 0 }),
      aRow('a', 2, 0, { ...unknown, rssBytes: 8, rssBytesMax: 9 }),
    ]);
    assert.deepEqual(group, { group: 'mysql', processes: 2, readBytesPerSec: 0, rssBytes: 8, rssBytesMax: 9 });
  });

  it('groups by names that every object has', () => {
    const groups = groupRows('comm', [
      aRow('a', 1, 1, { comm: '__proto__' }),
      aRow('a', 2, 2, { comm: 'constructor' }),
    ]);
    assert.deepEqual(summed(groups), [
      [undefined, '__proto__', 1, 1],
      [undefined, 'constructor', 1, 2],
    ]);
  });
});

describe('sumGroups', () => {
  it('adds up what several hosts have summed already', () => {
    const partials: GroupRow[] = [
      { group: 'mysql', processes: 2, cpuPercent: 5, cpuPercentMax: 9 },
      { group: 'root', processes: 1 },
      { group: 'mysql', processes: 3, cpuPercent: 6, rssBytes: 7 },
    ];
    assert.deepEqual(sumGroups(partials), [
      { group: 'mysql', processes: 5, cpuPercent: 11, cpuPercentMax: 9, rssBytes: 7 },
      { group: 'root', processes: 1 },
    ]);
  });

  it('gives the same sums for parts as for the whole', () => {
    const rows = Array.from({ length: 30 }, (_, i) =>
      aRow(`h${i % 3}`, i + 1, i, { rssBytes: i, user: `u${i % 4}`, instance: `i${i % 5}` }),
    );
    const sorted = (groups: readonly GroupRow[]) => largest(processQuery({ limit: 100 }), groups);
    for (const by of ['instance', 'host', 'user', 'comm'] as const) {
      const parts = ['h0', 'h1', 'h2'].flatMap((host) =>
        groupRows(
          by,
          rows.filter((row) => row.host === host),
        ),
      );
      assert.deepEqual(sorted(sumGroups(parts)), sorted(groupRows(by, rows)), by);
    }
  });
});

describe('select', () => {
  const rows: ProcessRow[] = [
    aRow('a', 1, 10, { user: 'mysql' }),
    aRow('a', 2, 90, { user: 'root' }),
    aRow('b', 3, 85, { user: 'mysql' }),
  ];
  const answer = (fields: Partial<Query>) => names(select(processQuery(fields), rows));

  it('filters before it groups, and groups before it cuts', () => {
    assert.deepEqual(answer({}), ['a:2', 'b:3', 'a:1']);
    assert.deepEqual(answer({ filter: 'user:mysql', limit: 1 }), ['b:3']);
    assert.deepEqual(answer({ groupBy: 'user', limit: 1 }), ['*/mysql']);
    assert.deepEqual(answer({ groupBy: 'user', filter: 'host:a', limit: 1 }), ['*/root']);
    assert.deepEqual(answer({ groupBy: 'host' }), ['a/a', 'b/b']);
    assert.deepEqual(answer({ filter: 'nobody' }), []);
  });

  it('refuses a filter that cannot be read, also when there are no rows', () => {
    assert.throws(() => select(processQuery({ filter: 'cpu:>much' }), []), FilterError);
  });
});
