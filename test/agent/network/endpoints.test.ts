import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Endpoints, endpointsOf } from '../../../src/agent/network/endpoints.ts';
import type { EndpointBytes } from '../../../src/agent/network/source.ts';
import type { Rules } from '../../../src/protocol/message.ts';

const RULES: Rules = {
  cpuPercent: 200,
  memBytes: 1e10,
  ioBytesPerSec: 1e7,
  netBytesPerSec: 10_000,
  queue: 5,
  utilPercent: 50,
  top: 2,
};
const NAMES: Record<number, string> = { 7: 'mysqld:3306', 8: 'backup', 9: 'mysqld:3306' };
const nameOf = (pid: number): string | undefined => NAMES[pid];
const bytes = (pid: number, fields: Partial<EndpointBytes>): EndpointBytes => ({
  ...{ pid, localPort: 0, remotePort: 0, remoteAddress: '10.0.0.1', inBytes: 0, outBytes: 0 },
  ...fields,
});

test('an interval has the averages and maxima of each endpoint, largest first', () => {
  const endpoints = new Endpoints();
  endpoints.add([bytes(7, { localPort: 3306, inBytes: 2_000, outBytes: 6_000 })], 1_000, nameOf);
  endpoints.add(
    [
      bytes(7, { localPort: 3306, inBytes: 0, outBytes: 2_000 }),
      bytes(8, { remotePort: 22, remoteAddress: '2001:db8::7', outBytes: 40_000 }),
    ],
    3_000,
    nameOf,
  );
  assert.deepEqual(endpoints.close(RULES), [
    {
      ...{ instance: 'backup', remotePort: 22, remoteAddress: '2001:db8::7' },
      ...{ inBytesPerSec: 0, outBytesPerSec: 10_000, inBytesPerSecMax: 0, outBytesPerSecMax: 13_333 },
    },
    {
      ...{ instance: 'mysqld:3306', localPort: 3306, remoteAddress: '10.0.0.1' },
      ...{ inBytesPerSec: 500, outBytesPerSec: 2_000, inBytesPerSecMax: 2_000, outBytesPerSecMax: 6_000 },
    },
  ]);
});

test('processes of one instance are one endpoint, also for the maximum', () => {
  const endpoints = new Endpoints();
  const both = [bytes(7, { localPort: 3306, inBytes: 100 }), bytes(9, { localPort: 3306, inBytes: 50 })];
  endpoints.add(both, 1_000, nameOf);
  const [only, ...rest] = endpoints.close(RULES);
  assert.deepEqual([only?.inBytesPerSec, only?.inBytesPerSecMax, rest], [150, 150, []]);
});

test('beyond the largest, only what reached the threshold in one direction of one sample is recorded', () => {
  const endpoints = new Endpoints();
  const peer = (remoteAddress: string, fields: Partial<EndpointBytes>): EndpointBytes =>
    bytes(7, { localPort: 3306, remoteAddress, ...fields });
  endpoints.add([peer('burst', { inBytes: 10_000 })], 1_000, nameOf);
  endpoints.add(
    [
      peer('first', { inBytes: 90_000 }),
      peer('second', { outBytes: 80_000 }),
      peer('steady', { inBytes: 70_000, outBytes: 70_000 }),
    ],
    20_000,
    nameOf,
  );
  const recorded = endpoints.close(RULES).map(({ remoteAddress }) => remoteAddress);
  assert.deepEqual(recorded, ['steady', 'first', 'burst']);
});

test('every interval begins anew, and what cannot be named is left out', () => {
  const endpoints = new Endpoints();
  endpoints.add([bytes(7, { inBytes: 5 }), bytes(1_000, { inBytes: 5 })], 1_000, nameOf);
  assert.equal(endpoints.close(RULES).length, 1);
  endpoints.add([], 1_000, nameOf);
  assert.deepEqual(endpoints.close(RULES), []);
});

test('of very many endpoints the largest are remembered', () => {
  const endpoints = new Endpoints();
  const many = Array.from({ length: 20_000 }, (_, index) => bytes(7, { remoteAddress: `${index}`, inBytes: index }));
  endpoints.add(many, 1_000, nameOf);
  endpoints.add(
    many.map((endpoint) => ({ ...endpoint, inBytes: 1 })),
    1_000,
    nameOf,
  );
  const all = endpoints.close({ ...RULES, netBytesPerSec: 0 });
  assert.equal(all.length, 500);
  assert.deepEqual(
    all.slice(0, 2).map(({ remoteAddress, inBytesPerSec }) => [remoteAddress, inBytesPerSec]),
    [['19999', 10_000], ['19998', 9_999.5].map((value) => (typeof value === 'number' ? Math.round(value) : value))],
  );
});

test('names the largest endpoints of one process', () => {
  const all = [
    bytes(7, { localPort: 3306, inBytes: 10 }),
    bytes(8, { remotePort: 22, inBytes: 999 }),
    bytes(7, { remotePort: 53, outBytes: 30 }),
    bytes(7, { remotePort: 80, outBytes: 1 }),
  ];
  assert.deepEqual(endpointsOf(7, all, 2_000, 2), [
    { remotePort: 53, remoteAddress: '10.0.0.1', inBytesPerSec: 0, outBytesPerSec: 15 },
    { localPort: 3306, remoteAddress: '10.0.0.1', inBytesPerSec: 5, outBytesPerSec: 0 },
  ]);
});
