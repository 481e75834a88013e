import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLedger } from '../../src/agent/accounting.ts';
import { NO_CARRY } from '../../src/agent/attribution/attribute.ts';
import { Exits } from '../../src/agent/attribution/exits.ts';
import { type NetworkBytes, type NetworkSource, noBytes } from '../../src/agent/network/source.ts';
import { Sampler, type SampleSources } from '../../src/agent/sampler.ts';
import type { Scanner, Snapshot } from '../../src/agent/snapshot.ts';
import { hostUsageSchema } from '../../src/protocol/row.ts';
import { FakeTaskExits } from './attribution/task-exits.ts';
import { snapshot, T0_MS } from './snapshots.ts';

/** A sampler that is given these snapshots, one after the other; an error is thrown. */
function samplerOf(...taken: (Snapshot | Error)[]): Sampler {
  return samplerWith({}, ...taken);
}

function samplerWith(sources: SampleSources, ...taken: (Snapshot | Error)[]): Sampler {
  const take = (): Snapshot => {
    const next = taken.shift();
    if (next === undefined || next instanceof Error) throw next ?? new Error('no more snapshots');
    return next;
  };
  return new Sampler({ take, resume: () => undefined } as unknown as Scanner, sources);
}

const ticks = (sampler: Sampler): [number, number][] =>
  [...(sampler.sample()?.usage ?? [])].map(([pid, { cpuTicks }]) => [pid, cpuTicks]);

test('knows no usage before the second snapshot', () => {
  const sampler = samplerOf(snapshot(0, { 10: { own: 500 } }), snapshot(2, { 10: { own: 550 } }));
  assert.equal(sampler.sample(), undefined);
  const sample = sampler.sample();
  assert.deepEqual([sample?.atMs, sample?.durationMs], [T0_MS + 2_000, 2_000]);
  assert.equal(sample?.usage.get(10)?.cpuTicks, 50);
  assert.equal(sample?.host.cpuPercent, 200);
  assert.equal(sample?.host.unattributed.cpuPercent, 175);
});

test('remembers from window to window what dead children had been charged', () => {
  const sampler = samplerOf(
    snapshot(0, { 10: {}, 11: { ppid: 10, own: 100 } }),
    snapshot(1, { 10: {} }),
    snapshot(2, { 10: { reaped: 103 } }),
  );
  assert.deepEqual([ticks(sampler), ticks(sampler), ticks(sampler)], [[], [], [[10, 3]]]);
});

test('remembers what was over the host’s figure, and what was dirty at first', () => {
  const memory = { totalBytes: 8_000, availableBytes: 6_000, unwrittenBytes: 500 };
  const vda = { device: '254:0', name: 'vda', readBytes: 0, writeBytes: 0, busyMs: 0, queueMs: 0 };
  const baseDisks = new Set(['vda']);
  const sampler = samplerOf(
    snapshot(0, { 10: {} }, { memory, disks: [vda], baseDisks }),
    snapshot(1, { 10: { own: 108 } }, { idleTicks: 100, disks: [{ ...vda, writeBytes: 600 }], baseDisks }),
    snapshot(2, { 10: { own: 108 } }, { idleTicks: 200 }),
  );
  sampler.sample();
  const first = sampler.sample();
  assert.deepEqual([first?.usage.get(10)?.cpuTicks, first?.host.unattributed.writeBytesPerSec], [100, 100]);
  assert.deepEqual(ticks(sampler), [[10, 8]]);
});

test('rounds the host’s figures for the wire', () => {
  const odd = { idleTicks: 33.33333, load1: 0.12345 };
  const sampler = samplerOf(snapshot(0, {}), snapshot(3, { 10: { bornAt: 1, read: 100 } }, odd));
  sampler.sample();
  const host = sampler.sample()?.host;
  assert.deepEqual([host?.cpuPercent, host?.readBytesPerSec, host?.load1], [188.889, 33, 0.123]);
  assert.deepEqual(hostUsageSchema.parse(host), host);
});

