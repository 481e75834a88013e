import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exits, type ExitWindow } from '../../../src/agent/attribution/exits.ts';
import { Zombies } from '../../../src/agent/attribution/zombies.ts';
import { type ProcessFields, snapshot, T0_MS } from '../snapshots.ts';
import { FakeTaskExits, type TaskExitFields } from './task-exits.ts';

function told(...exits: TaskExitFields[]): ExitWindow {
  const tasks = new FakeTaskExits();
  const kept = new Exits(tasks);
  tasks.tell(...exits);
  kept.beginScan();
  return kept.endScan();
}

const ZOMBIE: ProcessFields = { state: 'Z', bornAt: 1, own: 0 };
const EXIT = { tgid: 10, cpuTicks: 0.7, startedAtMs: T0_MS + 1_000 };

test('a zombie has its exact CPU time from the moment its exit is told until it is reaped', () => {
  const zombies = new Zombies();
  const first = zombies.settle(snapshot(2, { 10: ZOMBIE, 11: {} }), told(EXIT));
  assert.equal(first.processes.get(10)?.ownTicks, 0.7);
  assert.equal(first.processes.get(11)?.ownTicks, 0);
  assert.equal(zombies.settle(snapshot(3, { 10: ZOMBIE }), told()).processes.get(10)?.ownTicks, 0.7);
  const reaped = snapshot(4, { 11: {} });
  assert.equal(zombies.settle(reaped, told()), reaped);
  assert.equal(zombies.settle(snapshot(5, { 10: ZOMBIE }), told()).processes.get(10)?.ownTicks, 0);
});

test('nothing changes of a zombie that nothing changes about, so that it costs no attribution', () => {
  const zombies = new Zombies();
  const taken = snapshot(2, { 10: ZOMBIE });
  const first = zombies.settle(taken, told(EXIT)).processes.get(10);
  assert.equal(zombies.settle(taken, told()).processes.get(10), first);
});

test('what stands in a zombie’s counters already is not taken away', () => {
  const zombies = new Zombies();
  const settled = zombies.settle(snapshot(2, { 10: { ...ZOMBIE, own: 3 } }), told(EXIT));
  assert.equal(settled.processes.get(10)?.ownTicks, 3);
});

test('neither a living process nor another zombie with the pid is taken for the one that ended', () => {
  const living = snapshot(2, { 10: { ...ZOMBIE, state: 'S' } });
  assert.equal(new Zombies().settle(living, told(EXIT)), living);
  const other = snapshot(20, { 10: { ...ZOMBIE, bornAt: 15 } });
  assert.equal(new Zombies().settle(other, told(EXIT)), other);
  const zombies = new Zombies();
  zombies.settle(snapshot(2, { 10: ZOMBIE }), told(EXIT));
  assert.equal(zombies.settle(other, told()), other);
});

test('without exits a zombie stays as it was read', () => {
  const taken = snapshot(2, { 10: ZOMBIE });
  assert.equal(new Zombies().settle(taken, undefined), taken);
});
