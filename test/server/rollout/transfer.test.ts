import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { ServerToAgent } from '../../../src/protocol/message.ts';
import { MAX_CHUNK_BYTES, type Manifest, type Upgraded } from '../../../src/protocol/release.ts';
import { BulkLane } from '../../../src/server/bulk-lane.ts';
import { type Ending, Transfer } from '../../../src/server/rollout/transfer.ts';
import { Semaphore } from '../../../src/server/semaphore.ts';
import { FakeReleases } from '../../support/fake-releases.ts';

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** A transfer to an agent that a test speaks for. */
function transfer(t: TestContext, { places = new Semaphore(1), lane = new BulkLane(), architecture = 'x64' } = {}) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const releases = new FakeReleases('1.3', {
    runtime: Buffer.alloc(3 * MAX_CHUNK_BYTES, 'node'),
    architectures: ['x64'],
  });
  const sent: ServerToAgent[] = [];
  const phases: string[] = [];
  const endings: Ending[] = [];
  const faults: string[] = [];
  const connection = {
    unreadBytes: 0,
    send: (message: ServerToAgent) => void sent.push(message),
    misbehave: (reason: string) => void faults.push(reason),
  };
  const made = new Transfer({
    connection: connection as never,
    wanted: { hash: releases.own.hash, serial: 7, version: '1.3', architecture, hasOwnNode: false },
    ...{ trialMs: 60_000, source: releases, places, lane },
    onPhase: (phase) => phases.push(phase),
    onEnd: (ending) => endings.push(ending),
  });
  t.after(() => made.close());
  const told = (state: Upgraded['state'], reason?: string): void =>
    made.upgraded({ type: 'upgraded', serial: 7, state, ...(reason !== undefined && { reason }) });
  const want = async (sha256: string, offset: number): Promise<void> => {
    made.want({ type: 'want', sha256, offset });
    await settled();
  };
  const manifest = (): Manifest => {
    const offer = sent.find(({ type }) => type === 'upgrade');
    if (offer?.type !== 'upgrade') throw new Error('nothing was offered');
    return JSON.parse(offer.manifest);
  };
  return { transfer: made, connection, releases, sent, phases, endings, faults, told, want, manifest };
}

const RUNTIME_BYTES = 3 * MAX_CHUNK_BYTES;
const UNKNOWN = 'f'.repeat(64);

