import assert from 'node:assert/strict';
import { chownSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Identities } from '../../../src/agent/identity/identity.ts';
import type { ProcessCounters } from '../../../src/agent/snapshot.ts';
import { identitySchema, MAX_CMDLINE_LENGTH } from '../../../src/protocol/row.ts';
import { FakeProc, listenLine, TCP_HEADER } from '../../support/fake-proc.ts';
import { scratchFolder } from '../../support/scratch.ts';
import { type ProcessFields, snapshot, T0_MS } from '../snapshots.ts';

/** Identities over plain files; `at` makes a snapshot known and hands out its processes. */
function setUp(t: TestContext) {
  const proc = new FakeProc(scratchFolder(t));
  const identities = new Identities({ procRoot: proc.procRoot, passwdPath: proc.passwdPath, ownPid: 50 });
  const at = (second: number, processes: Record<number, ProcessFields>): ((pid: number) => ProcessCounters) => {
    const taken = snapshot(second, processes);
    identities.update(taken);
    return (pid) => taken.processes.get(pid) as ProcessCounters;
  };
  return { proc, identities, at };
}

test('says who a process is', (t) => {
  const { proc, identities, at } = setUp(t);
  proc.write('10/cmdline', '/usr/sbin/mysqld\0--defaults-file=/etc/my3307.cnf\0--password=secret\0');
  proc.write('10/cgroup', '0::/system.slice/mysqld@2.service\n');
  proc.write('net/tcp', TCP_HEADER + listenLine(3_307, 1) + listenLine(33_070, 2));
  proc.open(10, ['socket:[1]', 'socket:[2]']);
  writeFileSync(proc.passwdPath, `dba:x:${statSync(join(proc.procRoot, '10')).uid}:999::/:/bin/false\n`);
  const process = at(0, { 10: { comm: 'mysqld', state: 'R', bornAt: -60 } })(10);
  const identity = identities.of(process);
  assert.deepEqual(identity, {
    pid: 10,
    instance: 'mysqld:3307',
    comm: 'mysqld',
    user: 'dba',
    cmdline: '/usr/sbin/mysqld --defaults-file=/etc/my3307.cnf --password=***',
    unit: 'mysqld@2.service',
    ports: [3_307, 33_070],
    state: 'R',
    threads: 1,
    startedAt: new Date(T0_MS - 60_000).toISOString(),
  });
  assert.deepEqual(identitySchema.parse(identity), identity);
});

test('makes one instance of a postmaster and its backends', (t) => {
  const { proc, identities, at } = setUp(t);
  proc.write('10/cmdline', '/usr/bin/postgres\0-D\0/d\0');
  proc.write('11/cmdline', 'postgres: app shop 10.0.0.7(53312) idle          ');
  proc.write('net/tcp', TCP_HEADER + listenLine(5_432, 1));
  proc.open(10, ['socket:[1]']);
  const of = at(0, { 10: { comm: 'postgres' }, 11: { ppid: 10, comm: 'postgres' } });
  assert.equal(identities.instanceOf(of(11)), 'postgres:5432');
  assert.deepEqual(identities.of(of(11)).ports, [5_432]);
  assert.equal(identities.of(of(11)).cmdline, 'postgres: app shop 10.0.0.7(53312) idle');
});

test('keeps apart what a supervisor of the same name has started by an exec', (t) => {
  const { proc, identities, at } = setUp(t);
  proc.process({ pid: 10, comm: 'node', stackStart: 1_000_000 }, { cmdline: 'node\0supervisor.js\0' });
  proc.process({ pid: 11, comm: 'node', stackStart: 2_000_000 }, { cmdline: 'node\0shop.js\0' });
  proc.process({ pid: 12, comm: 'node', stackStart: 2_000_000 }, { cmdline: 'node\0shop.js\0worker\0' });
  proc.process({ pid: 13, comm: 'node', stackStart: 3_000_000 }, { cmdline: 'node\0mail.js\0' });
  proc.write('net/tcp', TCP_HEADER + listenLine(3_000, 1) + listenLine(4_000, 2));
  proc.open(11, ['socket:[1]']);
  proc.open(13, ['socket:[2]']);
  const child = { ppid: 10, comm: 'node' };
  const of = at(0, { 10: { comm: 'node' }, 11: child, 12: { ppid: 11, comm: 'node' }, 13: child });
  assert.deepEqual(
    [10, 11, 12, 13].map((pid) => identities.instanceOf(of(pid))),
    ['node', 'node:3000', 'node:3000', 'node:4000'],
  );
});

