import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { OwnedSocket, SocketOwners } from '../../../src/agent/network/socket-owners.ts';
import type { ProcessCounters } from '../../../src/agent/snapshot.ts';
import { FakeProc } from '../../support/fake-proc.ts';
import { asNobody } from '../../support/nobody.ts';
import { scratchFolder } from '../../support/scratch.ts';
import { type ProcessFields, snapshot } from '../snapshots.ts';

type Processes = ReadonlyMap<number, ProcessCounters>;

function living(processes: Record<number, ProcessFields>): Processes {
  return snapshot(0, processes).processes;
}

/** Without a budget a search ends after the first process it looks into; `looks` then lists them. */
function setUp(t: TestContext, options: { searchMs?: number } = {}) {
  const proc = new FakeProc(scratchFolder(t));
  let cpuMs = 0;
  const owners = new SocketOwners(proc.procRoot, {
    ...options,
    cpuMs: () => {
      cpuMs += 1;
      return cpuMs;
    },
  });
  const socket = (inode: number): OwnedSocket => {
    const made = new OwnedSocket();
    owners.track(made, inode);
    return made;
  };
  const find = (sockets: OwnedSocket | OwnedSocket[], processes: Processes): (number | undefined)[] => {
    const all = [sockets].flat();
    for (const one of all) owners.seek(one, processes);
    owners.search(processes);
    return all.map(({ holder }) => holder?.pid);
  };
  return { proc, owners, socket, find };
}

const PLENTY = { searchMs: 1e9 };

test('finds the process that holds a socket, and others that are tracked on the way', (t) => {
  const { proc, socket, find } = setUp(t, PLENTY);
  proc.open(10, ['/dev/null', 'socket:[1]']);
  proc.open(20, ['socket:[3]', 'socket:[77]', 'socket:[2]']);
  const [first, second, idle] = [socket(1), socket(2), socket(3)];
  assert.deepEqual(find([first, second], living({ 10: {}, 20: {} })), [10, 20]);
  assert.equal(idle.holder?.pid, 20);
});

test('does not search while nothing is sought', (t) => {
  const { proc, owners, socket } = setUp(t, PLENTY);
  proc.open(10, ['socket:[1]']);
  const idle = socket(1);
  owners.search(living({ 10: {} }));
  assert.equal(idle.holder, undefined);
});

test('gives a socket that was handed down to the topmost that has it, init left out', (t) => {
  const { proc, socket, find } = setUp(t, PLENTY);
  for (const pid of [1, 10, 11, 12]) proc.open(pid, ['/dev/null', 'socket:[1]']);
  const processes = living({ 10: {}, 11: { ppid: 10 }, 12: { ppid: 11 } });
  assert.deepEqual(find(socket(1), processes), [10]);
});

test('gives a socket to the child when its parent has another or none under that number', (t) => {
  const { proc, socket, find } = setUp(t, PLENTY);
  proc.open(10, ['socket:[9]']);
  proc.open(11, ['socket:[1]']);
  proc.open(20, []);
  proc.open(21, ['socket:[2]']);
  const processes = living({ 10: {}, 11: { ppid: 10 }, 20: {}, 21: { ppid: 20 } });
  assert.deepEqual(find([socket(1), socket(2)], processes), [11, 21]);
});

test('finds a socket again when its holder is gone, and not in a process that has the pid since', (t) => {
  const { proc, socket, find } = setUp(t, PLENTY);
  const passed = socket(1);
  proc.open(10, ['socket:[1]']);
  assert.deepEqual(find(passed, living({ 10: {} })), [10]);
  proc.open(10, []);
  proc.open(20, ['socket:[1]']);
  assert.deepEqual(find(passed, living({ 10: { bornAt: 1 }, 20: {} })), [20]);
});

