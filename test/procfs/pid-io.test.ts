import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type PidIo, parsePidIo } from '../../src/procfs/pid-io.ts';
import { ioLines } from '../support/fake-proc.ts';
import { kernelText } from './kernel-text.ts';

const TEXT =
  'rchar: 323934931\nwchar: 323929600\nsyscr: 632687\nsyscw: 632675\n' +
  'read_bytes: 4096\nwrite_bytes: 323932160\ncancelled_write_bytes: 8192\n';

function parse(content: string, leftovers?: string): PidIo | undefined {
  const io = { readBytes: -1, writeBytes: -1 };
  return parsePidIo(kernelText(content, leftovers), io) ? io : undefined;
}

test('parses bytes of the storage layer and subtracts cancelled writes', () => {
  assert.deepEqual(parse(TEXT), { readBytes: 4_096, writeBytes: 323_932_160 - 8_192 });
});

test('goes below zero when more was cancelled than this process had written', () => {
  assert.equal(parse(ioLines(0, 4_096, 12_288))?.writeBytes, -8_192);
});

test('keeps counters above 2^32 exact', () => {
  assert.equal(parse(ioLines(9_007_199_254_740_991, 0))?.readBytes, 9_007_199_254_740_991);
});

test('takes no whole text for one when it was cut anywhere', () => {
  for (let length = 0; length < TEXT.length; length += 1)
    assert.equal(parse(TEXT.slice(0, length), TEXT.slice(length)), undefined);
});

test('parses the running kernel’s text', () => {
  assert.ok((parse(readFileSync('/proc/self/io', 'utf8'))?.readBytes ?? -1) >= 0);
});
