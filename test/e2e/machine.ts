import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { z } from 'zod';
import { Command } from '../support/command.ts';
import type { psJson } from './contract.ts';

const FLOWS = ['cpuPercent', 'readBytesPerSec', 'writeBytesPerSec', 'netInBytesPerSec', 'netOutBytesPerSec'] as const;

/** A program that listens on a port and uses up one core, for as long as this process lives. */
export async function burner(t: TestContext): Promise<{ pid: number; port: number }> {
  const program = `require('node:http').createServer().listen(0, '127.0.0.1', function () {
    process.stdout.write(this.address().port + '\\n', () => { while (process.ppid === ${process.pid}); });
  })`;
  const burning = new Command(t, process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'pipe'] });
  return { pid: burning.pid, port: Number(await burning.stdout.line()) };
}

/** Of one host: all of its rows and what is unattributed are what the host used. */
export function assertAddsUp({ rows, totals }: z.infer<typeof psJson>): void {
  const [total, ...others] = totals;
  assert.ok(total !== undefined && others.length === 0);
  for (const name of FLOWS) {
    const sum: number = rows.reduce((all, row) => all + (row[name] ?? 0), total.unattributed[name] ?? 0);
    // Every figure is rounded by itself: to a thousandth of a percent, to a byte.
    const rounding = (rows.length + 2) * (name === 'cpuPercent' ? 0.0005 : 0.5);
    assert.ok(Math.abs(sum - (total[name] ?? 0)) <= rounding, `${name}: ${sum} of ${total[name]}`);
  }
}