test('looks once more whether a server kept what it accepted, and then trusts in it', (t) => {
  const { proc, socket, find } = setUp(t, PLENTY);
  const accepted = socket(1);
  const kept = socket(2);
  proc.open(10, ['socket:[1]', 'socket:[2]']);
  const processes = living({ 10: {}, 11: { ppid: 10 } });
  assert.deepEqual(find([accepted, kept], processes), [10, 10]);
  proc.open(10, ['/dev/null', 'socket:[2]']);
  proc.open(11, ['socket:[1]']);
  assert.deepEqual(find([accepted, kept], processes), [11, 10]);
  proc.open(10, []);
  proc.open(11, ['/dev/null', 'socket:[2]']);
  assert.deepEqual(find(kept, processes), [10]);
});

for (const [visibleFrom, found] of [
  [1, 1],
  [2, 3],
  [4, 7],
  [8, 15],
  [600, 1_023],
  [1_100, 1_535],
  [1_600, 2_047],
] as const) {
  test(`finds a holder that can be seen from search ${visibleFrom} on at search ${found}, as it searches ever more seldom`, (t) => {
    const { proc, socket, find } = setUp(t, PLENTY);
    const hidden = socket(1);
    const processes = living({ 10: {} });
    proc.open(10, []);
    let searches = 0;
    while (hidden.holder === undefined && searches < 3_000) {
      searches += 1;
      if (searches === visibleFrom) proc.open(10, ['socket:[1]']);
      find(hidden, processes);
    }
    assert.equal(searches, found);
  });
}

test('a search ends when its time is over and goes on from there', (t) => {
  const { proc, socket, find } = setUp(t, { searchMs: 0 });
  for (const pid of [10, 20, 30]) proc.open(pid, []);
  proc.open(10, ['socket:[1]']);
  const processes = living({ 10: {}, 20: {}, 30: {} });
  const sought = socket(1);
  assert.deepEqual(find(sought, processes), [undefined]);
  assert.deepEqual(find(sought, processes), [undefined]);
  assert.deepEqual(find(sought, processes), [10]);
});

test('goes on within a process of many descriptors', (t) => {
  const { proc, socket, find } = setUp(t, { searchMs: 1 });
  proc.open(10, ['socket:[1]', ...Array.from({ length: 99 }, () => '/dev/null')]);
  const processes = living({ 10: {} });
  const sought = socket(1);
  let searches = 0;
  while (find(sought, processes)[0] === undefined && searches < 20) searches += 1;
  // The clock is looked at after 32 of 100 descriptors, and in each search twice.
  assert.equal(searches, 3);
});

test('goes on within a process of many descriptors, whatever starts meanwhile', (t) => {
  const { proc, socket, find } = setUp(t, { searchMs: 2 });
  proc.open(10, ['socket:[1]', ...Array.from({ length: 99 }, () => '/dev/null')]);
  const processes: Record<number, ProcessFields> = { 10: {} };
  const sought = socket(1);
  find(sought, living(processes));
  let searches = 1;
  for (; sought.holder === undefined && searches < 20; searches += 1) {
    processes[100 + searches] = {};
    find(sought, living(processes));
  }
  assert.equal(sought.holder?.pid, 10);
});

test('a round ends when what it sought is forgotten', (t) => {
  const { proc, owners, socket, find } = setUp(t, { searchMs: 0 });
  for (const pid of [10, 20, 30]) proc.open(pid, []);
  const processes = living({ 10: {}, 20: {}, 30: {} });
  const closed = socket(1);
  find(closed, processes);
  owners.forget(closed);
  owners.search(processes);
  proc.open(30, ['socket:[2]']);
  assert.deepEqual(find(socket(2), processes), [30]);
});

