import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { PssReader } from '../../src/agent/pss.ts';
import { FakeProc } from '../support/fake-proc.ts';
import { scratchFolder } from '../support/scratch.ts';
import { type ProcessFields, snapshot } from './snapshots.ts';

const PAGES = 10_000;

function setUp(t: TestContext, processes: Record<number, ProcessFields>) {
  const proc = new FakeProc(scratchFolder(t));
  const state = { cpuMs: 0 };
  const reader = new PssReader(proc.procRoot, () => state.cpuMs);
  const all = snapshot(0, processes).processes;
  const of = (pid: number) => {
    const process = all.get(pid);
    assert.ok(process !== undefined);
    return process;
  };
  const write = (pid: number, kilobytes: number): void => proc.write(`${pid}/smaps_rollup`, `Pss: ${kilobytes} kB\n`);
  return { reader, all, of, write, state };
}

test('reads that of a process somebody looks at, and not again at once', (t) => {
  const { reader, of, write } = setUp(t, { 7: {} });
  write(7, 100);
  assert.equal(reader.of(of(7)), undefined);
  assert.equal(reader.read(of(7), 0), 102_400);
  write(7, 200);
  assert.equal(reader.read(of(7), 9_999), 102_400);
  assert.equal(reader.read(of(7), 10_000), 204_800);
  assert.equal(reader.of(of(7)), 204_800);
});

test('takes turns: the largest first, then the others, then whose reading is the oldest', (t) => {
  const { reader, all, of, write } = setUp(t, {
    7: { rssPages: PAGES },
    8: { rssPages: 2 * PAGES },
    9: { rssPages: 100 },
  });
  for (const pid of [7, 8, 9]) write(pid, 1);
  const known = (): (number | undefined)[] => [7, 8, 9].map((pid) => reader.of(of(pid)));
  reader.takeTurn(all, 0);
  assert.deepEqual(known(), [undefined, 1_024, undefined]);
  reader.takeTurn(all, 1);
  assert.deepEqual(known(), [1_024, 1_024, undefined]);
  for (const pid of [7, 8, 9]) write(pid, 2);
  reader.takeTurn(all, 20_000);
  assert.deepEqual(known(), [1_024, 2_048, undefined], 'a small process is never read');
});

test('takes the next turn only when the last has cost no more than a thousandth of the time', (t) => {
  const { reader, all, of, write, state } = setUp(t, { 7: { rssPages: PAGES }, 8: { rssPages: 2 * PAGES } });
  write(7, 1);
  write(8, 1);
  const costly = new Proxy(all, {
    get: (target, key) => {
      if (key === 'values') state.cpuMs += 5;
      const value = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  reader.takeTurn(costly, 0);
  reader.takeTurn(costly, 4_999);
  assert.equal(reader.of(of(7)), undefined);
  reader.takeTurn(costly, 5_000);
  assert.equal(reader.of(of(7)), 1_024);
});

test('a pid in use again is another process', (t) => {
  const { reader, of, write } = setUp(t, { 7: {} });
  write(7, 100);
  reader.read(of(7), 0);
  assert.equal(reader.of({ ...of(7), startTicks: 99_999 }), undefined);
  write(7, 50);
  assert.equal(reader.read({ ...of(7), startTicks: 99_999 }, 1), 51_200);
});

test('knows nothing of a process that may not be looked into', (t) => {
  const { reader, all, of } = setUp(t, { 7: { rssPages: PAGES } });
  assert.equal(reader.read(of(7), 0), undefined);
  reader.takeTurn(all, 1);
  assert.equal(reader.of(of(7)), undefined);
});
