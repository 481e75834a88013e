import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { isIPv6 } from 'node:net';
import { test } from 'node:test';
import { addressText } from '../../src/kernel/address.ts';

const AF_INET6 = 10;
const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
const inetNtop = koffi.load('libc.so.6').func('void *inet_ntop(int, void *, void *, unsigned int)');

/** What glibc makes of it. */
function reference(bytes: Buffer): string {
  const text = Buffer.alloc(46);
  inetNtop(AF_INET6, bytes, text, text.length);
  return text.toString('latin1', 0, text.indexOf(0));
}

const PAIRS: [hex: string, text: string][] = [
  ['20010db8000000000000000000000001', '2001:db8::1'],
  ['fe8000000000000002155dfffe00abcd', 'fe80::215:5dff:fe00:abcd'],
  ['00000000000000000000000000000001', '::1'],
  ['00000000000000000000000000000000', '::'],
  ['00000000000000000000ffff0a000007', '10.0.0.7'],
  ['00000000000000000000ffff00000000', '0.0.0.0'],
  ['0000000000000000000000000d014403', '::13.1.68.3'],
  ['00010002000300040005000600070008', '1:2:3:4:5:6:7:8'],
  ['00010000000300040005000600070008', '1:0:3:4:5:6:7:8'],
  ['00010000000000040000000000070008', '1::4:0:0:7:8'],
  ['00010000000000040000000000000008', '1:0:0:4::8'],
  ['00010000000000000000000000000000', '1::'],
  ['000000000000000000000000ffff0001', '::255.255.0.1'],
  ['00000000000000000001ffff0a000007', '::1:ffff:a00:7'],
];

for (const [hex, text] of PAIRS) {
  test(`writes ${text}`, () => assert.equal(addressText(Buffer.from(hex, 'hex'), 0), text));
}

test('reads the 16 bytes at a place among others', () => {
  const bytes = Buffer.from(`ffff${'20010db8'.padEnd(31, '0')}1ffff`, 'hex');
  assert.equal(addressText(bytes, 2), '2001:db8::1');
});

test('writes every pattern of zeros as glibc does, but mapped addresses as IPv4', () => {
  for (let pattern = 0; pattern < 256; pattern += 1) {
    for (const word of ['0001', '0a0b', 'ffff', '1234']) {
      const hex = Array.from({ length: 8 }, (_, index) => ((pattern >> index) & 1 ? word : '0000')).join('');
      const bytes = Buffer.from(hex, 'hex');
      const text = reference(bytes);
      assert.ok(isIPv6(text));
      assert.equal(addressText(bytes, 0), text.replace(/^::ffff:(?=.*\.)/, ''));
    }
  }
});
