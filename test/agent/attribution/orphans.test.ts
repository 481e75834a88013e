import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attribute, NO_CARRY } from '../../../src/agent/attribution/attribute.ts';
import { snapshot } from '../snapshots.ts';
import { charges } from './charges.ts';

const used = { own: 100, read: 1_000, write: 2_000 };
/** What a reaper's counters gain by a child that used a little more after it was last seen. */
const reapedWithMore = { reaped: 104, read: 1_005, write: 2_006 };
const more = { cpu: 4, read: 5, write: 6 };

test('waits one window for a parent that was read before it reaped', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 10: {}, 11: { ppid: 10, ...used } }),
      snapshot(1, { 10: {} }),
      snapshot(2, { 10: reapedWithMore }),
      snapshot(3, { 10: { ...reapedWithMore, reaped: 111 } }),
    ),
    [{}, { 10: more }, { 10: { cpu: 7 } }],
  );
});

test('waits no longer than one window', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 10: {}, 11: { ppid: 10, ...used } }),
      snapshot(1, { 10: {} }),
      snapshot(2, { 10: {} }),
      snapshot(3, { 10: { reaped: 30 } }),
    ),
    [{}, {}, { 10: { cpu: 30 } }],
  );
});

test('carries only what found no credit', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 10: {}, 11: { ppid: 10, own: 100 }, 12: { ppid: 10, own: 200 } }),
      snapshot(1, { 10: { reaped: 200 } }),
      snapshot(2, { 10: { reaped: 309 } }),
    ),
    [{}, { 10: { cpu: 9 } }],
  );
});

test('lets a parent’s own usage wait beside a child’s writes, and shows it one window later', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 10: {}, 11: { ppid: 10, write: 2_000 } }),
      snapshot(1, { 10: { write: 50 } }),
      snapshot(2, { 10: { write: 2_050 } }),
    ),
    [{}, { 10: { write: 50 } }],
  );
});

test('gives the last window of a dying parent to the grandparent', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 9: {}, 10: { ppid: 9, own: 50, reaped: 20, read: 10, write: 20 } }),
      snapshot(1, { 9: { reaped: 77, read: 12, write: 23 } }),
    ),
    [{ 9: { cpu: 7, read: 2, write: 3 } }],
  );
});

test('charges a child once that its parent reaped before it died in the same window', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 9: {}, 10: { ppid: 9, own: 50 }, 11: { ppid: 10, ...used } }),
      snapshot(1, { 9: { ...reapedWithMore, reaped: 50 + 104 } }),
    ),
    [{ 9: more }],
  );
});

test('charges a child once that init took in after its parent died in the same window', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 9: {}, 10: { ppid: 9, own: 50 }, 11: { ppid: 10, ...used } }),
      snapshot(1, { 1: { ppid: 0, ...reapedWithMore }, 9: { reaped: 50 } }),
    ),
    [{ 1: more }],
  );
});

test('charges an orphan once although its late parent’s other children were reaped as usual', () => {
  const { usage, total } = totals(
    charges(
      snapshot(0, { 9: {}, 8: { ppid: 9, own: 70 }, 10: { ppid: 9, own: 50 }, 11: { ppid: 10, own: 100 } }),
      snapshot(1, { 1: { ppid: 0, reaped: 104 }, 9: { reaped: 120 } }),
      snapshot(2, { 1: { ppid: 0, reaped: 104 }, 9: { reaped: 120 } }),
      snapshot(3, { 1: { ppid: 0, reaped: 104 }, 9: { reaped: 120 } }),
    ),
  );
  assert.equal(total, 4);
  assert.deepEqual(usage, { 1: 4 });
});

test('charges a child once that init took in while its parent stayed a zombie', () => {
  const zombie = { ppid: 9, own: 50, state: 'Z' };
  const init = { ppid: 0, ...reapedWithMore };
  assert.deepEqual(
    charges(
      snapshot(0, { 9: {}, 10: { ppid: 9, own: 50 }, 11: { ppid: 10, ...used } }),
      snapshot(1, { 1: init, 9: {}, 10: zombie }),
      snapshot(2, { 1: init, 9: { reaped: 50 } }),
    ),
    [{ 1: more }, {}],
  );
});

test('charges an orphan once that init, read first of all, took in after it was read', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 9: {}, 10: { ppid: 9, own: 50 }, 11: { ppid: 10, ...used } }),
      snapshot(1, { 9: { reaped: 50 } }),
      snapshot(2, { 1: { ppid: 0, ...reapedWithMore }, 9: { reaped: 50 } }),
    ),
    [{}, { 1: more }],
  );
});

