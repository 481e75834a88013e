import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Outbox } from '../../../src/agent/history/outbox.ts';
import { interval, STEP, T0 } from '../../store/sample.ts';
import { scratchFolder } from '../../support/scratch.ts';

const BYTES = Buffer.byteLength(JSON.stringify(interval(1)));
const end = (step: number): number => T0 + step * STEP;

function folder(t: TestContext): string {
  return join(scratchFolder(t), 'data', 'outbox');
}

async function filled(dir: string, ...steps: number[]): Promise<Outbox> {
  const outbox = new Outbox(dir);
  for (const step of steps) await outbox.append(interval(step));
  return outbox;
}

test('puts an interval on the disk, for this user only, and gives it back', async (t) => {
  const dir = folder(t);
  const outbox = await filled(dir, 1);
  const file = join(dir, `${end(1)}.json`);
  assert.deepEqual(readdirSync(dir), [`${end(1)}.json`]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), interval(1));
  assert.deepEqual(await outbox.read(end(1)), interval(1));
  assert.deepEqual([outbox.waiting, outbox.dropped, outbox.problem], [1, 0, undefined]);
});

test('hands out the oldest first, in whatever order they came', async (t) => {
  const outbox = await filled(folder(t), 3, 1, 4, 2);
  assert.deepEqual(outbox.oldest(3), [end(1), end(2), end(3)]);
  assert.deepEqual(outbox.oldest(9).length, 4);
});

test('forgets what a server has stored, once and for all', async (t) => {
  const dir = folder(t);
  const outbox = await filled(dir, 1, 2);
  await outbox.forget(end(1));
  await outbox.forget(end(1));
  await outbox.forget(end(9));
  assert.deepEqual(outbox.oldest(9), [end(2)]);
  assert.equal(await outbox.read(end(1)), undefined);
  assert.deepEqual(readdirSync(dir), [`${end(2)}.json`]);
  assert.equal(outbox.dropped, 0);
});

test('finds after a restart what was left', async (t) => {
  const dir = folder(t);
  const before = await filled(dir, 2, 1);
  for (const endMs of [90_000, 120_000]) await before.append(interval(0, { startMs: 60_000, endMs }));
  const outbox = new Outbox(dir);
  assert.deepEqual(outbox.oldest(9), [90_000, 120_000, end(1), end(2)]);
  assert.deepEqual(await outbox.read(end(2)), interval(2));
});

test('clears away what a crash left half-written, and leaves other files alone', async (t) => {
  const dir = folder(t);
  await filled(dir, 1);
  writeFileSync(join(dir, `${end(2)}.json.partial`), '{"startMs":1');
  writeFileSync(join(dir, 'README'), 'x');
  const outbox = new Outbox(dir);
  assert.deepEqual(outbox.oldest(9), [end(1)]);
  assert.deepEqual(readdirSync(dir), [`${end(1)}.json`, 'README']);
});

test('drops a damaged file and counts it', async (t) => {
  const dir = folder(t);
  const outbox = await filled(dir, 1, 2, 3);
  writeFileSync(join(dir, `${end(1)}.json`), '{"startMs":1');
  writeFileSync(join(dir, `${end(2)}.json`), '{}');
  rmSync(join(dir, `${end(3)}.json`));
  for (const step of [1, 2, 3]) assert.equal(await outbox.read(end(step)), undefined);
  assert.deepEqual([outbox.waiting, outbox.dropped], [0, 3]);
  assert.deepEqual(readdirSync(dir), []);
});

test('drops the oldest beyond its limit and counts them', async (t) => {
  const dir = folder(t);
  const outbox = new Outbox(dir, { maxBytes: 2 * BYTES, maxUnwritten: 9 });
  for (const step of [1, 2, 3, 4]) await outbox.append(interval(step));
  assert.deepEqual(outbox.oldest(9), [end(3), end(4)]);
  assert.equal(outbox.dropped, 2);
  assert.deepEqual(readdirSync(dir), [`${end(3)}.json`, `${end(4)}.json`]);
  const restarted = new Outbox(dir, { maxBytes: 2 * BYTES, maxUnwritten: 9 });
  await restarted.append(interval(5));
  assert.deepEqual([restarted.oldest(9), restarted.dropped], [[end(4), end(5)], 1]);
});

test('drops an interval that is larger than the limit, and its file', async (t) => {
  const dir = folder(t);
  const outbox = new Outbox(dir, { maxBytes: BYTES - 1, maxUnwritten: 9 });
  await outbox.append(interval(1));
  assert.deepEqual([outbox.waiting, outbox.dropped], [0, 1]);
  assert.deepEqual(readdirSync(dir), []);
});

