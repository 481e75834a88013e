import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { memberOffsets } from '../../src/kernel/btf.ts';

/** A description of types: heads and members as words, and their names. */
function types(words: readonly number[], names: readonly string[]): { btf: Buffer; at: (name: string) => number } {
  const strings = Buffer.from(`\0${names.map((name) => `${name}\0`).join('')}`);
  const body = Buffer.from(new Uint32Array(words).buffer);
  const header = Buffer.alloc(24);
  header.writeUInt16LE(0xeb9f, 0);
  header.writeUInt8(1, 2);
  for (const [index, value] of [24, 0, body.length, body.length, strings.length].entries())
    header.writeUInt32LE(value, 4 + index * 4);
  return { btf: Buffer.concat([header, body, strings]), at: (name) => strings.indexOf(`${name}\0`) };
}

const NAMES = ['sock', 'family', 'port', 'sock_extended', 'flags'];
const { at } = types([], NAMES);
const STRUCT = 4 << 24;
const SOCK = [at('sock'), STRUCT | 2, 16, at('family'), 1, 0, at('port'), 1, 64];

test('finds members by their names, in bytes', () => {
  const { btf } = types(SOCK, NAMES);
  assert.deepEqual(
    memberOffsets(btf, { sock: ['port', 'family'] }),
    new Map([
      ['sock.port', 8],
      ['sock.family', 0],
    ]),
  );
});

test('steps over types of every kind', () => {
  const others: readonly (readonly number[])[] = [
    [0, 1 << 24, 4, 32],
    [0, 2 << 24, 1],
    [0, 3 << 24, 0, 1, 1, 4],
    [at('sock_extended'), STRUCT | 1, 4, at('port'), 1, 8],
    [at('sock'), (5 << 24) | 1, 4, at('port'), 1, 8],
    [0, (6 << 24) | 2, 4, 0, 1, 0, 2],
    [0, 7 << 24, 0],
    [0, (13 << 24) | 1, 1, 0, 1],
    [0, 14 << 24, 1, 0],
    [0, (15 << 24) | 1, 4, 1, 0, 4],
    [0, 16 << 24, 8],
    [0, 17 << 24, 1, 0],
    [0, 18 << 24, 1],
    [0, (19 << 24) | 1, 8, 0, 1, 2],
  ];
  for (const other of others) {
    const { btf } = types([...other, ...SOCK], NAMES);
    assert.equal(memberOffsets(btf, { sock: ['port'] }).get('sock.port'), 8, `kind ${(other[1] as number) >>> 24}`);
  }
});

test('takes of a place in bits only where it begins', () => {
  const { btf } = types([at('sock'), (STRUCT | 1 | 0x80000000) >>> 0, 4, at('flags'), 1, (3 << 24) | 32], NAMES);
  assert.equal(memberOffsets(btf, { sock: ['flags'] }).get('sock.flags'), 4);
});

test('says what it does not find, and what it cannot read', () => {
  const { btf } = types(SOCK, NAMES);
  assert.throws(() => memberOffsets(btf, { sock: ['flags'] }), new RangeError('this kernel has no sock.flags'));
  assert.throws(() => memberOffsets(btf, { por: ['port'] }), new RangeError('this kernel has no por.port'));
  for (const bad of [Buffer.alloc(0), Buffer.alloc(24), btf.subarray(0, 40)])
    assert.throws(() => memberOffsets(bad, { sock: ['port'] }), RangeError);
});

test('finds its way through the types of this kernel', () => {
  const offsets = memberOffsets(readFileSync('/sys/kernel/btf/vmlinux'), { task_struct: ['pid', 'tgid'] });
  // The two stand side by side in every kernel there was.
  assert.equal((offsets.get('task_struct.tgid') ?? 0) - (offsets.get('task_struct.pid') ?? 0), 4);
});
