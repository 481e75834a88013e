import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { WriteStream } from 'node:tty';
import { RolloutProgress } from '../../src/cli/rollout-progress.ts';
import { counts, standing, upgrading } from '../support/fake-rollout-view.ts';
import { VirtualTerminal } from '../tui/virtual-terminal.ts';

/** What a terminal of so many columns shows, and every byte that was written. */
function terminal(columns: number, isTTY = true) {
  const screen = new VirtualTerminal(columns, 8);
  const output = { isTTY, columns, written: '', last: Promise.resolve() };
  const write = (text: string): boolean => {
    output.written += text;
    // As the kernel does.
    output.last = screen.write(text.replaceAll('\n', '\r\n'));
    return true;
  };
  const progress = new RolloutProgress({ ...output, write } as unknown as WriteStream);
  const shown = async (): Promise<string[]> => {
    await output.last;
    return screen.lines().filter((line) => line !== '');
  };
  return { progress, shown, output };
}

const running = (done: number) => standing({ counts: counts({ done, waiting: 10 - done }), hosts: [] });

describe('progress of a rollout', { timeout: 30_000 }, () => {
  it('is a bar on a terminal that changes in place, and stays when it ends', async () => {
    const { progress, shown, output } = terminal(80);
    progress.show(running(1));
    progress.show(running(5));
    assert.deepEqual(await shown(), ['release 1.3 → 5/10 hosts █████·····  wave 2/3 (10 %)']);
    progress.show(standing({ state: 'done', wave: 3, counts: counts({ done: 10 }), hosts: [] }));
    progress.close();
    progress.close();
    assert.deepEqual(await shown(), ['release 1.3 → 10/10 hosts ██████████  done  wave 3/3 (all)']);
    assert.match(output.written, /\(all\)\n$/);
  });

  it('names each host that failed once, above the bar', async () => {
    const { progress, shown } = terminal(80);
    const hosts = [upgrading('db-03', 'failed', 'it \x1b[2J\ncrashed')];
    for (const done of [1, 2]) progress.show({ ...running(done), hosts });
    progress.show({ ...running(2), hosts: [...hosts, { host: 'db-04', phase: 'failed' }] });
    assert.deepEqual(await shown(), [
      'db-03: failed, it \ufffd[2J crashed',
      'db-04: failed, for no reason that is known',
      'release 1.3 → 2/10 hosts ██········  wave 2/3 (10 %)',
    ]);
  });

  it('keeps to one line of the terminal, and to no colours', async () => {
    const { progress, shown, output } = terminal(30);
    for (const done of [1, 2, 3]) progress.show({ ...running(done), reason: '错误'.repeat(50) });
    progress.show(standing({ state: 'halted', reason: '错误'.repeat(50), hosts: [] }));
    const lines = await shown();
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /^release 1\.3 halted: 错.*…$/);
    assert.equal(output.written.replaceAll('\x1b[K', '').includes('\x1b'), false);
  });

  it('is a line for each change where there is no terminal, and no escape sequence', () => {
    const { progress, output } = terminal(80, false);
    progress.show(running(1));
    progress.show({ ...running(1), hosts: [upgrading('db-04', 'receiving')] });
    progress.show({ ...running(2), version: '1.3\x1b[31m' });
    progress.close();
    assert.deepEqual(output.written.split('\n'), [
      'release 1.3: wave 2 of 3 (10 %), running: 1 of 10 hosts done, 9 waiting',
      'release 1.3\ufffd[31m: wave 2 of 3 (10 %), running: 2 of 10 hosts done, 8 waiting',
      '',
    ]);
  });

  it('writes nothing when there was nothing to show', () => {
    const { progress, output } = terminal(80);
    progress.close();
    assert.equal(output.written, '');
  });
});
