import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bringKoffi } from '../../../src/server/release/native.ts';
import { scratchFolder } from '../../support/scratch.ts';

const NATIVE = `node_modules/@koromix/koffi-linux-${process.arch}/linux_${process.arch}/koffi.node`;

test('what is brought works without the checkout', (t) => {
  const folder = scratchFolder(t);
  bringKoffi(folder);
  const program =
    "process.stdout.write(String(require('koffi').load('libc.so.6').func('int getpid()')() === process.pid))";
  assert.equal(execFileSync(process.execPath, ['--eval', program], { cwd: folder, encoding: 'utf8' }), 'true');
});

test('a file that a running agent has mapped is replaced, not written into', (t) => {
  const folder = scratchFolder(t);
  bringKoffi(folder);
  writeFileSync(join(folder, NATIVE), 'in use');
  const held = openSync(join(folder, NATIVE), 'r');
  bringKoffi(folder);
  const bytes = Buffer.alloc(20);
  assert.equal(bytes.toString('utf8', 0, readSync(held, bytes)), 'in use');
  assert.ok(readFileSync(join(folder, NATIVE)).length > 100_000);
  assert.equal(existsSync(join(folder, `${NATIVE}.partial`)), false);
});
