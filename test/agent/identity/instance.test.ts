import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type InstanceFacts, instanceName } from '../../../src/agent/identity/instance.ts';

const CASES: readonly [name: string, facts: Partial<InstanceFacts>][] = [
  ['mysqld', {}],
  ['mysqld:3306', { ports: [3_306, 33_060] }],
  ['mysqld:3307', { args: ['mysqld', '--port=3307'] }],
  ['mysqld:3307', { args: ['mysqld', '--port', '3307'] }],
  ['mysqld:3306', { ports: [3_306], args: ['mysqld', '--port=3307'], unit: 'mysqld.service' }],
  ['mysqld:3308', { args: ['mysqld', '--port=x', '--port=3308'] }],
  ['mysqld', { args: ['mysqld', '--port=123456', '--port'] }],
  ['mysqld@/etc/my3307.cnf', { args: ['mysqld', '--defaults-file=/etc/my3307.cnf', '--datadir=/d'] }],
  ['mysqld@/etc/my_3307.cnf', { args: ['mysqld', '--defaults_file=/etc/my_3307.cnf'] }],
  ['mysqld@/var/lib/my2', { args: ['mysqld', '--datadir', '/var/lib/my2'], unit: 'mysqld.service' }],
  ['mysqld', { args: ['mysqld', '--datadir='] }],
  ['mysqld@2.service', { unit: 'mysqld@2.service', container: '3f2a9c1b7d5e' }],
  ['3f2a9c1b7d5e', { container: '3f2a9c1b7d5e' }],
  ['node:9229', { comm: 'node-MainThread', ports: [9_229] }],
  ['-MainThread', { comm: '-MainThread' }],
];

for (const [name, facts] of CASES) {
  test(`calls ${JSON.stringify(facts)} ${name}`, () => {
    assert.equal(instanceName({ comm: 'mysqld', ports: [], args: [], ...facts }), name);
  });
}

test('shortens a name to what the wire takes', () => {
  const args = ['mysqld', `--datadir=/${'x'.repeat(400)}`];
  assert.equal(instanceName({ comm: 'mysqld', ports: [], args }).length, 255);
});
