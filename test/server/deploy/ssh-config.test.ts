import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { lookUpHost, matchesList } from '../../../src/server/deploy/ssh-config.ts';
import { scratchFolder } from '../../support/scratch.ts';

const CONFIG = `
# of all
Include more/*.conf nowhere
Host gate web?
  User = "the user"   # theirs
  Port=2200
  IdentityFile ~/.ssh/first
  identityfile "~/.ssh/with space"
Host *.example.org !bad.example.org
  HostName %h.internal
  ProxyJump gate,root@other:22
Match exec "touch /nowhere"
  User matched
Host *
  User fallback
  IdentityFile ~/.ssh/last
  HostKeyAlias alias
  IdentityAgent none
`;

test('settings of a host are the first that are said of it, and all its keys', (t) => {
  const sshDir = join(scratchFolder(t), '.ssh');
  mkdirSync(join(sshDir, 'more'), { recursive: true });
  writeFileSync(join(sshDir, 'config'), CONFIG);
  writeFileSync(join(sshDir, 'more', 'a.conf'), 'Host included\n  User inc\nHost gate\n  Port 99999\n');
  const all = { hostKeyAlias: 'alias', identityAgent: 'none' };
  assert.deepEqual(lookUpHost('web1', sshDir), {
    ...all,
    hostName: undefined,
    user: 'the user',
    port: 2200,
    identityFiles: ['~/.ssh/first', '~/.ssh/with space', '~/.ssh/last'],
    proxyJump: undefined,
  });
  assert.equal(lookUpHost('included', sshDir).user, 'inc');
  assert.equal(lookUpHost('gate', sshDir).port, undefined, 'a port that is none');
  const org = lookUpHost('a.example.org', sshDir);
  assert.deepEqual(
    [org.hostName, org.user, org.proxyJump],
    ['a.example.org.internal', 'fallback', 'gate,root@other:22'],
  );
  assert.equal(lookUpHost('bad.example.org', sshDir).hostName, undefined);
});

test('what is included within a Host block is for its hosts alone', (t) => {
  const sshDir = scratchFolder(t);
  writeFileSync(join(sshDir, 'config'), 'Host a\n  Include inner\nHost b\n  User of-b\n');
  writeFileSync(join(sshDir, 'inner'), 'User inner\nInclude inner\n');
  assert.equal(lookUpHost('a', sshDir).user, 'inner');
  assert.equal(lookUpHost('b', sshDir).user, 'of-b');
});

test('there need be no file', (t) => {
  assert.equal(lookUpHost('a', scratchFolder(t)).user, undefined);
});

test('patterns match whole names, and one that excludes outweighs the others', () => {
  assert.equal(matchesList(['10.0.0.*'], '10.0.0.12'), true);
  assert.equal(matchesList(['10.0.0.*'], '10x0.0.12'), false);
  assert.equal(matchesList(['web'], 'web1'), false);
  assert.equal(matchesList(['WEB?'], 'web1'), true);
  assert.equal(matchesList(['*', '!web1'], 'web1'), false);
  assert.equal(matchesList(['!web1'], 'web2'), false);
});