test('goes by the name alone where the kernel hides the stack', (t) => {
  const { proc, identities, at } = setUp(t);
  proc.process({ pid: 10, comm: 'postgres', stackStart: 1_000_000 });
  proc.process({ pid: 11, comm: 'postgres', stackStart: 1 });
  proc.write('net/tcp', TCP_HEADER + listenLine(5_432, 1));
  proc.open(10, ['socket:[1]']);
  const of = at(0, { 10: { comm: 'postgres' }, 11: { ppid: 10, comm: 'postgres' } });
  assert.equal(identities.instanceOf(of(11)), 'postgres:5432');
});

test('names a worker after its master’s arguments and its own container', (t) => {
  const { proc, identities, at } = setUp(t);
  proc.write('10/cmdline', 'server\0--datadir=/d2\0');
  const of = at(0, { 10: { comm: 'server' }, 11: { ppid: 10, comm: 'server' }, 12: { comm: 'other' } });
  assert.equal(identities.instanceOf(of(11)), 'server@/d2');
  proc.write('12/cgroup', `0::/docker/${'ab'.repeat(32)}\n`);
  assert.equal(identities.of(of(12)).container, 'abababababab');
  assert.equal(identities.instanceOf(of(12)), 'abababababab');
});

test('knows a kernel thread by its name', (t) => {
  const { proc, identities, at } = setUp(t);
  proc.write('5/cmdline', '');
  const of = at(0, { 2: { ppid: 0, comm: 'kthreadd' }, 5: { ppid: 2, comm: 'kworker/0:1' } });
  const { instance, cmdline } = identities.of(of(5));
  assert.deepEqual([instance, cmdline], ['kworker/0:1', '']);
});

test('says what the counters tell of a process that vanished before it was asked about', (t) => {
  const { identities, at } = setUp(t);
  const process = at(0, { 10: { comm: 'gone', state: 'Z' } })(10);
  assert.equal(identities.of(process).user, '?');
  const { comm, instance, user, state } = identities.ofVanished(process);
  assert.deepEqual([comm, instance, user, state], ['gone', 'gone', '?', 'Z']);
});

test('knows of a process that has just ended what it knew before, and nothing of who has its pid now', (t) => {
  const { proc, identities, at } = setUp(t);
  proc.write('10/cmdline', 'server\0--port=3307\0');
  proc.write('11/cmdline', 'never asked\0');
  const of = at(0, { 10: { comm: 'server' }, 11: { comm: 'job' } });
  const { user } = identities.of(of(10));
  const last = (pid: number): ProcessCounters => ({ ...of(pid), state: 'X', rssPages: 0 });
  for (const pid of [10, 11]) proc.write(`${pid}/cmdline`, 'another\0');
  at(2, {});
  const { instance, cmdline, state, ...rest } = identities.of(last(10));
  assert.deepEqual([instance, cmdline, rest.user, state], ['server:3307', 'server --port=3307', user, 'X']);
  const stranger = identities.of(last(11));
  assert.deepEqual([stranger.instance, stranger.cmdline, stranger.user], ['job', '', '?']);
  assert.deepEqual(identitySchema.parse(stranger), stranger);
  at(4, {});
  assert.equal(identities.of(last(10)).cmdline, '');
});

test('names the owner, also of a process that may not be looked into', { skip: process.getuid?.() !== 0 }, (t) => {
  const { proc, identities, at } = setUp(t);
  proc.write('10/cmdline', 'x\0');
  chownSync(join(proc.procRoot, '10'), 999, 999);
  assert.equal(identities.of(at(0, { 10: {} })(10)).user, 'mysql');
});

