import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assemble,
  atomicAdd,
  call,
  compute,
  constant,
  exit,
  fromNetwork16,
  jump,
  jumpIf,
  type Line,
  label,
  load,
  mapPointer,
  store,
} from '../../src/kernel/bpf-assembly.ts';

/** As `llvm-objdump -d` shows them: opcode, registers, offset, immediate. */
const ENCODINGS: [name: string, line: Line, hex: string][] = [
  ['r7 = *(u64 *)(r1 + 8)', load('u64', 'r7', 'r1', 8), '7917080000000000'],
  ['r1 = *(u16 *)(r10 - 8)', load('u16', 'r1', 'r10', -8), '69a1f8ff00000000'],
  ['r2 = *(u8 *)(r3 + 0)', load('u8', 'r2', 'r3', 0), '7132000000000000'],
  ['r2 = *(u32 *)(r3 + 4)', load('u32', 'r2', 'r3', 4), '6132040000000000'],
  ['*(u32 *)(r10 - 4) = r0', store('u32', 'r10', -4, 'r0'), '630afcff00000000'],
  ['*(u64 *)(r10 - 16) = 0', store('u64', 'r10', -16, 0), '7a0af0ff00000000'],
  ['lock *(u64 *)(r0 + 8) += r7', atomicAdd('r0', 8, 'r7'), 'db70080000000000'],
  ['r7 <<= 32', compute('r7', '<<', 32), '6707000020000000'],
  ['r7 s>>= 32', compute('r7', 's>>', 32), 'c707000020000000'],
  ['r0 >>= 32', compute('r0', '>>', 32), '7700000020000000'],
  ['r2 += -88', compute('r2', '+', -88), '07020000a8ffffff'],
  ['r0 += r8', compute('r0', '+', 'r8'), '0f80000000000000'],
  ['r2 |= r5', compute('r2', '|', 'r5'), '4f52000000000000'],
  ['r2 &= 2', compute('r2', '&', 2), '5702000002000000'],
  ['r6 = r1', compute('r6', '=', 'r1'), 'bf16000000000000'],
  ['r4 = 1', compute('r4', '=', 1), 'b704000001000000'],
  ['r2 = be16 r2', fromNetwork16('r2'), 'dc02000010000000'],
  ['call bpf_map_lookup_elem', call('map_lookup_elem'), '8500000001000000'],
  ['exit', exit(), '9500000000000000'],
  ['r5 = 0xffff0000 ll', constant('r5', 0xffff0000n), '18050000' + '0000ffff' + '0000000000000000'],
  ['r5 = 1 << 56 ll', constant('r5', 1n << 56n), '1805000000000000' + '0000000000000001'],
  ['r1 = map fd 7', mapPointer('r1', 7), '1811000007000000' + '0000000000000000'],
];

for (const [name, line, hex] of ENCODINGS) {
  test(`assembles ${name}`, () => assert.equal(assemble([line]).toString('hex'), hex));
}

test('jumps count instructions from the one after them, wide ones as two, forwards and backwards', () => {
  const code = assemble([
    label('again'),
    jumpIf('r7', 's<=', 0, 'done'),
    constant('r5', 5n),
    jumpIf('r1', '!=', 'r3', 'again'),
    jump('done'),
    compute('r0', '=', 0),
    label('done'),
    exit(),
  ]);
  const instruction = (index: number): string => code.toString('hex', index * 8, index * 8 + 8);
  assert.equal(instruction(0), 'd507050000000000');
  assert.equal(instruction(3), '5d31fcff00000000');
  assert.equal(instruction(4), '0500010000000000');
});

test('a jump to nowhere is refused', () => {
  assert.throws(() => assemble([jump('nowhere'), exit()]), { name: 'RangeError', message: 'no label nowhere' });
});
