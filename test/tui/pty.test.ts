import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { VirtualTerminal } from './virtual-terminal.ts';

const child = fileURLToPath(new URL('./pty-child.ts', import.meta.url));
/** util-linux, which knows how to open a pseudo-terminal. */
const skip = spawnSync('script', ['--version']).status === 0 ? false : 'needs script(1) of util-linux';
const timeout = 30_000;

/**
 * Runs the terminal UI on a pseudo-terminal of 80×24 until it shows processes, types some keys, and waits for its end.
 * @returns the screen before the keys, and the terminal afterwards.
 */
async function session(env: NodeJS.ProcessEnv, keys: string, ending = '') {
  const shell = `stty cols 80 rows 24; echo before; '${process.execPath}' '${child}' ${ending}`;
  const pty = spawn('script', ['-qec', shell, '/dev/null'], { env: { ...process.env, LC_ALL: 'C.UTF-8', ...env } });
  const terminal = new VirtualTerminal();
  let raw = '';
  let shown = '';
  for await (const bytes of pty.stdout) {
    raw += bytes;
    await terminal.write(bytes);
    if (shown === '' && /unattributed/.test(terminal.text())) {
      shown = terminal.text();
      pty.stdin.write(keys);
    }
  }
  return { shown, terminal, raw };
}

for (const TERM of ['xterm-256color', 'screen', 'tmux-256color', 'linux'])
  test(`borders and bars are Unicode with TERM=${TERM}`, { skip, timeout }, async () => {
    const { shown, raw } = await session({ TERM }, 'q');
    assert.match(shown, /^── processes ─{20,} 50 of 60 ──$/m);
    assert.match(shown, /^ CPU {2}█+/m);
    assert.match(shown, /^ procmesh › db-01 .* ● live$/m);
    // Neither the alternate character set nor a message of the terminfo reader.
    for (const unwanted of ['\x0e', '\x1b(0', 'Error on']) assert.ok(!raw.includes(unwanted), unwanted);
  });

test('where the locale is not UTF-8 there is nothing but ASCII', { skip, timeout }, async () => {
  const { shown, raw } = await session({ TERM: 'xterm', LC_ALL: 'C' }, 'q');
  assert.match(shown, /^-- processes -{20,} 50 of 60 --$/m);
  assert.doesNotMatch(raw, /[\u0080-\uffff]/);
});

test('with NO_COLOR there is no colour', { skip, timeout }, async () => {
  const { raw } = await session({ TERM: 'xterm-256color', NO_COLOR: '1' }, 'q');
  assert.doesNotMatch(raw, /\[[\d;]*[349]\dm/);
});

for (const [ending, keys] of [
  ['q', 'q'],
  ['Ctrl-C', '\x03'],
  ['SIGTERM', '!'],
  ['SIGHUP', '!'],
  ['exit', '!'],
  ['exception', '!'],
] as const)
  test(`the terminal is restored after ${ending}`, { skip, timeout }, async () => {
    const { shown, terminal, raw } = await session({ TERM: 'xterm-256color' }, keys, ending);
    assert.match(shown, /mysqld:3307/);
    assert.deepEqual(terminal.state, { buffer: 'normal', mouse: 'none', showsCursor: true });
    assert.equal(terminal.lines()[0], 'before');
    if (ending === 'exception') assert.match(raw.slice(raw.lastIndexOf('\x1b[?1049l')), /an exception on purpose/);
    else if (ending !== 'exit') assert.match(terminal.lines()[1] ?? '', /back in the shell/);
  });
