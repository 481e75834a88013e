import assert from 'node:assert/strict';
import { chmodSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openLedger } from '../../src/agent/accounting.ts';
import { NO_CARRY } from '../../src/agent/attribution/attribute.ts';
import { type Handover, HandoverFile, serversFrom } from '../../src/agent/handover.ts';
import { FakeProc } from '../support/fake-proc.ts';
import { asNobody } from '../support/nobody.ts';
import { scratchFolder } from '../support/scratch.ts';
import { Clock } from './clock.ts';
import { snapshot, T0_MS } from './snapshots.ts';

function setUp(t: TestContext) {
  const dir = scratchFolder(t);
  const { procRoot } = new FakeProc(dir);
  return { dir, clock: new Clock(t, T0_MS), file: new HandoverFile(join(dir, 'handover'), procRoot) };
}

function handover(): Handover {
  const previous = snapshot(1, { 10: { own: 5 } });
  return {
    server: 'wss://10.0.0.1:9300',
    baseline: { previous, zombies: new Map(), carry: NO_CARRY, ledger: openLedger(previous) },
    recorder: { seam: { endMs: 1, sampledAtMs: 2 }, ends: { boundaryMs: 0, setBacks: 3, endMs: 1 } },
  };
}

test('is taken once, as it was written', (t) => {
  const { dir, file } = setUp(t);
  assert.equal(file.take(), undefined);
  file.write(handover());
  assert.deepEqual(
    readdirSync(dir).filter((name) => name.startsWith('handover')),
    ['handover'],
  );
  assert.equal(statSync(join(dir, 'handover')).mode & 0o777, 0o600);
  assert.deepEqual(file.take(), structuredClone(handover()));
  assert.equal(file.take(), undefined);
});

test('tells monotonic times by the clock of the process that takes it', (t) => {
  const { clock, file } = setUp(t);
  file.write(handover());
  clock.advance(1_500);
  // Another process: what all share goes on, its own clock has just begun.
  const beganMs = clock.monotonicMs - 20;
  t.mock.method(performance, 'now', () => clock.monotonicMs - beganMs);
  const taken = file.take();
  assert.ok(taken !== undefined && !(taken instanceof Error));
  const { previous } = taken.baseline;
  assert.equal(previous.monotonicMs, 6_000 - beganMs);
  assert.equal(previous.host.monotonicMs, 6_000 - beganMs);
  assert.equal(previous.wallMs, T0_MS + 1_000);
});

test('is of use for a minute', (t) => {
  const { clock, file } = setUp(t);
  file.write(handover());
  clock.advance(60_000);
  assert.ok(!(file.take() instanceof Error));
  file.write(handover());
  clock.advance(60_001);
  assert.match(String(file.take()), /it is 60 s old$/);
});

test('says so when it may not be read', (t) => {
  const { dir, file } = setUp(t);
  file.write(handover());
  chmodSync(join(dir, 'handover'), 0o000);
  asNobody(() => assert.match(String(file.take()), /^Error: begins afresh.*EACCES/));
});

test('begins with the server of the agent before, and keeps the order of the others', () => {
  const servers = ['a', 'b', 'c'];
  assert.deepEqual(serversFrom({ ...handover(), server: 'b' }, servers), ['b', 'c', 'a']);
  assert.deepEqual(serversFrom({ ...handover(), server: 'x' }, servers), servers);
  assert.deepEqual(serversFrom(undefined, servers), servers);
  assert.deepEqual(serversFrom(new Error('damaged'), servers), servers);
});
