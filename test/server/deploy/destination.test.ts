import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { destinationOf } from '../../../src/server/deploy/destination.ts';
import { scratchFolder } from '../../support/scratch.ts';

const NOTHING = { user: '', port: '', keyFile: '', password: '' };

function home(t: Parameters<typeof scratchFolder>[0], config: string) {
  const homeDir = scratchFolder(t);
  mkdirSync(join(homeDir, '.ssh'));
  writeFileSync(join(homeDir, '.ssh', 'config'), config);
  return { name: 'me', homeDir, agentSocket: '/run/agent' };
}

test('an entry outweighs the configuration, which outweighs ~/.ssh/config, which outweighs what ssh does', (t) => {
  const local = home(t, 'Host web\n  User c\n  Port 3\n  IdentityFile ~/c-%r-%h\n  HostName web.internal\n');
  const login = { user: 'b', port: '2', keyFile: '/b', password: 'p' };
  const pick = (rshost: string, defaults: typeof login) => {
    const found = destinationOf(rshost, defaults, local);
    return [found?.user, found?.port, found?.keyFiles, found?.host, found?.password];
  };
  assert.deepEqual(pick('a@web:1', login), ['a', 1, ['/b'], 'web.internal', 'p']);
  assert.deepEqual(pick('web', login), ['b', 2, ['/b'], 'web.internal', 'p']);
  const key = join(local.homeDir, 'c-c-web.internal');
  assert.deepEqual(pick('web', NOTHING), ['c', 3, [key], 'web.internal', undefined]);
  const keys = ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((name) => join(local.homeDir, '.ssh', name));
  assert.deepEqual(pick('other', NOTHING), ['me', 22, keys, 'other', undefined]);
  assert.equal(destinationOf('a b', login, local), undefined);
});

test('hosts between are those of ~/.ssh/config, in order, and a circle of them ends', (t) => {
  const local = home(
    t,
    'Host inner\n  ProxyJump gate,u@second:2200\nHost gate\n  HostName 10.0.0.1\n  ProxyJump outer\nHost circle\n  ProxyJump circle\nHost none\n  ProxyJump none\n',
  );
  const login = { user: 'root', port: '2', keyFile: '/b', password: 'p' };
  const jumps = destinationOf('inner', login, local)?.jumps ?? [];
  assert.deepEqual(
    jumps.map(({ host, user, port, password }) => [host, user, port, password]),
    [
      ['outer', 'me', 22, undefined],
      ['10.0.0.1', 'me', 22, undefined],
      ['second', 'u', 2200, undefined],
    ],
  );
  assert.equal(destinationOf('circle', login, local)?.jumps.length, 8);
  assert.deepEqual(destinationOf('none', login, local)?.jumps, []);
});

test('the ssh-agent is that of the user unless ~/.ssh/config names another, or none', (t) => {
  const local = home(t, 'Host a\n  IdentityAgent none\nHost b\n  IdentityAgent "~/sock"\n');
  const socket = (host: string) => destinationOf(host, NOTHING, local)?.agentSocket;
  assert.deepEqual([socket('a'), socket('b'), socket('c')], [undefined, join(local.homeDir, 'sock'), '/run/agent']);
  assert.equal(destinationOf('c', NOTHING, { ...local, agentSocket: '' })?.agentSocket, undefined);
});
