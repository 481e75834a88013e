import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Accounts, account, diskLoad, type Ledger, openLedger } from '../../src/agent/accounting.ts';
import type { Usage } from '../../src/agent/attribution/attribute.ts';
import { accountNetwork } from '../../src/agent/network/accounting.ts';
import { seededRandom } from '../support/random.ts';
import { deepFreeze, type HostFields, snapshot } from './snapshots.ts';

type Raw = Record<number, Partial<Usage>>;

const EMPTY: Ledger = deepFreeze({ deferredTicks: new Map(), unwrittenBytes: 0 });
const DISK = { device: '254:0', name: 'vda', readBytes: 0, writeBytes: 0, busyMs: 0, queueMs: 0 };

const card = (name: string, inBytes: number, outBytes: number) => ({
  name,
  inBytes,
  inPackets: 0,
  outBytes,
  outPackets: 0,
});

/** The host's side of a snapshot with one disk. */
function disk(fields: Partial<typeof DISK>, kernelUnwritten = 1e12): HostFields {
  const memory = { totalBytes: 8_000, availableBytes: 6_000, unwrittenBytes: kernelUnwritten };
  return { disks: [{ ...DISK, ...fields }], baseDisks: new Set(['vda']), memory };
}

/** One window of `seconds` in which 10 and 11 live. */
function window(raw: Raw, before: HostFields, now: HostFields, ledger = EMPTY, seconds = 1): Accounts {
  const processes = { 10: {}, 11: {} };
  const full = Object.entries(raw).map(([pid, usage]): [number, Usage] => [
    Number(pid),
    { cpuTicks: 0, readBytes: 0, writeBytes: 0, ...usage },
  ]);
  const usage = deepFreeze(new Map(full));
  const [previous, current] = [snapshot(0, processes, before), snapshot(seconds, processes, now)];
  const network = accountNetwork(previous.host, current.host, undefined, () => undefined);
  return account(previous, current, { usage, network }, deepFreeze(ledger));
}

function ticks({ usage }: Accounts): Record<number, number> {
  return Object.fromEntries([...usage].map(([pid, { cpuTicks }]) => [pid, Math.round(cpuTicks * 1e9) / 1e9]));
}

test('knows the host’s CPU time as all there was, less idle, iowait and steal', () => {
  const { host } = window(
    { 10: { cpuTicks: 60 } },
    { idleTicks: 1_000 },
    { idleTicks: 1_080, iowaitTicks: 20, stealTicks: 30 },
  );
  assert.equal(host.cpuPercent, 70);
  assert.equal(host.iowaitPercent, 20);
  assert.equal(host.stealPercent, 30);
  assert.equal(host.unattributed.cpuPercent, 10);
  assert.equal(host.cores, 2);
});

test('divides by the time that passed', () => {
  const { host } = window(
    { 10: { cpuTicks: 60, readBytes: 100 } },
    disk({}),
    { idleTicks: 500, ...disk({ writeBytes: 40 }) },
    EMPTY,
    4,
  );
  assert.equal(host.cpuPercent, 75);
  assert.equal(host.unattributed.cpuPercent, 60);
  assert.equal(host.readBytesPerSec, 25);
  assert.equal(host.deviceWriteBytesPerSec, 10);
});

test('never finds less than no CPU time', () => {
  assert.equal(window({}, {}, { idleTicks: 250 }).host.cpuPercent, 0);
});

test('takes an idle, iowait or steal counter that went backwards for one that stood still', () => {
  const before = { idleTicks: 500, iowaitTicks: 500, stealTicks: 500 };
  assert.equal(window({}, before, { idleTicks: 400, iowaitTicks: 530, stealTicks: 520 }).host.cpuPercent, 150);
  assert.equal(window({}, before, { idleTicks: 550, iowaitTicks: 400, stealTicks: 400 }).host.cpuPercent, 150);
});

test('charges a little that processes come to more than the host in the next window', () => {
  const first = window({ 10: { cpuTicks: 81 }, 11: { cpuTicks: 27 } }, {}, { idleTicks: 100 });
  assert.deepEqual(ticks(first), { 10: 75, 11: 25 });
  assert.deepEqual([first.host.cpuPercent, first.host.unattributed.cpuPercent], [100, 0]);
  const second = window({ 10: { cpuTicks: 1 } }, {}, { idleTicks: 100 }, first.ledger);
  assert.deepEqual(ticks(second), { 10: 7, 11: 2 });
  assert.equal(second.host.unattributed.cpuPercent, 91);
  assert.equal(second.ledger.deferredTicks.size, 0);
});

test('takes the host to have used what processes come to, where that is more than moments of reading explain', () => {
  const first = window({ 10: { cpuTicks: 90 }, 11: { cpuTicks: 30 } }, {}, { idleTicks: 100 });
  assert.deepEqual(ticks(first), { 10: 82.5, 11: 27.5 });
  assert.deepEqual([first.host.cpuPercent, first.host.unattributed.cpuPercent], [110, 0]);
  assert.deepEqual(
    [...first.ledger.deferredTicks],
    [
      [10, 7.5],
      [11, 2.5],
    ],
  );
});

