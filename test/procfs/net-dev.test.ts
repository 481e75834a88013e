import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNetDev } from '../../src/procfs/net-dev.ts';
import { NET_DEV_HEADER } from '../support/fake-proc.ts';

test('parses received and sent bytes and packets', () => {
  const text =
    '    lo:   62953     344    0    0    0     0          0         0    62953     344    0    0    0     0       0          0\n' +
    '  eth0: 294322495    7768    0    0    0     0          0         0   535703    5000    0    0    0     0       0          0\n';
  assert.deepEqual(parseNetDev(NET_DEV_HEADER + text), [
    { name: 'lo', inBytes: 62_953, inPackets: 344, outBytes: 62_953, outPackets: 344 },
    { name: 'eth0', inBytes: 294_322_495, inPackets: 7768, outBytes: 535_703, outPackets: 5000 },
  ]);
});

test('parses a first number that touches the name, and a name with a colon', () => {
  const numbers = '8001 2 3 4 5 6 7 8 9002 10 11 12 13 14 15 16';
  assert.deepEqual(parseNetDev(`${NET_DEV_HEADER}eth0:${numbers}\neth0:1: ${numbers}\n`), [
    { name: 'eth0', inBytes: 8_001, inPackets: 2, outBytes: 9_002, outPackets: 10 },
    { name: 'eth0:1', inBytes: 8_001, inPackets: 2, outBytes: 9_002, outPackets: 10 },
  ]);
});

test('finds none in an empty text, a bare header or a line cut short', () => {
  for (const text of ['', NET_DEV_HEADER, `${NET_DEV_HEADER}  eth0: 1 2 3\n`]) assert.deepEqual(parseNetDev(text), []);
});
