import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBootId } from '../../src/procfs/boot-id.ts';
import { FakeProc } from '../support/fake-proc.ts';
import { scratchFolder } from '../support/scratch.ts';

test('reads a line, and refuses none', (t) => {
  const proc = new FakeProc(scratchFolder(t));
  assert.equal(readBootId(proc.procRoot), '249dc5a9-24fa-4664-829f-8f3f32617250');
  proc.remove('sys/kernel/random/boot_id');
  assert.throws(() => readBootId(proc.procRoot), /ENOENT/);
});

test('stays the same on this machine', () => {
  assert.match(readBootId('/proc'), /^[\da-f-]{36}$/);
  assert.equal(readBootId('/proc'), readBootId('/proc'));
});
