import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { noBytes } from '../../../src/agent/network/source.ts';
import { asNobody } from '../../support/nobody.ts';
import { closed, connection, networkOnFakes } from './fake-sockets.ts';

test('counts what moved since the reading before, and nothing that moved before the first', (t) => {
  const { hold, read } = networkOnFakes(t);
  hold({ 10: [1], 20: [2] });
  assert.deepEqual(read([connection(1, 1_000, 500), connection(2, 7, 7)]).moved, {});
  assert.deepEqual(read([connection(1, 1_300, 510), connection(2, 7, 7)]).moved, { 10: [10, 300] });
  assert.deepEqual(read([connection(1, 1_300, 510), connection(2, 8, 7)]).moved, { 20: [0, 1] });
});

test('sums up the connections of a process', (t) => {
  const { hold, read } = networkOnFakes(t);
  hold({ 10: [1, 2] });
  read([connection(1, 0, 0), connection(2, 0, 0)]);
  const { processes } = read([connection(1, 1, 2), connection(2, 10, 20)]);
  assert.deepEqual(processes, new Map([[10, { ...noBytes(), outBytes: 11, inBytes: 22 }]]));
});

test('counts a connection that is new in full', (t) => {
  const { hold, read } = networkOnFakes(t);
  hold({ 10: [1, 2] });
  read([connection(1, 100, 100)]);
  assert.deepEqual(read([connection(1, 100, 100), connection(2, 30, 40)]).moved, { 10: [40, 30] });
});

test('takes no table for the first that is not whole', (t) => {
  const { hold, read, table } = networkOnFakes(t);
  hold({ 10: [1, 2] });
  table.whole = false;
  assert.deepEqual(read([connection(1, 100, 100)]).moved, {});
  table.whole = true;
  assert.deepEqual(read([connection(1, 150, 100), connection(2, 1e9, 1e9)], [closed(3, 5, 5)]).moved, {});
  assert.deepEqual(read([connection(1, 151, 100), connection(2, 1e9, 1e9)]).moved, { 10: [0, 1] });
});

test('counts what a table shows that is not whole', (t) => {
  const { hold, read, table } = networkOnFakes(t);
  hold({ 10: [1, 2] });
  read([connection(1, 100, 100), connection(2, 100, 100)]);
  table.whole = false;
  assert.deepEqual(read([connection(1, 101, 100)]).moved, { 10: [0, 1] });
});

test('counts nothing when a counter goes backwards, and goes on from there', (t) => {
  const { hold, read } = networkOnFakes(t);
  hold({ 10: [1] });
  read([connection(1, 100, 100)]);
  assert.deepEqual(read([connection(1, 50, 101)]).moved, { 10: [1, 0] });
  assert.deepEqual(read([connection(1, 40, 90)]).moved, {});
  assert.deepEqual(read([connection(1, 41, 92)]).moved, { 10: [2, 1] });
});

test('counts a connection once that is shown twice', (t) => {
  const { hold, read } = networkOnFakes(t);
  hold({ 10: [1] });
  read([]);
  assert.deepEqual(read([connection(1, 5, 5), connection(1, 5, 5)]).moved, { 10: [5, 5] });
});

test('keeps apart what stays within the machine', (t) => {
  const { hold, read } = networkOnFakes(t);
  hold({ 10: [1, 2] });
  const local = { isLoopback: true, remoteAddress: '127.0.0.1' };
  read([connection(1, 0, 0, local), connection(2, 0, 0)]);
  const { processes, endpoints } = read([connection(1, 5, 6, local), connection(2, 7, 8)]);
  assert.deepEqual(processes.get(10), {
    ...noBytes(),
    loopbackOutBytes: 5,
    loopbackInBytes: 6,
    outBytes: 7,
    inBytes: 8,
  });
  assert.equal(endpoints.length, 1);
});

test('counts the last bytes of a connection for the process that held it', (t) => {
  const { hold, read } = networkOnFakes(t);
  hold({ 10: [1] });
  read([connection(1, 100, 100)]);
  read([connection(1, 101, 100)]);
  hold({ 10: [] });
  assert.deepEqual(read([], [closed(1, 150, 160)]).moved, { 10: [60, 49] });
  assert.deepEqual(read([]).moved, {});
});

test('counts a connection in full that no table ever showed, for the process that listens on its port', (t) => {
  const { hold, read, listening } = networkOnFakes(t);
  hold({ 10: [], 20: [] });
  listening.set(3_306, 10);
  read([]);
  const { moved, endpoints } = read([], [closed(1, 30, 40), closed(2, 1, 2)]);
  assert.deepEqual(moved, { 10: [42, 31] });
  assert.deepEqual(endpoints, [
    { pid: 10, localPort: 3_306, remotePort: 0, remoteAddress: '10.0.0.7', inBytes: 42, outBytes: 31 },
  ]);
});

