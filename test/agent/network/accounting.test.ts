import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostCounters } from '../../../src/agent/host-counters.ts';
import { accountNetwork } from '../../../src/agent/network/accounting.ts';
import { type NetworkBytes, type NetworkReading, noBytes } from '../../../src/agent/network/source.ts';
import type { InterfaceCounters } from '../../../src/procfs/net-dev.ts';
import { snapshot } from '../snapshots.ts';

type Card = Partial<InterfaceCounters>;
const card = (name: string, counters: Card): InterfaceCounters => ({
  name,
  inBytes: 0,
  inPackets: 0,
  outBytes: 0,
  outPackets: 0,
  ...counters,
});
const host = (eth0: Card, lo: Card = {}): HostCounters =>
  snapshot(0, {}, { interfaces: [card('eth0', eth0)], loopback: card('lo', lo) }).host;
const reading = (processes: Record<number, Partial<NetworkBytes>>): NetworkReading => ({
  processes: new Map(Object.entries(processes).map(([pid, bytes]) => [Number(pid), { ...noBytes(), ...bytes }])),
  endpoints: [],
});
const itself = (pid: number): number => pid;

test('what interfaces carried is what processes moved, and a rest of which headers are a part', () => {
  const now = host({ inBytes: 10_000, inPackets: 10, outBytes: 3_000, outPackets: 10 });
  const accounts = accountNetwork(
    host({}),
    now,
    reading({ 7: { inBytes: 6_000 }, 8: { inBytes: 1_000, outBytes: 2_900 } }),
    itself,
  );
  assert.deepEqual(accounts.in, { bytes: 10_000, unattributedBytes: 3_000, overheadBytes: 660 });
  assert.deepEqual(accounts.out, { bytes: 3_000, unattributedBytes: 100, overheadBytes: 100 });
  assert.equal(accounts.usage.get(7)?.inBytes, 6_000);
  assert.equal(accounts.usage.get(8)?.outBytes, 2_900);
});

test('nothing is known of processes without a source: all of it is unattributed', () => {
  const accounts = accountNetwork(host({}), host({ inBytes: 500, outBytes: 400 }), undefined, itself);
  assert.deepEqual([accounts.in.unattributedBytes, accounts.out.unattributedBytes, accounts.usage.size], [500, 400, 0]);
});

test('processes that move more than the interfaces of the host raise its figure, not the rest', () => {
  const accounts = accountNetwork(
    host({}),
    host({ outBytes: 100, outPackets: 1 }),
    reading({ 7: { outBytes: 5_000 } }),
    itself,
  );
  assert.deepEqual(accounts.out, { bytes: 5_000, unattributedBytes: 0, overheadBytes: 0 });
});

test('loopback traffic is kept apart and is none of the network', () => {
  const accounts = accountNetwork(
    host({}),
    host({}, { inBytes: 9_000, outBytes: 9_000 }),
    reading({ 7: { loopbackInBytes: 8_000 }, 8: { loopbackOutBytes: 8_000 } }),
    itself,
  );
  assert.deepEqual(accounts.usage.get(7), { inBytes: 0, outBytes: 0, loopbackInBytes: 8_000, loopbackOutBytes: 0 });
  assert.deepEqual([accounts.in.bytes, accounts.out.bytes], [0, 0]);
});

test('unconnected bytes that only the loopback had room for are loopback', () => {
  const now = host({ inBytes: 66, inPackets: 1 }, { inBytes: 1_000_660, inPackets: 10 });
  const { usage, in: total } = accountNetwork(host({}), now, reading({ 7: { unconnectedInBytes: 1_000_000 } }), itself);
  assert.deepEqual(usage.get(7), { inBytes: 0, outBytes: 0, loopbackInBytes: 1_000_000, loopbackOutBytes: 0 });
  assert.equal(total.unattributedBytes, 66);
});

test('unconnected bytes that only the interfaces had room for are network', () => {
  const now = host({ inBytes: 1_000_660, inPackets: 10 }, { inBytes: 660, inPackets: 10 });
  const { usage, in: total } = accountNetwork(host({}), now, reading({ 7: { unconnectedInBytes: 1_000_000 } }), itself);
  assert.equal(usage.get(7)?.inBytes, 1_000_000);
  assert.deepEqual(total, { bytes: 1_000_660, unattributedBytes: 660, overheadBytes: 660 });
});

test('unconnected bytes that neither had room for went to another namespace and are network', () => {
  const now = host({}, { outBytes: 1_066, outPackets: 1 });
  const { usage } = accountNetwork(host({}), now, reading({ 7: { unconnectedOutBytes: 100_000 } }), itself);
  assert.deepEqual(usage.get(7), { inBytes: 0, outBytes: 99_000, loopbackInBytes: 0, loopbackOutBytes: 1_000 });
  assert.equal(
    accountNetwork(host({}), host({}), reading({ 7: { unconnectedOutBytes: 9 } }), itself).usage.get(7)?.outBytes,
    9,
  );
});

test('unconnected bytes are split where both had room, after what is known was taken off', () => {
  const now = host({ inBytes: 4_000 }, { inBytes: 2_500 });
  const { usage, in: total } = accountNetwork(
    host({}),
    now,
    reading({ 7: { unconnectedInBytes: 2_000 }, 8: { inBytes: 1_000, loopbackInBytes: 1_500 } }),
    itself,
  );
  assert.deepEqual(usage.get(7), { inBytes: 1_500, outBytes: 0, loopbackInBytes: 500, loopbackOutBytes: 0 });
  assert.deepEqual(total, { bytes: 4_000, unattributedBytes: 1_500, overheadBytes: 0 });
});

test('the bytes of a process that ended go to whoever stands in for it, or to nobody', () => {
  const now = host({ outBytes: 600 });
  const owner = (pid: number): number | undefined => (pid === 7 ? 5 : pid === 8 ? undefined : pid);
  const { usage, out } = accountNetwork(
    host({}),
    now,
    reading({ 5: { outBytes: 100 }, 7: { outBytes: 200 }, 8: { outBytes: 300 } }),
    owner,
  );
  assert.deepEqual([...usage.keys()], [5]);
  assert.equal(usage.get(5)?.outBytes, 300);
  assert.deepEqual(out, { bytes: 600, unattributedBytes: 300, overheadBytes: 0 });
});

test('an interface that has just come, or came up anew, gives no false bytes', () => {
  const now = snapshot(0, {}, { interfaces: [card('eth0', { inBytes: 5 }), card('eth1', { inBytes: 1e9 })] }).host;
  assert.equal(accountNetwork(host({ inBytes: 1e9 }), now, undefined, itself).in.bytes, 0);
});
