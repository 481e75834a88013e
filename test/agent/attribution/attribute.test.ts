import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snapshot } from '../snapshots.ts';
import { charges } from './charges.ts';

test('charges a process what it used itself', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 10: { own: 5, read: 100, write: 200 }, 11: { own: 7 } }),
      snapshot(1, { 10: { own: 25, read: 1_100, write: 2_200 }, 11: { own: 7 } }),
    ),
    [{ 10: { cpu: 20, read: 1_000, write: 2_000 } }],
  );
});

test('charges a process born since all it used', () => {
  assert.deepEqual(charges(snapshot(0, {}), snapshot(1, { 10: { bornAt: 0.5, own: 30, read: 100, write: 200 } })), [
    { 10: { cpu: 30, read: 100, write: 200 } },
  ]);
});

test('charges a newborn process what its own children used unseen', () => {
  assert.deepEqual(charges(snapshot(0, {}), snapshot(1, { 10: { bornAt: 0.5, own: 30, reaped: 12 } })), [
    { 10: { cpu: 42 } },
  ]);
});

test('charges a short-lived child that no snapshot saw to its parent', () => {
  assert.deepEqual(charges(snapshot(0, { 10: {} }), snapshot(1, { 10: { reaped: 20, read: 300, write: 400 } })), [
    { 10: { cpu: 20, read: 300, write: 400 } },
  ]);
});

test('charges a long-lived child once: its parent gets only what it used after it was last seen', () => {
  const long = { ppid: 10, own: 5_000, reaped: 700, read: 1e8, write: 105e6 };
  assert.deepEqual(
    charges(
      snapshot(0, { 10: { own: 1, read: 50, write: 60 }, 11: long }),
      snapshot(1, { 10: { own: 1, reaped: 5_703, read: 1e8 + 51, write: 105e6 + 62 } }),
    ),
    [{ 10: { cpu: 3, read: 1, write: 2 } }],
  );
});

test('keeps a child’s whole family out of its parent’s account', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 10: {}, 11: { ppid: 10, own: 100 }, 12: { ppid: 11, own: 200 } }),
      snapshot(1, { 10: {}, 11: { ppid: 10, own: 100, reaped: 204 } }),
      snapshot(2, { 10: { reaped: 307 } }),
    ),
    [{ 11: { cpu: 4 } }, { 10: { cpu: 3 } }],
  );
});

test('leaves a zombie as it is, and its parent when it reaps it', () => {
  const used = { own: 500, read: 100, write: 200 };
  assert.deepEqual(
    charges(
      snapshot(0, { 10: {}, 11: { ppid: 10, ...used } }),
      snapshot(1, { 10: {}, 11: { ppid: 10, ...used, state: 'Z' } }),
      snapshot(2, { 10: { reaped: 500, read: 100, write: 200 } }),
    ),
    [{}, {}],
  );
});

test('takes a process that changed its parent for the same', () => {
  assert.deepEqual(
    charges(snapshot(0, { 10: {}, 11: { ppid: 10, own: 100 } }), snapshot(1, { 11: { ppid: 1, own: 103 } })),
    [{ 11: { cpu: 3 } }],
  );
});

test('tells two processes with the same pid apart by their start', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 10: {}, 11: { ppid: 10, own: 500, write: 1_000 } }),
      snapshot(1, { 10: { reaped: 502, write: 1_003 }, 11: { ppid: 1, bornAt: 0.5, own: 7, write: 20 } }),
    ),
    [{ 10: { cpu: 2, write: 3 }, 11: { cpu: 7, write: 20 } }],
  );
});

test('does not take a new process with the pid of a dead parent for the parent', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 9: {}, 10: { ppid: 9, own: 50 }, 11: { ppid: 10, own: 100 } }),
      snapshot(1, { 9: { reaped: 150 }, 10: { bornAt: 0.5, own: 1, reaped: 100 } }),
    ),
    [{ 10: { cpu: 101 } }],
  );
});

test('keeps the history of a process that was hidden until now out of this window', () => {
  const old = { ppid: 1, own: 90_000, reaped: 5_000, read: 1e12, write: 1e12 };
  assert.deepEqual(
    charges(snapshot(0, {}), snapshot(1, { 10: old }), snapshot(2, { 10: { ...old, own: 90_004, read: 1e12 + 5 } })),
    [{}, { 10: { cpu: 4, read: 5 } }],
  );
});

test('charges a process whose birth the snapshot before just missed', () => {
  assert.deepEqual(charges(snapshot(0, {}), snapshot(1, { 10: { bornAt: -0.02, own: 30 } })), [{ 10: { cpu: 30 } }]);
  assert.deepEqual(charges(snapshot(0, {}), snapshot(1, { 10: { bornAt: -0.03, own: 30 } })), [{}]);
});

test('charges processes born after a suspension, on the clock that went on', () => {
  const asleepTicks = 8 * 3_600 * 100;
  const uptimeTicks = 100_100 + asleepTicks;
  assert.deepEqual(
    charges(
      snapshot(0, { 10: { own: 1 } }),
      snapshot(1, { 10: { own: 3 }, 11: { bornAt: 0.1, own: 4 } }, { uptimeTicks }),
      snapshot(2, { 10: { own: 3 }, 11: { bornAt: 0.1, own: 4 }, 12: { bornAt: 8 * 3_600 + 1.5, own: 5 } }),
    ),
    [{ 10: { cpu: 2 }, 11: { cpu: 4 } }, { 12: { cpu: 5 } }],
  );
});

test('finds no spike in I/O that could not be read until now, or can no longer', () => {
  const hidden = { ioHidden: true };
  const seen = { read: 1e9, write: 1e9 };
  assert.deepEqual(charges(snapshot(0, { 10: hidden }), snapshot(1, { 10: seen }), snapshot(2, { 10: hidden })), [
    {},
    {},
  ]);
});

test('counts nothing for a counter that went backwards', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 10: { own: 50, reaped: 60, read: 70, write: 80 } }),
      snapshot(1, { 10: { own: 49, reaped: 10, read: 69, write: 10 } }),
      snapshot(2, { 10: { own: 51, reaped: 11, read: 70, write: 12 } }),
    ),
    [{}, { 10: { cpu: 3, read: 1, write: 2 } }],
  );
});

test('takes nothing from others for a counter that went backwards', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 10: { reaped: 60, read: 70, write: 80 } }),
      snapshot(1, { 1: { ppid: 0, reaped: 9, read: 8, write: 7 }, 10: { reaped: 50, read: 60, write: 70 } }),
    ),
    [{ 1: { cpu: 9, read: 8, write: 7 } }],
  );
});

test('counts no writes that were cancelled before they reached the disk', () => {
  assert.deepEqual(
    charges(
      snapshot(0, { 10: {}, 11: { ppid: 10, write: 100 } }),
      snapshot(1, { 10: {}, 11: { ppid: 10, write: 40 } }),
      snapshot(2, { 10: {}, 11: { ppid: 10, write: -30 } }),
      snapshot(3, { 10: { write: -30 } }),
      snapshot(4, { 10: { write: 20 } }),
    ),
    [{}, {}, {}, { 10: { write: 50 } }],
  );
});
