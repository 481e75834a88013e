import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MAX_CHUNK_BYTES } from '../../../src/protocol/release.ts';
import { Host, type Made, NODE, seen, sha256, upgradeTo } from './host.ts';

const GUARD = { timeout: 20_000 };
const CONTENT = Buffer.alloc(2.5 * MAX_CHUNK_BYTES, 'code ');
const HASH = sha256(CONTENT);

/** A host that lacks three chunks of one file, and that a test answers by hand. */
function setUp(t: TestContext) {
  const host = new Host(t);
  host.isSilent = true;
  const made = host.mint.make('2.0', 6, { 'agent.mjs': CONTENT, 'node-options': '--no-opt\n' }, NODE);
  host.source.add(made);
  host.upgrader.upgrade(upgradeTo(made));
  const part = join(host.installation.incoming, HASH);
  const answer = (offset: number, data: Buffer | undefined, hash = HASH): void =>
    host.upgrader.onChunk({ type: 'chunk', sha256: hash, offset, ...(data && { data: data.toString('base64') }) });
  return { host, made, part, answer };
}

const chunkAt = (index: number): Buffer => CONTENT.subarray(index * MAX_CHUNK_BYTES, (index + 1) * MAX_CHUNK_BYTES);
const offsetOf = (index: number): number => index * MAX_CHUNK_BYTES;
/** Still what it was, with nothing of the new release in its place. */
function assertUntouched(host: Host): void {
  const { current, releases, trial } = seen(host.installation);
  const { hash } = host.first.manifest;
  assert.deepEqual([current, releases, trial, host.done], [hash, [hash], undefined, []]);
}

test('asks for one chunk at a time, and for the next when the one before is on the disk', GUARD, async (t) => {
  const { host, part, answer } = setUp(t);
  for (const index of [0, 1, 2]) {
    assert.deepEqual(await host.nextSent('want'), { type: 'want', sha256: HASH, offset: offsetOf(index) });
    assert.deepEqual(
      host.sent.filter(({ type }) => type === 'want'),
      [],
    );
    assert.equal(statSync(part).size, offsetOf(index));
    assert.equal(statSync(part).mode & 0o777, 0o600);
    answer(offsetOf(index), chunkAt(index));
  }
  await host.end();
  assert.deepEqual(readFileSync(join(host.installation.current, 'agent.mjs')), CONTENT);
  assert.equal(existsSync(host.installation.incoming), false);
});

test('takes no chunk that it has not asked for', GUARD, async (t) => {
  const { host, part, answer } = setUp(t);
  await host.nextSent('want');
  answer(offsetOf(1), chunkAt(1));
  answer(0, Buffer.from('other'), sha256('other'));
  answer(0, chunkAt(0));
  answer(0, chunkAt(0));
  assert.equal((await host.nextSent('want')).offset, offsetOf(1));
  assert.deepEqual(readFileSync(part), chunkAt(0));
});

test('goes on from a chunk that is shorter than it might be', GUARD, async (t) => {
  const { host, answer } = setUp(t);
  await host.nextSent('want');
  answer(0, CONTENT.subarray(0, 7));
  assert.equal((await host.nextSent('want')).offset, 7);
});

for (const { title, data, reason } of [
  { title: 'nothing', data: Buffer.alloc(0), reason: 'the server sends 0 bytes of agent.mjs, of which 81920 are left' },
  {
    title: 'more than there is',
    data: Buffer.alloc(CONTENT.length + 1),
    reason: 'the server sends 81921 bytes of agent.mjs, of which 81920 are left',
  },
  {
    title: 'other contents',
    data: Buffer.alloc(CONTENT.length),
    reason: 'agent.mjs arrives with other contents than the manifest says',
  },
  { title: 'that it has no such file', data: undefined, reason: 'the server does not have agent.mjs' },
]) {
  test(`gives up when the server answers ${title}`, GUARD, async (t) => {
    const { host, answer, part } = setUp(t);
    await host.nextSent('want');
    answer(0, data);
    assert.equal(await host.end(), `failed: ${reason}`);
    assertUntouched(host);
    assert.equal(statSync(part, { throwIfNoEntry: false })?.size ?? 0, 0);
  });
}

test('goes on over a lost connection where it was', GUARD, async (t) => {
  const { host, made, answer } = setUp(t);
  await host.nextSent('want');
  answer(0, chunkAt(0));
  await host.nextSent('want');
  host.upgrader.disconnected();
  host.isSilent = false;
  host.upgrader.upgrade(upgradeTo(made));
  await host.end();
  assert.deepEqual(host.source.asked, [
    ['agent.mjs', offsetOf(1)],
    ['agent.mjs', offsetOf(2)],
  ]);
  assert.deepEqual(host.told, ['receiving', 'receiving', 'testing', 'starting']);
});

