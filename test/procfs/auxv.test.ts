import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { test } from 'node:test';
import { parsePageSize, readPageSize } from '../../src/procfs/auxv.ts';

/** An auxiliary vector: pairs of type and value, ended by type 0. */
function auxv(pairs: readonly [type: bigint, value: bigint][]): Buffer {
  const buffer = Buffer.alloc(pairs.length * 16);
  for (const [index, pair] of pairs.entries())
    for (const [half, number] of pair.entries()) {
      if (endianness() === 'LE') buffer.writeBigUInt64LE(number, index * 16 + half * 8);
      else buffer.writeBigUInt64BE(number, index * 16 + half * 8);
    }
  return buffer;
}

test('finds the page size among other entries', () => {
  assert.equal(
    parsePageSize(
      auxv([
        [33n, 6n],
        [16n, 4_096n],
        [6n, 65_536n],
        [0n, 0n],
      ]),
    ),
    65_536,
  );
});

test('takes 4 KiB where it is not said, or cut off', () => {
  assert.equal(parsePageSize(Buffer.alloc(0)), 4_096);
  assert.equal(parsePageSize(auxv([[6n, 65_536n]]).subarray(0, 15)), 4_096);
});

test('finds the running kernel’s page size', () => {
  assert.equal(parsePageSize(readFileSync('/proc/self/auxv')), Number(execFileSync('getconf', ['PAGESIZE'])));
});

test('reads this machine’s, and takes the usual one where there is none to read', () => {
  assert.equal(readPageSize('/proc'), Number(execFileSync('getconf', ['PAGESIZE'])));
  assert.equal(readPageSize('/nowhere'), 4_096);
});
