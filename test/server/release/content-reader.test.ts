import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { MAX_CHUNK_BYTES } from '../../../src/protocol/release.ts';
import { type Content, ContentReader } from '../../../src/server/release/content-reader.ts';
import { scratchFolder } from '../../support/scratch.ts';

const SMALL_BYTES = 6 << 20;

describe('a content reader', () => {
  function fileOf(t: TestContext, text: string, bytes: number): Content & { sha256: string } {
    const content = Buffer.alloc(bytes, text);
    const file = join(scratchFolder(t), 'file');
    writeFileSync(file, content);
    return { file, bytes, sha256: createHash('sha256').update(content).digest('hex') };
  }

  function opened(t: TestContext): ContentReader {
    const reader = new ContentReader();
    t.after(() => reader.close());
    return reader;
  }

  it('keeps small files in memory, and forgets those that were not read for the longest time', async (t) => {
    const reader = opened(t);
    const files = ['a', 'b', 'c', 'd', 'e'].map((text) => fileOf(t, text, SMALL_BYTES));
    const [first, ...others] = files as [Content & { sha256: string }, ...(Content & { sha256: string })[]];
    await reader.read(first.sha256, first, 0);
    for (const file of files) rmSync(file.file, { force: true });
    assert.equal((await reader.read(first.sha256, first, SMALL_BYTES - 1))?.toString(), 'a');
    // What cannot be read is not remembered.
    for (const file of others) await assert.rejects(reader.read(file.sha256, file, 0), { code: 'ENOENT' });
    assert.equal((await reader.read(first.sha256, first, 0))?.length, MAX_CHUNK_BYTES);

    for (const text of ['f', 'g', 'h', 'i', 'j']) {
      const file = fileOf(t, text, SMALL_BYTES);
      await reader.read(file.sha256, file, 0);
    }
    await assert.rejects(reader.read(first.sha256, first, 0), { code: 'ENOENT' });
  });

  it('holds a large file open, whose name may be taken away', async (t) => {
    const reader = opened(t);
    const large = fileOf(t, 'large', 20 << 20);
    assert.equal((await reader.read(large.sha256, large, 0))?.length, MAX_CHUNK_BYTES);
    rmSync(large.file);
    const pieces = await Promise.all(Array.from({ length: 50 }, (_, index) => reader.read(large.sha256, large, index)));
    assert.deepEqual(
      pieces.map((piece) => piece?.toString('utf8', 0, 1)),
      Array.from({ length: 50 }, (_, index) => 'large'[index % 5]),
    );
    assert.equal((await reader.read(large.sha256, large, large.bytes - 1))?.length, 1);
    assert.equal(await reader.read(large.sha256, large, large.bytes), undefined);
  });

  it('gives nothing of a large file that has become shorter', async (t) => {
    const reader = opened(t);
    const large = fileOf(t, 'large', 20 << 20);
    assert.equal(await reader.read(large.sha256, { ...large, bytes: 30 << 20 }, 25 << 20), undefined);
  });

  it('reads a large file again after it could not', async (t) => {
    const reader = opened(t);
    const large = fileOf(t, 'large', 20 << 20);
    const missing = { ...large, file: `${large.file}-not-there` };
    await assert.rejects(reader.read(large.sha256, missing, 0), { code: 'ENOENT' });
    assert.equal((await reader.read(large.sha256, large, 0))?.length, MAX_CHUNK_BYTES);
  });
});
