import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseMaxOpenFiles } from '../../src/procfs/limits.ts';

test('parses the soft limit of open files', () => {
  const text =
    'Limit                     Soft Limit           Hard Limit           Units     \n' +
    'Max processes             95996                95996                processes \n' +
    'Max open files            1024                 524288               files     \n';
  assert.equal(parseMaxOpenFiles(text), 1_024);
  assert.equal(parseMaxOpenFiles(text.replace('1024 ', 'unlimited ')), Number.POSITIVE_INFINITY);
  assert.equal(parseMaxOpenFiles('Max processes 1 1 processes\n'), undefined);
});

test('parses the running kernel’s text', () => {
  assert.ok((parseMaxOpenFiles(readFileSync('/proc/self/limits', 'utf8')) ?? 0) > 0);
});
