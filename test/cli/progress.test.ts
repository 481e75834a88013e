import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { WriteStream } from 'node:tty';
import { Progress } from '../../src/cli/progress.ts';
import { VirtualTerminal } from '../tui/virtual-terminal.ts';

/** What a terminal of so many columns and rows shows, and every byte that was written. */
function terminal(columns: number, rows: number, isTTY = true) {
  const screen = new VirtualTerminal(columns, rows);
  const output = { isTTY, columns, rows, written: '', last: Promise.resolve() };
  const write = (text: string): boolean => {
    output.written += text;
    // As the kernel does.
    output.last = screen.write(text.replaceAll('\n', '\r\n'));
    return true;
  };
  const progress = new Progress({ ...output, write } as unknown as WriteStream);
  const shown = async (): Promise<string[]> => {
    await output.last;
    return screen.lines().filter((line) => line !== '');
  };
  return { progress, shown, output };
}

describe('progress', { timeout: 30_000 }, () => {
  it('has one line of each host that is worked on, which changes in place', async () => {
    const { progress, shown } = terminal(40, 10);
    progress.step('web-1', 'connecting');
    progress.step('web-2', 'connecting');
    progress.step('web-1', 'copying the runtime');
    assert.deepEqual(await shown(), ['web-1: copying the runtime …', 'web-2: connecting …']);
    progress.end('web-2', 'running');
    assert.deepEqual(await shown(), ['web-2: running', 'web-1: copying the runtime …']);
    progress.end('web-3', 'it refuses the key');
    progress.end('web-1', 'running');
    assert.deepEqual(await shown(), ['web-2: running', 'web-3: it refuses the key', 'web-1: running']);
  });

  it('takes away the lines of hosts that are not done when it ends', async () => {
    const { progress, shown } = terminal(40, 10);
    progress.step('web-1', 'connecting');
    progress.end('web-2', 'running');
    progress.close();
    assert.deepEqual(await shown(), ['web-2: running']);
  });

  it('keeps to what the terminal has room for', async () => {
    const { progress, shown } = terminal(20, 6);
    for (let host = 0; host < 50; host += 1) progress.step(`web-${host}`, 'copying the runtime');
    for (const host of [1, 0]) progress.step(`web-${host}`, 'starting the agent of this host');
    assert.deepEqual(await shown(), [
      'web-0: starting th…',
      'web-1: starting th…',
      'web-2: copying the…',
      'web-3: copying the…',
    ]);
  });

  it('writes a line for each step where there is no terminal, and no escape sequence anywhere', () => {
    const { progress, output } = terminal(40, 10, false);
    progress.step('web-1', 'connecting');
    progress.end('web-1', 'it says \x1b[31mno\n\x1b[0m');
    progress.close();
    assert.equal(output.written, 'web-1: connecting\nweb-1: it says \ufffd[31mno \ufffd[0m\n');
  });
});