test('goes on after a restart where it was', GUARD, async (t) => {
  const { host, made, answer } = setUp(t);
  await host.nextSent('want');
  answer(0, chunkAt(0));
  await host.nextSent('want');
  host.start(host.first);
  host.isSilent = false;
  await host.push(upgradeTo(made));
  assert.deepEqual(
    host.source.asked.map(([, offset]) => offset),
    [offsetOf(1), offsetOf(2)],
  );
});

test('gives up after a minute without an answer, and keeps what it has', GUARD, async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { host, made, answer } = setUp(t);
  await host.nextSent('want');
  t.mock.timers.tick(59_999);
  answer(0, chunkAt(0));
  await host.nextSent('want');
  t.mock.timers.tick(59_999);
  assert.deepEqual(host.told, ['receiving']);
  t.mock.timers.tick(1);
  assert.equal(await host.end(), 'failed: the server sends nothing of agent.mjs for 60 s');
  assertUntouched(host);
  host.told.length = 0;
  host.upgrader.upgrade(upgradeTo(made));
  assert.equal((await host.nextSent('want')).offset, offsetOf(1));
});

test('waits for a connection for as long as it takes', GUARD, async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { host, answer, made } = setUp(t);
  await host.nextSent('want');
  host.upgrader.disconnected();
  // What came before the loss was seen is used, and nothing is asked of nobody.
  answer(0, chunkAt(0));
  while (statSync(join(host.installation.incoming, HASH)).size === 0) await new Promise(setImmediate);
  t.mock.timers.tick(3_600_000);
  assert.deepEqual([host.told, host.sent.filter(({ type }) => type === 'want')], [['receiving'], []]);
  host.upgrader.upgrade(upgradeTo(made));
  assert.equal((await host.nextSent('want')).offset, offsetOf(1));
  answer(offsetOf(1), chunkAt(1));
  assert.equal((await host.nextSent('want')).offset, offsetOf(2));
});

test('gives one up for another one', GUARD, async (t) => {
  const { host } = setUp(t);
  await host.nextSent('want');
  host.isSilent = false;
  const third = host.next('3.0', 7);
  host.upgrader.upgrade(upgradeTo(host.next('2.9', 7)));
  host.upgrader.upgrade(upgradeTo(third));
  while (!host.done.includes('restart')) await new Promise(setImmediate);
  assert.deepEqual(host.told, [
    'receiving',
    'failed: another release takes its place',
    'receiving',
    'testing',
    'starting',
  ]);
  assert.equal(seen(host.installation).current, third.manifest.hash);
});

test('gives one up when it is told to', GUARD, async (t) => {
  const { host, made } = setUp(t);
  await host.nextSent('want');
  await host.upgrader.revert(5, 'of another act');
  await host.upgrader.revert(6, 'the rollout is halted');
  assert.equal(await host.end(), 'failed: the rollout is halted');
  assertUntouched(host);
  host.told.length = 0;
  host.upgrader.upgrade(upgradeTo(made));
  await host.upgrader.revert(6, 'no, not again');
  assert.equal(await host.end(), 'failed: no, not again');
});

for (const { title, left } of [
  { title: 'damaged', left: Buffer.alloc(MAX_CHUNK_BYTES) },
  { title: 'longer than it may be', left: Buffer.alloc(CONTENT.length + 1) },
  { title: 'whole, and damaged', left: Buffer.alloc(CONTENT.length) },
]) {
  test(`begins anew when what an earlier attempt left is ${title}`, GUARD, async (t) => {
    const host = new Host(t);
    const made: Made = host.mint.make('2.0', 6, { 'agent.mjs': CONTENT, 'node-options': '--no-opt\n' }, NODE);
    host.source.add(made);
    mkdirSync(host.installation.incoming);
    writeFileSync(join(host.installation.incoming, HASH), left);
    await host.push(upgradeTo(made));
    assert.deepEqual(readFileSync(join(host.installation.current, 'agent.mjs')), CONTENT);
    assert.deepEqual(
      host.source.asked.slice(-3).map(([, offset]) => offset),
      [0, 1, 2].map(offsetOf),
    );
  });
}

test('takes what an earlier attempt left whole', GUARD, async (t) => {
  const host = new Host(t);
  const made: Made = host.mint.make('2.0', 6, { 'agent.mjs': CONTENT, 'node-options': '--no-opt\n' }, NODE);
  mkdirSync(host.installation.incoming);
  writeFileSync(join(host.installation.incoming, HASH), CONTENT);
  await host.push(upgradeTo(made));
  assert.deepEqual([host.source.asked, host.told.at(-1)], [[], 'starting']);
});