test('defers no tick twice, and loses none, however long the idle counter counts too much', () => {
  let ledger = EMPTY;
  let charged = 0;
  for (let storm = 0; storm < 20; storm += 1) {
    const accounts = window({ 10: { cpuTicks: 110 } }, {}, { idleTicks: 100 }, ledger);
    charged += ticks(accounts)[10] ?? 0;
    assert.deepEqual([...accounts.ledger.deferredTicks], [[10, 10]]);
    ({ ledger } = accounts);
  }
  const idle = window({}, {}, { idleTicks: 198 }, ledger);
  assert.deepEqual([charged + (ticks(idle)[10] ?? 0), idle.host.cpuPercent], [20 * 110, 10]);
  assert.equal(idle.ledger.deferredTicks.size, 0);
});

test('charges who ended in full and lets the living wait, as who ended has no next window', () => {
  const first = window({ 10: { cpuTicks: 68 }, 12: { cpuTicks: 40 } }, {}, { idleTicks: 100 });
  assert.deepEqual(ticks(first), { 10: 60, 12: 40 });
  assert.deepEqual(ticks(window({}, {}, {}, first.ledger)), { 10: 8 });
});

test('never charges more than there was, and defers nothing for who ended', () => {
  const { host, ledger, ...accounts } = window(
    { 10: { cpuTicks: 20 }, 12: { cpuTicks: 90 }, 13: { cpuTicks: 300 }, 14: { readBytes: 5 } },
    {},
    { idleTicks: 100 },
  );
  assert.deepEqual(ticks({ host, ledger, ...accounts }), { 10: 5, 12: 45, 13: 150, 14: 0 });
  assert.deepEqual([...ledger.deferredTicks], [[10, 10]]);
  assert.deepEqual([host.cpuPercent, host.unattributed.cpuPercent], [200, 0]);
});

test('charges a process that ended what had been deferred for it', () => {
  const ledger: Ledger = { deferredTicks: new Map([[12, 50]]), unwrittenBytes: 0 };
  assert.deepEqual(ticks(window({ 12: { cpuTicks: 3 } }, {}, {}, ledger)), { 12: 53 });
});

test('forgets what was deferred for a process that ended', () => {
  const { host, usage } = window({}, {}, {}, { deferredTicks: new Map([[12, 50]]), unwrittenBytes: 0 });
  assert.equal(usage.size, 0);
  assert.equal(host.unattributed.cpuPercent, 200);
});

test('shows reads that no process made beside those that some did', () => {
  const more = window({ 10: { readBytes: 300 } }, disk({ readBytes: 50 }), disk({ readBytes: 450 })).host;
  assert.equal(more.readBytesPerSec, 400);
  assert.equal(more.unattributed.readBytesPerSec, 100);
  const fewer = window({ 10: { readBytes: 300 } }, disk({}), disk({ readBytes: 200 })).host;
  assert.equal(fewer.readBytesPerSec, 300);
  assert.equal(fewer.unattributed.readBytesPerSec, 0);
  assert.equal(fewer.deviceReadBytesPerSec, 200);
});

test('takes device writes for those that processes made earlier, and only what exceeds them for nobody’s', () => {
  const dirtied = window({ 10: { writeBytes: 1_000 } }, disk({}), disk({}));
  assert.equal(dirtied.host.writeBytesPerSec, 1_000);
  assert.equal(dirtied.host.deviceWriteBytesPerSec, 0);
  const flushed = window({}, disk({}), disk({ writeBytes: 700 }), dirtied.ledger);
  assert.equal(flushed.host.writeBytesPerSec, 0);
  assert.equal(flushed.host.deviceWriteBytesPerSec, 700);
  const journal = window({ 11: { writeBytes: 50 } }, disk({}), disk({ writeBytes: 400 }), flushed.ledger);
  assert.equal(journal.host.unattributed.writeBytesPerSec, 50);
  assert.equal(journal.host.writeBytesPerSec, 100);
  assert.equal(journal.ledger.unwrittenBytes, 0);
});

test('expects no more device writes than the kernel has left to write', () => {
  const { ledger } = window({ 10: { writeBytes: 1_000 } }, disk({}), disk({}, 300));
  assert.equal(ledger.unwrittenBytes, 300);
  const { host } = window({}, disk({}), disk({ writeBytes: 500 }), ledger);
  assert.equal(host.unattributed.writeBytesPerSec, 200);
});

test('takes what was dirty before the first window for known', () => {
  const ledger = openLedger(snapshot(0, {}, disk({}, 800)));
  assert.deepEqual(ledger, { deferredTicks: new Map(), unwrittenBytes: 800 });
  assert.equal(window({}, disk({}), disk({ writeBytes: 900 }), ledger).host.unattributed.writeBytesPerSec, 100);
});