test('makes room again by what is forgotten', async (t) => {
  const outbox = new Outbox(folder(t), { maxBytes: 2 * BYTES, maxUnwritten: 9 });
  for (const step of [1, 2]) await outbox.append(interval(step));
  await outbox.forget(end(1));
  await outbox.append(interval(3));
  assert.deepEqual([outbox.oldest(9), outbox.dropped], [[end(2), end(3)], 0]);
});

test('takes several at once', async (t) => {
  const dir = folder(t);
  const outbox = new Outbox(dir, { maxBytes: 3 * BYTES, maxUnwritten: 9 });
  await Promise.all([5, 4, 3, 2, 1].map((step) => outbox.append(interval(step))));
  assert.equal(outbox.waiting + outbox.dropped, 5);
  assert.deepEqual(
    readdirSync(dir),
    outbox.oldest(9).map((endMs) => `${endMs}.json`),
  );
  assert.equal(outbox.problem, undefined);
});

test('leaves no file of an interval that was dropped while it was written', async (t) => {
  const dir = folder(t);
  const outbox = new Outbox(dir, { maxBytes: BYTES, maxUnwritten: 9 });
  const first = outbox.append(interval(1));
  // The writing begins within some microtasks, and ends in none of them.
  for (let turn = 0; turn < 10; turn += 1) await undefined;
  await Promise.all([first, outbox.append(interval(2))]);
  assert.deepEqual([outbox.oldest(9), outbox.dropped], [[end(2)], 1]);
  assert.deepEqual(readdirSync(dir), [`${end(2)}.json`]);
});

test('replaces an interval with the same end', async (t) => {
  const outbox = new Outbox(folder(t), { maxBytes: 2 * BYTES, maxUnwritten: 9 });
  for (const samples of [10, 20, 30, 40, 99]) await outbox.append(interval(1, { samples }));
  assert.equal(outbox.waiting, 1);
  assert.equal((await outbox.read(end(1)))?.samples, 99);
  await outbox.forget(end(1));
  assert.deepEqual([outbox.waiting, outbox.dropped], [0, 0]);
});

test('keeps intervals in memory while the folder takes nothing, and writes them when it does again', async (t) => {
  const dir = folder(t);
  const outbox = new Outbox(dir, { maxBytes: 1e9, maxUnwritten: 2 });
  rmSync(dir, { recursive: true });
  for (const step of [1, 2, 3]) await outbox.append(interval(step));
  assert.match(outbox.problem ?? '', /^intervals are kept in memory only: ENOENT/);
  assert.deepEqual([outbox.oldest(9), outbox.dropped], [[end(2), end(3)], 1]);
  assert.deepEqual(await outbox.read(end(3)), interval(3));
  mkdirSync(dir);
  await outbox.append(interval(4));
  assert.equal(outbox.problem, undefined);
  assert.deepEqual(
    readdirSync(dir),
    [2, 3, 4].map((step) => `${end(step)}.json`),
  );
  assert.deepEqual(await new Outbox(dir).read(end(2)), interval(2));
});

test('refuses a folder that cannot be made', (t) => {
  const dir = scratchFolder(t);
  writeFileSync(join(dir, 'file'), '');
  assert.throws(() => new Outbox(join(dir, 'file', 'outbox')), { code: 'ENOTDIR' });
});

/** Mounts a file system of 64 KB; false where this user may not. */
function mountSmallDisk(dir: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test('survives a full disk', async (t) => {
  const dir = scratchFolder(t);
  if (!mountSmallDisk(dir)) return t.skip('no right to mount a small file system');
  try {
    const outbox = new Outbox(dir);
    const filler = join(dir, 'filler');
    writeFileSync(filler, 'x'.repeat(61_440));
    for (const step of [1, 2, 3]) await outbox.append(interval(step));
    assert.match(outbox.problem ?? '', /ENOSPC/);
    assert.deepEqual(outbox.oldest(9), [1, 2, 3].map(end));
    assert.deepEqual(await outbox.read(end(3)), interval(3));
    assert.deepEqual(
      readdirSync(dir).filter((name) => name.endsWith('.partial')),
      [],
    );
    rmSync(filler);
    await outbox.append(interval(4));
    assert.equal(outbox.problem, undefined);
    assert.deepEqual([outbox.waiting, outbox.dropped], [4, 0]);
    assert.deepEqual(new Outbox(dir).oldest(9), [1, 2, 3, 4].map(end));
  } finally {
    execFileSync('umount', [dir]);
  }
});
