import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Sampler } from '../../src/agent/sampler.ts';
import type { Scanner, Snapshot } from '../../src/agent/snapshot.ts';
import { hostUsageSchema } from '../../src/protocol/row.ts';
import { snapshot, T0_MS } from './snapshots.ts';

/** A sampler that is given these snapshots, one after the other; an error is thrown. */
function samplerOf(...taken: (Snapshot | Error)[]): Sampler {
  const take = (): Snapshot => {
    const next = taken.shift();
    if (next === undefined || next instanceof Error) throw next ?? new Error('no more snapshots');
    return next;
  };
  return new Sampler({ take } as unknown as Scanner);
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

test('remembers what was over the host’s truth, and what was dirty at first', () => {
  const memory = { totalBytes: 8_000, availableBytes: 6_000, unwrittenBytes: 500 };
  const vda = { device: '254:0', name: 'vda', readBytes: 0, writeBytes: 0, busyMs: 0, queueMs: 0 };
  const baseDisks = new Set(['vda']);
  const sampler = samplerOf(
    snapshot(0, { 10: {} }, { memory, disks: [vda], baseDisks }),
    snapshot(1, { 10: { own: 200 } }, { idleTicks: 100, disks: [{ ...vda, writeBytes: 600 }], baseDisks }),
    snapshot(2, { 10: { own: 200 } }, { idleTicks: 200 }),
  );
  sampler.sample();
  const first = sampler.sample();
  assert.deepEqual([first?.usage.get(10)?.cpuTicks, first?.host.unattributed.writeBytesPerSec], [100, 100]);
  assert.deepEqual(ticks(sampler), [[10, 100]]);
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
