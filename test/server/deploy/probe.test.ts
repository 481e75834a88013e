import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProbe } from '../../../src/server/deploy/probe.ts';

const ANSWER = `Welcome to a banner: of bashrc
machine:aarch64
libc:ldd (Ubuntu GLIBC 2.31-0ubuntu9.7) 2.31
uid:1000
user:alice
has:crontab
has:write
free:/dev/vda1  258036200 15640404  80012345      17% /
folder:ours
release:abc
link:../../runtime/x/node
missing:runtime/x/node
has:settings
settings:{"host":"a:b"}
has:keeper
keeper:#!/bin/sh
keeper:
crontab:# c:d
crontab:\xe9
pid:7
launcherPid:6
end:.
`;

test('an answer is told apart from what a login shell says', () => {
  const state = parseProbe(ANSWER);
  assert.deepEqual(state, {
    machine: 'aarch64',
    architecture: 'arm64',
    libc: { kind: 'glibc', version: [2, 31] },
    isRoot: false,
    user: 'alice',
    has: { systemd: false, crontab: true, gzip: false },
    freeBytes: 80_012_345 * 1024,
    isWritable: true,
    folder: 'ours',
    release: 'abc',
    node: '../../runtime/x/node',
    missing: ['runtime/x/node'],
    runtimeVersion: undefined,
    nodeVersion: undefined,
    settings: '{"host":"a:b"}\n',
    token: undefined,
    launcher: undefined,
    keeper: '#!/bin/sh\n\n',
    unit: undefined,
    crontab: '# c:d\n\xe9\n',
    pids: [7],
    launcherPids: [6],
  });
});

test('an answer that ends early is none', () => {
  assert.equal(parseProbe(ANSWER.slice(0, -7)), undefined);
  assert.equal(parseProbe(''), undefined);
});

test('a libc is told by getconf and by ldd', () => {
  const libc = (text: string) => parseProbe(`libc:${text}\nend:.\n`)?.libc;
  assert.deepEqual(libc('glibc 2.17'), { kind: 'glibc', version: [2, 17] });
  assert.deepEqual(libc('ldd (GNU libc) 2.17'), { kind: 'glibc', version: [2, 17] });
  assert.deepEqual(libc('musl libc (x86_64)'), { kind: 'other', name: 'musl' });
});
