import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HostAddress, parseHostAddress } from '../../src/server/host-address.ts';

test('reads a host with and without its own user and port', () => {
  const written: [string, HostAddress['host'], HostAddress['user'], HostAddress['port']][] = [
    ['192.168.168.11', '192.168.168.11', undefined, undefined],
    ['db-1.example.org', 'db-1.example.org', undefined, undefined],
    ['root@db-1', 'db-1', 'root', undefined],
    ['db-1:2222', 'db-1', undefined, 2_222],
    ['dba_ops@db-1:22', 'db-1', 'dba_ops', 22],
    ['2001:db8::1', '2001:db8::1', undefined, undefined],
    ['[2001:db8::1]', '2001:db8::1', undefined, undefined],
    ['root@[2001:db8::1]:65535', '2001:db8::1', 'root', 65_535],
  ];
  for (const [rshost, host, user, port] of written) assert.deepEqual(parseHostAddress(rshost), { host, user, port });
});

test('takes nothing else for a host', () => {
  const wrong = [
    '',
    ' ',
    'a b',
    'db-1:',
    'db-1:0',
    'db-1:65536',
    '@db-1',
    'a@b@c',
    '-oProxyCommand=x',
    'root@-x',
    'a;b',
    '[db-1',
    'db/1',
  ];
  for (const rshost of wrong) assert.equal(parseHostAddress(rshost), undefined, rshost);
});
