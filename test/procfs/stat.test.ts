import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { parseStat } from '../../src/procfs/stat.ts';

test('parses idle, iowait, steal, the number of CPUs that are online, the boot time, and the forks', () => {
  const text =
    'cpu  34438 5 10791 659448 684 7 91 49 3 2\n' +
    'cpu0 15602 2 4803 332278 41 3 25 18 1 1\n' +
    'cpu3 18836 3 5988 327170 643 4 66 31 2 1\n' +
    'intr 1234 0 9\nctxt 4711\nbtime 1785000000\nprocesses 12345\nprocs_running 2\nprocs_blocked 0\n';
  assert.deepEqual(parseStat(text), {
    idleTicks: 659_448,
    iowaitTicks: 684,
    stealTicks: 49,
    cores: 2,
    bootSec: 1_785_000_000,
    forks: 12_345,
  });
});

test('refuses a text without CPU totals', () => {
  assert.throws(() => parseStat('cpu0 1 2 3 4 5 6 7 8\n'), SyntaxError);
  assert.throws(() => parseStat(''), SyntaxError);
});

test('parses the running kernel’s text', () => {
  const stat = parseStat(readFileSync('/proc/stat', 'utf8'));
  assert.ok(stat.cores >= availableParallelism());
  assert.ok(stat.bootSec > 1_500_000_000);
});