test('looks first into what is new, then into listeners and their children, then into holders, then into the newest', (t) => {
  const { proc, owners, socket, find } = setUp(t, { searchMs: 0 });
  const order: number[] = [];
  const fields: Record<number, ProcessFields> = { 10: {}, 12: {}, 13: { ppid: 12 }, 20: {}, 30: {}, 40: {} };
  proc.open(20, ['socket:[20]']);
  const first = socket(20);
  while (first.holder === undefined) find(first, living(fields));
  // From now on every process shows a socket of its own: the order they are found in is the order of the looks.
  fields[15] = {};
  const pids = [10, 12, 13, 15, 20, 30, 40];
  const sockets = pids.map((pid) => socket(pid + 1_000));
  for (const pid of pids) proc.open(pid, [`socket:[${pid + 1_000}]`]);
  const [some] = sockets;
  owners.seek(some as OwnedSocket, living(fields), living(fields).get(12));
  for (let searches = 0; searches < 10; searches += 1) {
    find(sockets, living(fields));
    for (const { holder } of sockets) if (holder && !order.includes(holder.pid)) order.push(holder.pid);
  }
  assert.deepEqual(order, [15, 13, 12, 20, 40, 30, 10]);
});

test('a process that starts during a round is looked into next', (t) => {
  const { proc, socket, find } = setUp(t, { searchMs: 0 });
  for (const pid of [10, 20, 30]) proc.open(pid, []);
  const sought = socket(1);
  find(sought, living({ 10: {}, 20: {}, 30: {} }));
  proc.open(5, ['socket:[1]']);
  assert.deepEqual(find(sought, living({ 10: {}, 20: {}, 30: {}, 5: {} })), [5]);
});

test('what is sought since the middle of a round has a whole round of its own', (t) => {
  const { proc, socket, find } = setUp(t, { searchMs: 0 });
  for (const pid of [10, 20]) proc.open(pid, []);
  const processes = living({ 10: {}, 20: {} });
  const hopeless = socket(1);
  find(hopeless, processes);
  const late = socket(2);
  proc.open(20, ['socket:[2]']);
  let searches = 0;
  while (late.holder === undefined && searches < 10) {
    searches += 1;
    find([hopeless, late], processes);
  }
  // Two look into what is left of the first round, one ends it, and the next begins with the newest.
  assert.equal(searches, 4);
});

test('forgets a socket, and knows one by its latest inode', (t) => {
  const { proc, owners, socket, find } = setUp(t, PLENTY);
  proc.open(10, ['socket:[1]', 'socket:[2]']);
  const processes = living({ 10: {} });
  const closed = socket(1);
  owners.seek(closed, processes);
  owners.forget(closed);
  owners.search(processes);
  assert.equal(closed.holder, undefined);

  const accepted = socket(3);
  owners.track(accepted, 2);
  assert.deepEqual(find(accepted, processes), [10]);
});

test('another socket that has the inode since is not forgotten with the one before', (t) => {
  const { proc, owners, socket, find } = setUp(t, PLENTY);
  proc.open(10, ['socket:[1]']);
  const before = socket(1);
  const since = socket(1);
  owners.forget(before);
  assert.deepEqual(find(since, living({ 10: {} })), [10]);
});

test('never looks into kernel threads', (t) => {
  const { proc, socket, find } = setUp(t, PLENTY);
  proc.open(2, ['socket:[1]']);
  proc.open(5, ['socket:[1]']);
  const processes = living({ 2: { ppid: 0, comm: 'kthreadd' }, 5: { ppid: 2, comm: 'kworker/0:1' } });
  assert.deepEqual(find(socket(1), processes), [undefined]);
});

test('says when there are processes it may not look into', (t) => {
  const { proc, owners, socket, find } = setUp(t, PLENTY);
  proc.open(10, ['socket:[1]']);
  const processes = living({ 10: {} });
  chmodSync(join(proc.procRoot, '10', 'fd'), 0o700);
  const sought = socket(1);
  assert.equal(owners.isDenied, false);
  asNobody(() => assert.deepEqual(find(sought, processes), [undefined]));
  assert.equal(owners.isDenied, true);
});
