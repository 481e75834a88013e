import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attribute, type Carry, NO_CARRY } from '../../../src/agent/attribution/attribute.ts';
import { Exits, type ExitWindow } from '../../../src/agent/attribution/exits.ts';
import type { Snapshot } from '../../../src/agent/snapshot.ts';
import { snapshot, T0_MS } from '../snapshots.ts';
import { FakeTaskExits, type TaskExitFields } from './task-exits.ts';

/** An exit of a process that was born so many seconds after moment 0. */
function exit(tgid: number, bornAt: number, fields: Omit<TaskExitFields, 'tgid'>): TaskExitFields {
  return { tgid, startedAtMs: T0_MS + bornAt * 1_000, livedMs: 500, ...fields };
}

/** Attributes these windows one after the other, each with the exits that were told before its scan. */
function windows(first: Snapshot, ...later: [TaskExitFields[], Snapshot][]) {
  const tasks = new FakeTaskExits();
  const exits = new Exits(tasks);
  exits.beginScan();
  exits.endScan();
  let carry: Carry = NO_CARRY;
  let previous = first;
  return later.map(([told, current]) => {
    tasks.tell(...told);
    exits.beginScan();
    const window: ExitWindow = exits.endScan();
    const attributed = attribute(previous, current, carry, window);
    ({ carry } = attributed);
    previous = current;
    const cpu = Object.fromEntries([...attributed.usage].map(([pid, { cpuTicks }]) => [pid, cpuTicks]));
    return { ...attributed, cpu };
  });
}

test('a process that no scan met is charged to who started it, once, though its parent reaps it later', () => {
  const [first, second] = windows(
    snapshot(0, { 10: {} }),
    [[exit(50, 0.2, { ppid: 10, comm: 'cc1', cpuTicks: 30 })], snapshot(1, { 10: {} })],
    [[], snapshot(2, { 10: { reaped: 30 } })],
  );
  assert.deepEqual(first?.cpu, { 10: 30 });
  assert.deepEqual(first?.endedChildren.get(10), [{ comm: 'cc1', count: 1, cpuTicks: 30 }]);
  assert.deepEqual(second?.cpu, {});
});

test('a child that nobody reaps is charged to its parent, and takes nothing from init', () => {
  const [first, second, third] = windows(
    snapshot(0, { 10: {} }),
    [[exit(50, 0.2, { ppid: 10, cpuTicks: 30 })], snapshot(1, { 10: {} })],
    [[], snapshot(2, { 1: { ppid: 0, reaped: 25 }, 10: {} })],
    [[], snapshot(3, { 1: { ppid: 0, reaped: 50 }, 10: {} })],
  );
  assert.deepEqual(first?.cpu, { 10: 30 });
  assert.deepEqual([second?.cpu, third?.cpu], [{ 1: 25 }, { 1: 25 }]);
});

test('a process that was seen and ended has a last row with what it used since, and its parent has none of it', () => {
  const [first] = windows(
    snapshot(0, { 10: {}, 20: { ppid: 10, comm: 'dump', own: 100, write: 5_000, rssPages: 70 } }),
    [
      [exit(20, -90, { ppid: 10, comm: 'dump', cpuTicks: 140, writeBytes: 9_000, livedMs: 91_000 })],
      snapshot(1, { 10: { reaped: 140, write: 9_000 } }),
    ],
  );
  assert.deepEqual(first?.usage.get(20), { cpuTicks: 40, readBytes: 0, writeBytes: 4_000 });
  assert.deepEqual(
    first?.ended.map(({ pid, comm, state, rssPages }) => [pid, comm, state, rssPages]),
    [[20, 'dump', 'X', 0]],
  );
  assert.equal(first?.usage.has(10), false);
});

test('what ended below a parent that ended unseen itself goes to the nearest one that is known', () => {
  const [first] = windows(snapshot(0, { 10: {} }), [
    [
      exit(52, 0.3, { ppid: 51, comm: 'as', cpuTicks: 5 }),
      exit(51, 0.2, { ppid: 50, comm: 'gcc', cpuTicks: 3 }),
      exit(50, 0.1, { ppid: 10, comm: 'sh', cpuTicks: 2 }),
    ],
    snapshot(1, { 10: { reaped: 10 } }),
  ]);
  assert.deepEqual(first?.cpu, { 10: 10 });
  assert.deepEqual(
    first?.endedChildren.get(10)?.map(({ comm, cpuTicks }) => [comm, cpuTicks]),
    [
      ['as', 5],
      ['gcc', 3],
      ['sh', 2],
    ],
  );
});

test('a pid that is used again within a window is two processes', () => {
  const [first] = windows(snapshot(0, { 10: {}, 20: { ppid: 10, own: 100 } }), [
    [exit(20, -90, { ppid: 10, cpuTicks: 110, livedMs: 90_500 }), exit(20, 0.6, { ppid: 10, cpuTicks: 4 })],
    snapshot(1, { 10: { reaped: 114 } }),
  ]);
  assert.deepEqual(first?.cpu, { 10: 4, 20: 10 });
});

test('what was lost is charged by what the parent reaped, as without exits', () => {
  const [first] = windows(snapshot(0, { 10: {} }), [
    [exit(50, 0.2, { ppid: 10, cpuTicks: 30 })],
    snapshot(1, { 10: { reaped: 100 } }),
  ]);
  assert.deepEqual(first?.cpu, { 10: 100 });
});
