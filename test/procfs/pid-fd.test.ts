import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { listDescriptors, readNetNamespace, readSocketInode, readSocketInodes } from '../../src/procfs/pid-fd.ts';
import { FakeProc } from '../support/fake-proc.ts';
import { asNobody } from '../support/nobody.ts';
import { scratchFolder } from '../support/scratch.ts';

test('finds the inodes of sockets among other open files', (t) => {
  const proc = new FakeProc(scratchFolder(t));
  proc.open(7, ['/dev/null', 'socket:[31337]', 'pipe:[4711]', 'anon_inode:[eventpoll]', 'socket:[31338]']);
  assert.deepEqual(readSocketInodes(proc.procRoot, 7), [31_337, 31_338]);
});

test('finds none in a process that went', (t) => {
  const proc = new FakeProc(scratchFolder(t));
  assert.deepEqual(readSocketInodes(proc.procRoot, 7), []);
  assert.equal(readNetNamespace(proc.procRoot, 7), undefined);
  assert.equal(listDescriptors(proc.procRoot, 7), 'gone');
  assert.equal(readSocketInode(proc.procRoot, 7, '0'), undefined);
});

test('lists descriptors, and tells which of them are sockets', (t) => {
  const proc = new FakeProc(scratchFolder(t));
  proc.open(7, ['/dev/null', 'socket:[31337]', 'pipe:[4711]']);
  assert.deepEqual(listDescriptors(proc.procRoot, 7), ['0', '1', '2']);
  assert.deepEqual(
    ['0', '1', '2', '3'].map((fd) => readSocketInode(proc.procRoot, 7, fd)),
    [undefined, 31_337, undefined, undefined],
  );
});

test('says so when the descriptors of a process may not be listed', (t) => {
  const proc = new FakeProc(scratchFolder(t));
  proc.open(7, ['socket:[31337]']);
  chmodSync(join(proc.procRoot, '7', 'fd'), 0o700);
  asNobody(() => {
    assert.equal(listDescriptors(proc.procRoot, 7), 'denied');
    assert.deepEqual(readSocketInodes(proc.procRoot, 7), []);
  });
});

test('names the network namespace', (t) => {
  const proc = new FakeProc(scratchFolder(t));
  proc.enterNamespace(7, 4_026_531_840);
  assert.equal(readNetNamespace(proc.procRoot, 7), 'net:[4026531840]');
  assert.equal(readNetNamespace('/proc', process.pid), readlinkSync('/proc/self/ns/net'));
});

test('sees a socket of its own process come and go', async () => {
  const before = readSocketInodes('/proc', process.pid).length;
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  assert.equal(readSocketInodes('/proc', process.pid).length, before + 1);
  server.close();
  await once(server, 'close');
  assert.equal(readSocketInodes('/proc', process.pid).length, before);
});