test('counts a connection for nobody that no table ever showed, where nobody known listens', (t) => {
  const { hold, read, listening } = networkOnFakes(t);
  hold({ 10: [] });
  listening.set(3_306, null);
  read([]);
  const { moved, endpoints } = read([], [closed(1, 30, 40), closed(2, 30, 40, { localPort: 40_000 })]);
  assert.deepEqual([moved, endpoints], [{}, []]);
});

test('looks for a server sooner when its short connections are the first to be seen of it', (t) => {
  const { hold, read, listening, ports } = networkOnFakes(t);
  hold({ 10: [3] });
  listening.set(80, 10);
  read([]);
  const client = (cookie: number) => closed(cookie, 1, 1, { localPort: 40_000 + cookie, remotePort: 80 });
  read([], [client(1), client(2)]);
  read([], [closed(4, 1, 1, { localPort: 80 }), closed(5, 1, 1, { localPort: 80 })]);
  read([connection(3, 1, 1)], []);
  read([connection(3, 2, 2)], [closed(6, 1, 1)]);
  assert.deepEqual(ports.urgent, [false, false, false, false, false]);
  read([], [closed(7, 1, 1), closed(8, 1, 1)]);
  assert.deepEqual(ports.urgent.at(-1), true);
});

test('ignores sockets that were destroyed before the first table, and those that moved nothing', (t) => {
  const { hold, read, listening } = networkOnFakes(t);
  hold({ 10: [] });
  listening.set(3_306, 10);
  assert.deepEqual(read([], [closed(1, 1e9, 1e9)]).moved, {});
  assert.deepEqual(read([], [closed(2, 0, 0)]).moved, {});
});

test('gives a connection that was not accepted yet to the process that listens, then to the one that has it', (t) => {
  const { hold, read, listening } = networkOnFakes(t);
  hold({ 10: [], 20: [] });
  listening.set(3_306, 10);
  read([]);
  assert.deepEqual(read([connection(1, 0, 5, { inode: 0 })]).moved, { 10: [5, 0] });
  hold({ 10: [], 20: [1] });
  assert.deepEqual(read([connection(1, 0, 6)]).moved, { 20: [1, 0] });
});

test('gives a connection to the process that listens while its holder is not found', (t) => {
  const { hold, read, listening } = networkOnFakes(t, { searchMs: 0 });
  hold({ 10: [], 20: [1], 30: [], 40: [] });
  listening.set(3_306, 10);
  read([]);
  const pids: string[] = [];
  for (let bytes = 1; pids.at(-1) !== '20' && bytes < 9; bytes += 1) {
    pids.push(...Object.keys(read([connection(1, bytes, 0)]).moved));
  }
  assert.deepEqual(pids, ['10', '10', '20']);
});

test('goes on counting for the process that closed a connection which still sends', (t) => {
  const { hold, read, listening } = networkOnFakes(t);
  hold({ 10: [], 20: [1] });
  listening.set(3_306, 10);
  read([]);
  assert.deepEqual(read([connection(1, 1, 1)]).moved, { 20: [1, 1] });
  hold({ 10: [], 20: [] });
  assert.deepEqual(read([closed(1, 3, 1)]).moved, { 20: [0, 2] });
  assert.deepEqual(read([closed(1, 4, 1)]).moved, { 20: [0, 1] });
});

test('counts for a process that ended to the end of that sample, then for the one that listens or nobody', (t) => {
  const { hold, read, listening } = networkOnFakes(t);
  hold({ 10: [], 20: [1] });
  read([]);
  read([connection(1, 1, 1)]);
  hold({ 10: [] });
  assert.deepEqual(read([closed(1, 3, 1)]).moved, { 20: [0, 2] });
  assert.deepEqual(read([closed(1, 4, 1)]).moved, {});
  listening.set(3_306, 10);
  assert.deepEqual(read([closed(1, 6, 1)]).moved, { 10: [0, 2] });
});

test('does not count for a process that has the pid of one that ended', (t) => {
  const { hold, read } = networkOnFakes(t);
  hold({ 20: [1] });
  read([]);
  read([connection(1, 1, 1)]);
  hold({ 20: [] }, { 20: { bornAt: 1 } });
  assert.deepEqual(read([closed(1, 3, 1)]).moved, {});
});

test('gives a connection that was passed on to the process that has it, once the first is gone', (t) => {
  const { hold, read } = networkOnFakes(t);
  hold({ 10: [], 20: [1] });
  read([]);
  assert.deepEqual(read([connection(1, 1, 1)]).moved, { 20: [1, 1] });
  assert.deepEqual(read([connection(1, 2, 1)]).moved, { 20: [0, 1] });
  hold({ 10: [1], 20: [] });
  assert.deepEqual(read([connection(1, 3, 1)]).moved, { 20: [0, 1] });
  hold({ 10: [1] });
  assert.deepEqual(read([connection(1, 5, 1)]).moved, { 10: [0, 2] });
});