test('adds up base disks only, and shows the load of the busiest', () => {
  const names = ['vda', 'vdb', 'vdc', 'dm-0'];
  const disks = (loads: readonly number[][]): HostFields => ({
    disks: loads.map(([busyMs = 0, queueMs = 0], index) => {
      return { ...DISK, name: names[index] ?? '', readBytes: busyMs, busyMs, queueMs };
    }),
    baseDisks: new Set(['vda', 'vdb', 'vdc']),
  });
  const before = disks([[], [], [], []]);
  const now = disks([
    [3_000, 0],
    [100, 6_000],
    [300, 200],
    [9_000, 9_000],
  ]);
  const { host } = window({}, before, now, EMPTY, 2);
  assert.equal(host.deviceReadBytesPerSec, 1_700);
  assert.equal(host.diskUtilPercent, 100);
  assert.equal(host.diskQueue, 3);
  assert.deepEqual(diskLoad({ ...DISK, busyMs: 9, queueMs: 9 }, DISK, 1), { utilPercent: 0, queue: 0 });
});

test('counts nothing of a device that has just appeared, nor below zero when a counter goes backwards', () => {
  const none = window(
    {},
    {},
    { ...disk({ readBytes: 1e9, writeBytes: 1e9 }), interfaces: [card('eth0', 1e9, 1e9)] },
  ).host;
  const back = window(
    {},
    {
      ...disk({ readBytes: 9, writeBytes: 9, busyMs: 9, queueMs: 9 }),
      interfaces: [card('eth0', 9, 9)],
    },
    { ...disk({}), interfaces: [card('eth0', 0, 0)] },
  ).host;
  for (const host of [none, back])
    for (const name of [
      'readBytesPerSec',
      'writeBytesPerSec',
      'deviceReadBytesPerSec',
      'deviceWriteBytesPerSec',
      'diskUtilPercent',
      'diskQueue',
      'netInBytesPerSec',
      'netOutBytesPerSec',
    ] as const)
      assert.equal(host[name], 0, name);
});

test('leaves network traffic of which nobody knows whose it is unattributed, card by card', () => {
  const cards = (a: number, b: number) => ({
    interfaces: [card('eth0', a, 2 * a), card('eth1', b, 0)],
  });
  const { host } = window({}, cards(100, 1_000), cards(150, 1_007));
  assert.equal(host.netInBytesPerSec, 57);
  assert.equal(host.netOutBytesPerSec, 100);
  assert.equal(host.unattributed.netInBytesPerSec, 57);
  assert.equal(host.unattributed.netOutBytesPerSec, 100);
});

test('measures time without suspension, so that rates do not vanish in it', () => {
  assert.equal(window({ 10: { cpuTicks: 50 } }, {}, { idleTicks: 100, uptimeTicks: 3_000_000 }).host.cpuPercent, 100);
});

test('shows memory, load and processes as they are', () => {
  const { host } = window({}, {}, { load1: 3.25 });
  assert.deepEqual([host.memTotalBytes, host.memUsedBytes, host.load1, host.processes], [8_000, 2_000, 3.25, 3]);
});

test('holds host = Σ processes + unattributed in every window of a random run, and loses no CPU time', () => {
  const random = seededRandom(7);
  const below = (limit: number): number => Math.floor(random() * limit);
  let ledger = EMPTY;
  let [raw, charged] = [0, 0];
  for (let step = 0; step < 500; step += 1) {
    const usages = {
      10: { cpuTicks: below(60), readBytes: below(900), writeBytes: below(900) },
      11: { cpuTicks: below(60) },
    };
    const now = {
      idleTicks: 100 + below(60),
      ...disk({ readBytes: below(2_000), writeBytes: below(2_000) }, below(3_000)),
    };
    const { host, usage, ledger: next } = window(usages, disk({}), now, ledger);
    const sum = { cpuTicks: 0, readBytes: 0, writeBytes: 0 };
    for (const used of usage.values())
      for (const key of ['cpuTicks', 'readBytes', 'writeBytes'] as const) {
        assert.ok(used[key] >= 0);
        sum[key] += used[key];
      }
    const { unattributed } = host;
    for (const [total, rest, part] of [
      [host.cpuPercent, unattributed.cpuPercent, sum.cpuTicks],
      [host.readBytesPerSec, unattributed.readBytesPerSec, sum.readBytes],
      [host.writeBytesPerSec, unattributed.writeBytesPerSec, sum.writeBytes],
    ] as const) {
      assert.ok(rest !== undefined && rest >= 0);
      assert.ok(Math.abs(total - rest - part) < 1e-9, `${total} = ${part} + ${rest}`);
    }
    raw += usages[10].cpuTicks + usages[11].cpuTicks;
    charged += sum.cpuTicks;
    ledger = next;
  }
  const deferred = [...ledger.deferredTicks.values()].reduce((sum, part) => sum + part, 0);
  assert.ok(Math.abs(raw - charged - deferred) < 1e-6, `${raw} used, ${charged} charged, ${deferred} deferred`);
});
