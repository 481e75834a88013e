import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCmdline } from '../../src/procfs/pid-cmdline.ts';

test('splits arguments at their NULs', () => {
  assert.deepEqual(parseCmdline('/usr/sbin/mysqld\0--port=3307\0--init file\0'), [
    '/usr/sbin/mysqld',
    '--port=3307',
    '--init file',
  ]);
});

test('finds no arguments in a kernel thread or a zombie', () => {
  assert.deepEqual(parseCmdline(''), []);
  assert.deepEqual(parseCmdline('\0\0'), []);
});

test('takes a rewritten title padded with blanks or NULs for one argument', () => {
  assert.deepEqual(parseCmdline('nginx: worker process\0\0\0\0\0'), ['nginx: worker process']);
  assert.deepEqual(parseCmdline('postgres: app shop 10.0.0.7(53312) idle          '), [
    'postgres: app shop 10.0.0.7(53312) idle',
  ]);
});

test('keeps empty arguments among others', () => {
  assert.deepEqual(parseCmdline('grep\0\0file\0'), ['grep', '', 'file']);
});
