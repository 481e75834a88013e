import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { DetailReader } from '../../src/agent/details.ts';
import { PssReader } from '../../src/agent/pss.ts';
import type { Sample } from '../../src/agent/sampler.ts';
import { type Details, detailsSchema } from '../../src/protocol/row.ts';
import { FakeProc } from '../support/fake-proc.ts';
import { scratchFolder } from '../support/scratch.ts';
import { type SampleFields, sample } from './samples.ts';
import { snapshot } from './snapshots.ts';

function setUp(t: TestContext) {
  const proc = new FakeProc(scratchFolder(t));
  const details = new DetailReader(proc.procRoot, new PssReader(proc.procRoot));
  const at = (
    second: number,
    fields: SampleFields = {},
    endedChildren: Sample['endedChildren'] = new Map(),
  ): Details => {
    const taken = { ...sample(snapshot(second, { 7: {} }), {}, fields), endedChildren };
    const process = taken.processes.get(7);
    assert.ok(process !== undefined);
    const found = details.of(process, taken);
    assert.deepEqual(detailsSchema.parse(found), found);
    return found;
  };
  const waited = (tid: number, ns: number): void => proc.write(`7/task/${tid}/schedstat`, `99 ${ns} 3\n`);
  return { proc, at, waited };
}

test('counts open files and reads the share of shared memory', (t) => {
  const { proc, at } = setUp(t);
  proc.open(7, ['/dev/null', 'socket:[31337]', '/var/lib/mysql/ibdata1']);
  proc.write('7/smaps_rollup', 'Rss: 900 kB\nPss: 300 kB\n');
  assert.deepEqual(at(0), { openFiles: 3, pssBytes: 307_200 });
});

test('knows nothing of a process that may not be looked into', (t) => {
  assert.deepEqual(setUp(t).at(0), {});
});

test('tells how long threads waited for a CPU since the last look, all of them together', (t) => {
  const { at, waited } = setUp(t);
  waited(7, 1e9);
  waited(8, 5e9);
  assert.equal(at(0).cpuWaitPercent, undefined, 'there is no look before the first');
  waited(7, 1.5e9);
  waited(8, 5.1e9);
  assert.equal(at(2).cpuWaitPercent, 30);
  assert.equal(at(2).cpuWaitPercent, 30, 'asked again about the same sample');
  waited(8, 0);
  assert.equal(at(3).cpuWaitPercent, 0, 'a thread that ended takes its waiting with it');
});

test('begins anew with a process that nobody looked at for a minute', (t) => {
  const { at, waited } = setUp(t);
  waited(7, 0);
  at(0);
  waited(7, 1e9);
  assert.equal(at(61).cpuWaitPercent, undefined);
});

test('tells what was moved within the machine, to whom, and what ended below it', (t) => {
  const { at } = setUp(t);
  const endpoint = { localPort: 0, remotePort: 22, remoteAddress: '10.0.0.9', inBytes: 0, outBytes: 40 };
  const network = { 7: { loopbackInBytes: 500, loopbackOutBytes: 20 } };
  const endpoints = [
    { pid: 8, ...endpoint },
    { pid: 7, ...endpoint },
  ];
  const endedChildren = new Map([[7, [{ comm: 'cc1', count: 12, cpuTicks: 50 }]]]);
  const found = at(1, { durationMs: 2_000, network, endpoints }, endedChildren);
  assert.deepEqual(found.endedChildren, [{ comm: 'cc1', count: 12, cpuPercent: 25 }]);
  assert.deepEqual([found.loopbackInBytesPerSec, found.loopbackOutBytesPerSec], [250, 10]);
  assert.deepEqual(found.endpoints, [
    { remotePort: 22, remoteAddress: '10.0.0.9', inBytesPerSec: 0, outBytesPerSec: 20 },
  ]);
});