test('lets init’s newly dead children wait rather than an orphan that has waited', () => {
  const { total } = totals(
    charges(
      snapshot(0, { 5: { own: 100 }, 9: {}, 10: { ppid: 9, own: 50 }, 11: { ppid: 10, own: 100 } }),
      snapshot(1, { 5: { own: 100 }, 9: { reaped: 50 } }),
      snapshot(2, { 1: { ppid: 0, reaped: 100 }, 9: { reaped: 50 } }),
      snapshot(3, { 1: { ppid: 0, reaped: 203 }, 9: { reaped: 50 } }),
    ),
  );
  assert.equal(total, 3);
});

test('finds init’s credit for an orphan that waited while other children were reaped as usual', () => {
  const settled = { 1: { ppid: 0, reaped: 105 }, 9: { reaped: 120 } };
  const { total } = totals(
    charges(
      snapshot(0, { 8: { ppid: 9, own: 70 }, 9: {}, 10: { ppid: 9, own: 50 }, 11: { ppid: 10, own: 100 } }),
      snapshot(1, { 8: { ppid: 9, own: 70 }, 9: { reaped: 50 } }),
      snapshot(2, settled),
      snapshot(3, settled),
      snapshot(4, settled),
    ),
  );
  assert.equal(total, 5);
});

test('charges an orphan once that a subreaper took in, as soon as it was seen to take in any', () => {
  const family = { 20: { comm: 'systemd' }, 21: { ppid: 20 }, 22: { ppid: 21 }, 23: { ppid: 22 } };
  const adopted = { 20: { comm: 'systemd' }, 21: { ppid: 20 }, 23: { ppid: 20 } };
  const again = { 30: { ppid: 21, own: 50, bornAt: 1.5 }, 31: { ppid: 30, own: 100, bornAt: 1.5 } };
  assert.deepEqual(
    charges(
      snapshot(0, family),
      snapshot(1, adopted),
      snapshot(2, { ...adopted, ...again }),
      snapshot(3, { ...adopted, 20: { reaped: 104 }, 21: { ppid: 20, reaped: 50 } }),
    ),
    [{}, { 30: { cpu: 50 }, 31: { cpu: 100 } }, { 20: { cpu: 4 } }],
  );
});

test('knows a subreaper for as long as it lives', () => {
  const before = snapshot(0, { 20: {}, 21: { ppid: 20 }, 22: { ppid: 21 } });
  const adopted = snapshot(1, { 20: {}, 22: { ppid: 20 } });
  const ended = snapshot(2, { 22: { ppid: 1 } });
  const { carry } = attribute(before, adopted, NO_CARRY);
  assert.deepEqual(carry.reapers, new Set([1, 20]));
  assert.deepEqual(attribute(adopted, ended, carry).carry.reapers, new Set([1]));
  assert.deepEqual(NO_CARRY.reapers, new Set([1]));
});

test('moves what is carried up when the ancestor dies too, and waits anew', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 9: {}, 10: { ppid: 9, own: 50 }, 11: { ppid: 10, own: 100 } }),
      snapshot(1, { 9: {}, 10: { ppid: 9, own: 50 } }),
      snapshot(2, { 9: {} }),
      snapshot(3, { 9: { reaped: 157 } }),
    ),
    [{}, {}, { 9: { cpu: 7 } }],
  );
});

test('charges processes of a double fork to themselves, and what nobody saw to init', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 10: {} }),
      snapshot(1, { 10: { reaped: 1 }, 12: { ppid: 1, bornAt: 0.5, own: 40 } }),
      snapshot(2, { 1: { ppid: 0, reaped: 45 + 30 }, 10: { reaped: 1 } }),
    ),
    [{ 10: { cpu: 1 }, 12: { cpu: 40 } }, { 1: { cpu: 35 } }],
  );
});

test('never makes up for children that nobody reaps at the expense of others, nor below zero', () => {
  const others = (step: number) => ({ 8: { own: step * 10 }, 9: { reaped: step * 20, write: step * 30 } });
  const ignoring = { ppid: 9 };
  const window = { 8: { cpu: 10 }, 9: { cpu: 20, write: 30 } };
  assert.deepEqual(
    charges(
      snapshot(0, { ...others(0), 10: ignoring, 11: { ppid: 10, ...used } }),
      snapshot(1, { ...others(1), 10: ignoring }),
      snapshot(2, { ...others(2), 10: ignoring }),
      snapshot(3, { ...others(3), 10: ignoring }),
    ),
    [window, window, window],
  );
});

/** CPU over all windows, by process and in all. */
function totals(windows: ReturnType<typeof charges>) {
  const usage: Record<string, number> = {};
  let total = 0;
  for (const window of windows)
    for (const [pid, { cpu = 0 }] of Object.entries(window)) {
      usage[pid] = (usage[pid] ?? 0) + cpu;
      total += cpu;
    }
  return { usage, total };
}
