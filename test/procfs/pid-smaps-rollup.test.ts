import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parsePss } from '../../src/procfs/pid-smaps-rollup.ts';

test('parses the proportional set size, not its parts', () => {
  const text =
    '55b6cdc00000-7ffd0ed9c000 ---p 00000000 00:00 0                          [rollup]\n' +
    'Rss:                1500 kB\nPss:                 812 kB\nPss_Dirty:            96 kB\nPss_Anon:             96 kB\n';
  assert.equal(parsePss(text), 812 * 1024);
});

test('knows nothing of a kernel thread, which has no memory of its own', () => {
  assert.equal(parsePss(''), undefined);
});

test('parses what the running kernel says of this process', () => {
  const pssBytes = parsePss(readFileSync('/proc/self/smaps_rollup', 'utf8')) ?? 0;
  assert.ok(pssBytes > 1e6 && pssBytes <= process.memoryUsage.rss() * 1.2, `${pssBytes}`);
});
