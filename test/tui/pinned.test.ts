import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLOW_NAMES } from '../../src/protocol/metric.ts';
import { pinnedRows } from '../../tui/pinned.ts';
import { AT, busyHost, hostTotal, processRow, totalOf } from './fleet.ts';

const dated = { at: AT, receivedAtMs: 0, incomplete: [] };

test('rows, others and unattributed add up to the hosts', () => {
  const all = [...busyHost('db-01', 100, 0), ...busyHost('db-02', 80, 3)];
  const totals = ['db-01', 'db-02'].map((host) =>
    hostTotal({
      host,
      ...totalOf(
        host,
        all.filter((row) => row.host === host),
      ),
    }),
  );
  const rows = all.slice(20, 70);
  const [others, unattributed] = pinnedRows({ ...dated, rows, totals });
  assert.equal(others?.label, '130 others');
  assert.equal(unattributed?.label, 'unattributed');
  for (const name of FLOW_NAMES) {
    const shown = rows.reduce((sum, row) => sum + (row[name] ?? 0), 0);
    const whole = totals.reduce((sum, total) => sum + total[name], 0);
    assert.ok(Math.abs(shown + (others?.metrics[name] ?? 0) + (unattributed?.metrics[name] ?? 0) - whole) < 1e-6, name);
  }
});

test('there are no others when every process is shown, in groups too', () => {
  const totals = [hostTotal({ processes: 5 })];
  assert.equal(pinnedRows({ ...dated, rows: [{ group: 'mysql', processes: 5 }], totals }).length, 1);
  assert.equal(pinnedRows({ ...dated, rows: [{ group: 'mysql', processes: 3 }], totals })[0]?.label, '2 others');
});

test('others are never negative', () => {
  const totals = [hostTotal({ cpuPercent: 10, processes: 9 })];
  assert.equal(pinnedRows({ ...dated, rows: [processRow({ cpuPercent: 50 })], totals })[0]?.metrics.cpuPercent, 0);
});

test('an unattributed figure that no host knows is not known', () => {
  const totals = [hostTotal({ unattributed: {} }), hostTotal({ unattributed: { cpuPercent: 3 } })];
  const pinned = pinnedRows({ ...dated, rows: [], totals }).at(-1);
  assert.deepEqual(pinned?.metrics, { cpuPercent: 3 });
});

test('without the figures of a host nothing is said about a remainder', () => {
  assert.deepEqual(pinnedRows({ ...dated, rows: [processRow()], totals: [] }), []);
});