test('goes on from the last snapshot when one could not be taken', () => {
  const sampler = samplerOf(snapshot(0, { 10: {} }), new Error('EIO'), snapshot(2, { 10: { own: 7 } }));
  sampler.sample();
  assert.throws(() => sampler.sample(), /EIO/);
  assert.deepEqual(ticks(sampler), [[10, 7]]);
});

type Moved = Record<number, Partial<NetworkBytes>>;

/** Tells these readings, one after the other; an error is thrown. */
function networkOf(...readings: (Moved | Error)[]): NetworkSource {
  return {
    name: 'bpf',
    limitation: undefined,
    close: () => undefined,
    read: () => {
      const next = readings.shift() ?? {};
      if (next instanceof Error) throw next;
      const pids = Object.keys(next).map(Number);
      return {
        processes: new Map(pids.map((pid) => [pid, { ...noBytes(), ...next[pid] }])),
        endpoints: pids.map((pid) => ({
          ...{ pid, localPort: 80, remotePort: 0, remoteAddress: '10.0.0.1' },
          ...{ inBytes: 1, outBytes: 1 },
        })),
      };
    },
  };
}

const eth0 = (inBytes: number) => ({
  interfaces: [{ name: 'eth0', inBytes, inPackets: 2, outBytes: 0, outPackets: 0 }],
  loopback: { name: 'lo', inBytes: 5 * inBytes, inPackets: 0, outBytes: 5 * inBytes, outPackets: 0 },
});

test('knows what each process moved since the snapshot before, and that host = Σ processes + unattributed', () => {
  const sampler = samplerWith(
    {
      network: networkOf(
        { 10: { inBytes: 9e9 } },
        { 10: { inBytes: 600, loopbackOutBytes: 70 }, 11: { inBytes: 300 } },
      ),
    },
    snapshot(0, { 10: {}, 11: {} }, eth0(0)),
    snapshot(2, { 10: {}, 11: {} }, eth0(1_000)),
  );
  sampler.sample();
  const sample = sampler.sample();
  assert.deepEqual(sample?.network?.usage.get(10), {
    ...{ inBytes: 600, outBytes: 0, loopbackInBytes: 0, loopbackOutBytes: 70 },
  });
  assert.equal(sample?.host.netInBytesPerSec, 500);
  assert.equal(sample?.host.unattributed.netInBytesPerSec, 50);
  assert.equal(sample?.network?.loopbackBytes, 5_000);
});

test('gives a process that moved something and ended a last row, without memory', () => {
  const sampler = samplerWith(
    { network: networkOf({}, { 10: { outBytes: 500 }, 99: { outBytes: 100 } }) },
    snapshot(0, { 10: { comm: 'curl' } }, eth0(0)),
    snapshot(1, {}, eth0(0)),
  );
  sampler.sample();
  const sample = sampler.sample();
  const last = sample?.processes.get(10);
  assert.deepEqual([last?.comm, last?.state, last?.rssPages], ['curl', 'X', 0]);
  assert.equal(sample?.network?.usage.get(10)?.outBytes, 500);
  assert.deepEqual(
    sample?.network?.endpoints.map(({ pid }) => pid),
    [10],
  );
  assert.equal(sample?.network?.usage.has(99), false, 'a process nobody ever saw is nobody');
  assert.equal(sample?.snapshot.processes.has(10), false);
});

test('a network that cannot be read is unattributed for that sample, and says why', () => {
  const sampler = samplerWith(
    { network: networkOf({}, new Error('EIO'), { 10: { inBytes: 100 } }) },
    snapshot(0, { 10: {} }, eth0(0)),
    snapshot(1, { 10: {} }, eth0(100)),
    snapshot(2, { 10: {} }, eth0(200)),
  );
  sampler.sample();
  const failed = sampler.sample();
  assert.deepEqual([failed?.network, failed?.host.unattributed.netInBytesPerSec], [undefined, 100]);
  assert.equal(sampler.networkProblem?.message, 'EIO');
  assert.equal(sampler.sample()?.network?.usage.get(10)?.inBytes, 100);
  assert.equal(sampler.networkProblem, undefined);
});