test('does not count for a listener that ended longer ago', (t) => {
  const { hold, read, listening } = networkOnFakes(t);
  hold({ 10: [] });
  listening.set(3_306, 10);
  read([]);
  hold({});
  assert.deepEqual(read([], [closed(1, 1, 2)]).moved, { 10: [2, 1] });
  assert.deepEqual(read([], [closed(2, 1, 2)]).moved, {});
});

test('remembers a connection that two tables in a row do not show, and no longer', (t) => {
  const { hold, read } = networkOnFakes(t);
  hold({ 10: [1, 2] });
  read([connection(1, 100, 100), connection(2, 100, 100)]);
  read([connection(2, 100, 100)]);
  read([connection(2, 100, 100)]);
  assert.deepEqual(read([connection(1, 101, 100), connection(2, 100, 100)]).moved, { 10: [0, 1] });
  for (let tables = 0; tables < 3; tables += 1) read([connection(2, 100, 100)]);
  assert.deepEqual(read([connection(1, 101, 100), connection(2, 100, 100)]).moved, { 10: [100, 101] });
});

test('forgets nothing over tables that are not whole', (t) => {
  const { hold, read, table } = networkOnFakes(t);
  hold({ 10: [1] });
  read([connection(1, 100, 100)]);
  table.whole = false;
  for (let tables = 0; tables < 9; tables += 1) read([]);
  table.whole = true;
  assert.deepEqual(read([connection(1, 101, 100)]).moved, { 10: [0, 1] });
});

test('names the port that is served, else the port that is used, and sums up what agrees', (t) => {
  const { hold, read, listening } = networkOnFakes(t);
  hold({ 10: [1, 2, 3], 20: [4, 5] });
  listening.set(3_306, 10);
  read([]);
  const out = { localPort: 50_000, remotePort: 443, remoteAddress: '2001:db8::1' };
  const { endpoints } = read([
    connection(1, 1, 2, { remotePort: 40_001 }),
    connection(2, 3, 4, { remotePort: 40_002 }),
    connection(3, 5, 6, { remoteAddress: '10.0.0.8' }),
    connection(4, 7, 8, out),
    connection(5, 9, 10, { ...out, localPort: 50_001 }),
  ]);
  assert.deepEqual(endpoints, [
    { pid: 10, localPort: 3_306, remotePort: 0, remoteAddress: '10.0.0.7', inBytes: 6, outBytes: 4 },
    { pid: 10, localPort: 3_306, remotePort: 0, remoteAddress: '10.0.0.8', inBytes: 6, outBytes: 5 },
    { pid: 20, localPort: 0, remotePort: 443, remoteAddress: '2001:db8::1', inBytes: 18, outBytes: 16 },
  ]);
});

test('names 16384 endpoints at most, and counts the others for their process all the same', (t) => {
  const { hold, read, listening } = networkOnFakes(t);
  hold({ 10: [] });
  listening.set(3_306, 10);
  read([]);
  const gone = Array.from({ length: 16_400 }, (_, index) =>
    closed(index + 1, 1, 2, { remoteAddress: `10.1.${index >> 8}.${index & 255}` }),
  );
  const { endpoints, moved } = read([], [...gone, closed(20_000, 5, 5, { remoteAddress: '10.1.0.0' })]);
  assert.equal(endpoints.length, 16_384);
  assert.deepEqual(moved, { 10: [32_805, 16_405] });
  assert.deepEqual([endpoints[0]?.inBytes, endpoints[0]?.outBytes], [7, 6]);
});

test('says that other users’ processes may not be looked into', (t) => {
  const { network, hold, read, proc } = networkOnFakes(t);
  hold({ 10: [1] });
  chmodSync(join(proc.procRoot, '10', 'fd'), 0o700);
  asNobody(() => read([connection(1, 1, 1)]));
  assert.match(network.limitation, /other users’ processes are not attributed \(needs root\)$/);
});

test('has the listening ports looked up before it asks about them', (t) => {
  const { ports, read } = networkOnFakes(t);
  read([]);
  read([]);
  assert.equal(ports.urgent.length, 2);
});

test('says what it cannot see, and what fails', (t) => {
  const { network, table } = networkOnFakes(t);
  assert.equal(network.name, 'sockets');
  assert.equal(network.limitation, 'UDP and short outgoing connections are not attributed (without eBPF)');
  table.limitation = 'it rains';
  assert.equal(network.limitation, 'UDP and short outgoing connections are not attributed (without eBPF); it rains');
  network.close();
  assert.equal(table.isClosed, true);
});