describe('transfer of a release', { timeout: 30_000 }, () => {
  it('offers it, answers what is asked for, and tells each step', async (t) => {
    const { sent, want, manifest, releases, phases, told, endings } = transfer(t);
    await settled();
    assert.deepEqual([sent.length, phases], [1, ['receiving']]);
    const { runtime, serial } = manifest();
    assert.deepEqual([serial, runtime?.bytes], [7, RUNTIME_BYTES]);
    const received: Buffer[] = [];
    for (let offset = 0; offset < RUNTIME_BYTES; offset += MAX_CHUNK_BYTES) {
      await want(runtime?.sha256 ?? '', offset);
      const chunk = sent.at(-1);
      if (chunk?.type !== 'chunk' || chunk.offset !== offset) assert.fail();
      received.push(Buffer.from(chunk.data ?? '', 'base64'));
    }
    assert.ok(Buffer.concat(received).equals(releases.runtime));
    for (const state of ['receiving', 'testing', 'testing', 'starting'] as const) told(state);
    assert.deepEqual([phases, endings], [['receiving', 'testing', 'trial'], []]);
  });

  it('holds a place from its offer to the end of what it sends', async (t) => {
    const places = new Semaphore(1);
    const first = transfer(t, { places });
    t.mock.timers.reset();
    const second = transfer(t, { places });
    await settled();
    assert.deepEqual([first.sent.length, second.sent.length, second.phases], [1, 0, []]);
    first.told('testing');
    await settled();
    assert.equal(second.sent.length, 1);
    t.mock.timers.reset();
    const third = transfer(t, { places });
    second.transfer.close();
    await settled();
    assert.equal(third.sent.length, 1);
  });

  it('takes no place that it need not have any more', async (t) => {
    const places = new Semaphore(1);
    const leave = await places.acquire(new AbortController().signal);
    const { transfer: waiting, sent } = transfer(t, { places });
    waiting.cancel('it is halted');
    leave();
    await settled();
    assert.equal(sent.length, 0);
    await places.acquire(AbortSignal.timeout(1_000));
  });

  it('says that it has not what was not offered, and ends with an agent that keeps asking', async (t) => {
    const { sent, want, manifest, faults } = transfer(t);
    await settled();
    const { runtime } = manifest();
    await want(UNKNOWN, 0);
    await want(runtime?.sha256 ?? '', RUNTIME_BYTES);
    assert.deepEqual(sent.slice(1), [
      { type: 'chunk', sha256: UNKNOWN, offset: 0 },
      { type: 'chunk', sha256: runtime?.sha256, offset: RUNTIME_BYTES },
    ]);
    for (let more = 0; more < 18; more += 1) await want(UNKNOWN, 0);
    assert.deepEqual(faults, []);
    await want(UNKNOWN, 0);
    assert.deepEqual(faults, ['want of what was not offered']);
  });

  it('ends with an agent that asks before it is answered', async (t) => {
    const { transfer: made, manifest, faults, sent } = transfer(t);
    await settled();
    const { runtime } = manifest();
    for (let times = 0; times < 3; times += 1)
      made.want({ type: 'want', sha256: runtime?.sha256 ?? '', offset: times * MAX_CHUNK_BYTES });
    await settled();
    assert.deepEqual(faults, Array(2).fill('want before the answer to the last one'));
    assert.equal(sent.length, 2);
  });

  it('ends with an agent whose words are in no order', async (t) => {
    const { told, faults, phases } = transfer(t);
    await settled();
    told('starting');
    told('testing');
    told('confirmed');
    assert.deepEqual(faults, ['upgraded testing after starting', 'upgraded confirmed after starting']);
    assert.deepEqual(phases, ['receiving', 'trial']);
  });

  it('sends nothing more while the agent has not read what it was sent', async (t) => {
    const { connection, want, manifest, sent } = transfer(t);
    await settled();
    connection.unreadBytes = 1_000_000;
    await want(manifest().runtime?.sha256 ?? '', 0);
    t.mock.timers.tick(50);
    await settled();
    assert.equal(sent.length, 1);
    connection.unreadBytes = 1_000;
    t.mock.timers.tick(50);
    await settled();
    assert.equal(sent.length, 2);
  });

  it('sends a chunk when bulk has its turn, unless it has been called off by then', async (t) => {
    const lane = new BulkLane();
    const turns: (() => void)[] = [];
    t.mock.method(lane, 'add', (work: () => void) => turns.push(work));
    const { transfer: made, want, manifest, sent, phases } = transfer(t, { lane });
    await settled();
    const { runtime } = manifest();
    await want(runtime?.sha256 ?? '', 0);
    assert.equal(sent.length, 1);
    turns.shift()?.();
    assert.equal(sent.at(-1)?.type, 'chunk');
    await want(runtime?.sha256 ?? '', MAX_CHUNK_BYTES);
    made.cancel('it is halted');
    turns.shift()?.();
    assert.deepEqual([sent.length, sent.at(-1)?.type, phases], [3, 'revert', ['receiving']]);
  });

  it('fails an agent that says nothing for a minute, however far it is', async (t) => {
    const { endings, sent, told, want, manifest } = transfer(t);
    await settled();
    t.mock.timers.tick(59_000);
    await want(manifest().runtime?.sha256 ?? '', 0);
    t.mock.timers.tick(59_000);
    told('testing');
    t.mock.timers.tick(59_000);
    assert.deepEqual(endings, []);
    t.mock.timers.tick(1_000);
    const reason = 'its agent has said nothing about the release for 60 s';
    assert.deepEqual(endings, [{ why: 'failed', reason }]);
    assert.deepEqual(sent.at(-1), { type: 'revert', serial: 7, reason });
  });

  it('fails with the reason that the agent gives', async (t) => {
    const { endings, told } = transfer(t);
    await settled();
    told('failed', 'the signature is wrong');
    told('failed', 'once more');
    assert.deepEqual(endings, [{ why: 'failed', reason: 'the signature is wrong' }]);
  });

  it('is over without a word when the connection is gone, and with one when it is called off', async (t) => {
    const { transfer: made, sent, endings, told, want } = transfer(t);
    await settled();
    made.cancel('release 1.3 is halted');
    assert.deepEqual(sent.at(-1), { type: 'revert', serial: 7, reason: 'release 1.3 is halted' });
    told('failed', 'it was called off');
    await want(UNKNOWN, 0);
    t.mock.timers.tick(120_000);
    assert.deepEqual([sent.length, endings], [2, []]);
  });

  it('does not begin for a kind of machine that there is no release for', async (t) => {
    const { endings, sent } = transfer(t, { architecture: 'riscv64' });
    await settled();
    assert.deepEqual(
      [sent, endings],
      [[], [{ why: 'unavailable', reason: 'there is no such release for riscv64 here' }]],
    );
  });

  it('is no fault of the agent when the server cannot read its own files', async (t) => {
    const { endings, sent, want, manifest, releases } = transfer(t);
    await settled();
    releases.read = () => Promise.reject(new Error('EIO'));
    await want(manifest().runtime?.sha256 ?? '', 0);
    assert.deepEqual(endings, [{ why: 'unavailable', reason: 'EIO' }]);
    assert.equal(sent.at(-1)?.type, 'revert');
  });
});