test('charges what a process moved that nobody saw to the nearest living one of those that started it', () => {
  const tasks = new FakeTaskExits();
  const sampler = samplerWith(
    {
      exits: new Exits(tasks),
      network: networkOf({}, { 99: { outBytes: 100 }, 98: { outBytes: 30 }, 97: { outBytes: 5 } }),
    },
    snapshot(0, { 10: { comm: 'sh' } }, eth0(0)),
    snapshot(1, { 10: { comm: 'sh' } }, eth0(0)),
  );
  sampler.sample();
  // sh started 98, which started 99; who started 97 is not known.
  tasks.tell(
    { tgid: 99, ppid: 98, comm: 'curl', startedAtMs: T0_MS + 100 },
    { tgid: 98, ppid: 10, comm: 'sh', startedAtMs: T0_MS + 50 },
    { tgid: 97, ppid: 96, comm: 'nc', startedAtMs: T0_MS + 50 },
  );
  const sample = sampler.sample();
  assert.deepEqual(
    [...(sample?.network?.usage ?? [])].map(([pid, { outBytes }]) => [pid, outBytes]),
    [[10, 130]],
  );
  assert.deepEqual(
    sample?.network?.endpoints.map(({ pid }) => pid),
    [10, 10],
  );
});

test('goes on from where another sampler stood', () => {
  const before = samplerOf(
    snapshot(0, { 10: {}, 11: { ppid: 10, own: 100 }, 12: {} }),
    snapshot(1, { 10: {}, 12: { own: 108 } }, { idleTicks: 100 }),
  );
  assert.deepEqual([ticks(before), ticks(before)], [[], [[12, 100]]]);
  const { baseline } = before;
  assert.ok(baseline !== undefined);
  const sampler = samplerOf(snapshot(2, { 10: { reaped: 103 }, 12: { own: 108 } }, { idleTicks: 200 }));
  sampler.resume(structuredClone(baseline));
  const sample = sampler.sample();
  assert.equal(sample?.durationMs, 1_000);
  assert.deepEqual(
    [...(sample?.usage ?? [])].map(([pid, { cpuTicks }]) => [pid, cpuTicks]),
    [
      [10, 3],
      [12, 8],
    ],
  );
});

test('has its scanner go on, too', (t) => {
  const resume = t.mock.fn();
  const previous = snapshot(0, { 10: {} });
  const sampler = new Sampler({ take: () => snapshot(1, {}), resume } as unknown as Scanner);
  sampler.resume({ previous, zombies: new Map(), carry: NO_CARRY, ledger: openLedger(previous) });
  assert.equal(resume.mock.calls[0]?.arguments[0], previous.processes);
});

test('goes on with zombies whose exact time has been charged', () => {
  const tasks = new FakeTaskExits();
  const zombie = { ppid: 10, state: 'Z', bornAt: 0.5, own: 0 };
  const before = samplerWith(
    { exits: new Exits(tasks) },
    snapshot(0, { 10: {} }),
    snapshot(1, { 10: {}, 11: zombie }, { idleTicks: 100 }),
  );
  before.sample();
  tasks.tell({ tgid: 11, ppid: 10, cpuTicks: 5, startedAtMs: T0_MS + 500, livedMs: 10 });
  assert.deepEqual(ticks(before), [[11, 5]]);
  const sampler = samplerWith(
    { exits: new Exits(new FakeTaskExits()) },
    snapshot(2, { 10: {}, 11: zombie }, { idleTicks: 200 }),
    snapshot(3, { 10: { reaped: 6 } }, { idleTicks: 300 }),
  );
  assert.ok(before.baseline !== undefined);
  sampler.resume(structuredClone(before.baseline));
  assert.deepEqual([ticks(sampler), ticks(sampler)], [[], [[10, 1]]]);
});

test('has nothing to go on from before its first sample', () => {
  assert.equal(samplerOf().baseline, undefined);
});