test('reads a title again after half a minute, on either side of the clock', (t) => {
  const { proc, identities, at } = setUp(t);
  const title = (second: number): string => identities.of(at(second, { 10: {} })(10)).cmdline;
  proc.write('10/cmdline', 'idle\0');
  assert.equal(title(0), 'idle');
  proc.write('10/cmdline', 'busy\0');
  assert.equal(title(29), 'idle');
  assert.equal(title(30), 'busy');
  proc.write('10/cmdline', 'back\0');
  assert.equal(title(1), 'busy');
  assert.equal(title(0), 'back');
});

test('reads everything again when a process became another program', (t) => {
  const { proc, identities, at } = setUp(t);
  proc.write('10/cmdline', 'sh\0');
  assert.equal(identities.of(at(0, { 10: { comm: 'sh' } })(10)).cmdline, 'sh');
  proc.write('10/cmdline', 'java\0-jar\0x.jar\0');
  assert.equal(identities.of(at(1, { 10: { comm: 'java' } })(10)).cmdline, 'java -jar x.jar');
});

test('reads everything again when a pid is used again', (t) => {
  const { proc, identities, at } = setUp(t);
  proc.write('10/cmdline', 'old\0');
  assert.equal(identities.of(at(0, { 10: { comm: 'a' } })(10)).cmdline, 'old');
  proc.write('10/cmdline', 'new\0');
  assert.equal(identities.of(at(1, { 10: { comm: 'a', bornAt: 0.5 } })(10)).cmdline, 'new');
});

test('remembers the command line of a process that has just ended', (t) => {
  const { proc, identities, at } = setUp(t);
  proc.write('10/cmdline', 'job\0--id=7\0');
  assert.equal(identities.of(at(0, { 10: {} })(10)).cmdline, 'job --id=7');
  proc.write('10/cmdline', '');
  assert.equal(identities.of(at(40, { 10: { state: 'Z' } })(10)).cmdline, 'job --id=7');
});

test('shortens a command line to what the wire takes', (t) => {
  const { proc, identities, at } = setUp(t);
  proc.write('10/cmdline', `java\0-cp\0${'/x.jar:'.repeat(500)}\0`);
  assert.equal(identities.of(at(0, { 10: {} })(10)).cmdline.length, MAX_CMDLINE_LENGTH);
});

test('shows no half of a word that holds a secret as a whole', (t) => {
  const { proc, identities, at } = setUp(t);
  const masked = `--password=${'x'.repeat(4_000)}`;
  for (const separator of ['\0', ' ']) {
    proc.write('10/cmdline', `app${separator}${masked}${separator}mysql://root:${'SECRET'.repeat(50)}@db/shop`);
    assert.equal(identities.of(at(0, { 10: { bornAt: separator.length } })(10)).cmdline, 'app --password=*** …');
    at(0, {});
  }
  proc.write('10/cmdline', 'y'.repeat(9_000));
  assert.equal(identities.of(at(0, { 10: {} })(10)).cmdline, '…');
});

test('hands out at most 64 ports', (t) => {
  const { proc, identities, at } = setUp(t);
  const ports = Array.from({ length: 70 }, (_, index) => 1_000 + index);
  proc.write('net/tcp', TCP_HEADER + ports.map((port) => listenLine(port, port)).join(''));
  proc.open(
    10,
    ports.map((port) => `socket:[${port}]`),
  );
  assert.deepEqual(identities.of(at(0, { 10: {} })(10)).ports, ports.slice(0, 64));
});

test('cannot be asked before there is a snapshot', (t) => {
  const { identities } = setUp(t);
  const process = snapshot(0, {}).processes.get(1) as ProcessCounters;
  assert.throws(() => identities.of(process), /before the first snapshot/);
  assert.throws(() => identities.instanceOf(process), /before the first snapshot/);
});
