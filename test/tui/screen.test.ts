import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Frame, line, span } from '../../tui/frame.ts';
import { openScreen } from '../../tui/screen.ts';
import { host, SCENES } from './scenes.ts';
import { plain } from './stage.ts';
import { FakeTerminal } from './virtual-terminal.ts';

function opened(env?: NodeJS.ProcessEnv) {
  const terminal = new FakeTerminal(env);
  const keys: string[] = [];
  const sizes: [number, number][] = [];
  let gone = 0;
  const screen = openScreen(terminal, {
    key: (key) => keys.push(key),
    resize: (columns, rows) => sizes.push([columns, rows]),
    gone: () => {
      gone += 1;
    },
  });
  return { terminal, screen, keys, sizes, gone: () => gone };
}

test('a terminal shows every frame as it is, one after the other', async () => {
  const { terminal, screen } = opened();
  for (const [name, scene] of Object.entries(SCENES)) {
    if (name === 'details') continue;
    const frame = scene(80, 24).frame();
    screen.draw(frame);
    assert.deepEqual(
      await terminal.shown(),
      plain(frame).map((text) => text.trimEnd()),
      name,
    );
  }
  screen.close();
});

test('what stands right of a character that this terminal takes for narrower keeps its column', async () => {
  const { terminal, screen } = opened();
  const frame = (emoji: string): Frame => [line(80, [span(emoji), span('cpu'), span(' 12')])];
  screen.draw(frame('👩👧x'));
  screen.draw(frame('👩👩x'));
  const [shown = ''] = await terminal.shown();
  assert.equal(shown.replace(/[^\x20-\x7e]/gu, '').trim(), 'x  cpu 12');
  screen.draw(frame('mysql'));
  assert.equal((await terminal.shown())[0], 'mysqlcpu 12');
  screen.draw(frame('👧👧x'));
  const [again = ''] = await terminal.shown();
  assert.equal(again.replace(/[^\x20-\x7e]/gu, '').trim(), 'x  cpu 12');
  screen.close();
});

test('only what has changed is written', async () => {
  const { terminal, screen } = opened();
  const frame = (cpu: string): Frame => [
    line(80, [span('mysqld '), span(cpu), span(' MEM')]),
    line(80, [span('idle')]),
  ];
  screen.draw(frame('10.0'));
  const before = terminal.written.length;
  screen.draw(frame('10.0'));
  assert.equal(terminal.written.length, before);
  screen.draw(frame('11.0'));
  assert.deepEqual(terminal.written.slice(before), ['\x1b[1;8H\x1b[0m11.0\x1b[m']);
  screen.close();
});

test('colours are used where there are some, and none where NO_COLOR is set or the terminal has none', async () => {
  for (const [env, expected] of [
    [{}, true],
    [{ TERM: 'screen' }, true],
    [{ TERM: 'tmux-256color' }, true],
    [{ NO_COLOR: '1' }, false],
    [{ NO_COLOR: '' }, true],
    [{ TERM: 'vt100' }, false],
    [{ TERM: 'xterm-mono' }, false],
  ] as const) {
    const { terminal, screen } = opened(env);
    screen.draw(host(80, 24).frame());
    await terminal.shown();
    assert.equal(terminal.screen.hasColours(), expected, JSON.stringify(env));
    screen.close();
  }
});

test('the locale decides between Unicode and ASCII', () => {
  for (const [env, expected] of [
    [{}, 'unicode'],
    [{ LANG: 'C.UTF-8' }, 'unicode'],
    [{ LANG: 'zh_CN.utf8' }, 'unicode'],
    [{ LANG: 'C' }, 'ascii'],
    [{ LANG: 'en_US.UTF-8', LC_ALL: 'POSIX' }, 'ascii'],
    [{ LANG: 'C', LC_CTYPE: 'en_US.UTF-8', LC_ALL: '' }, 'unicode'],
  ] as const) {
    const { screen } = opened(env);
    assert.equal(screen.charset, expected, JSON.stringify(env));
    screen.close();
  }
});

test('keys have names, characters are themselves, and unknown sequences are nothing', () => {
  const { terminal, screen, keys } = opened();
  const typed: [string, string][] = [
    ...([
      ['a', 'a'],
      ['G', 'G'],
      [' ', ' '],
      ['/', '/'],
      ['<', '<'],
      ['订', '订'],
    ] as [string, string][]),
    ...([
      ['\r', 'enter'],
      ['\n', 'enter'],
      ['\x1b', 'escape'],
      ['\x7f', 'backspace'],
    ] as [string, string][]),
    ...([
      ['\x1b[A', 'up'],
      ['\x1bOB', 'down'],
      ['\x1b[5~', 'pageup'],
      ['\x1b[6~', 'pagedown'],
    ] as [string, string][]),
    ...([
      ['\x1b[H', 'home'],
      ['\x1b[4~', 'end'],
      ['\x1b[C', 'right'],
      ['\x1b[D', 'left'],
    ] as [string, string][]),
    ...([
      ['\x03', 'C-c'],
      ['\x15', 'C-u'],
    ] as [string, string][]),
  ];
  for (const [bytes] of typed) terminal.input.emit('data', Buffer.from(bytes));
  for (const bytes of ['\x1bq', '\x1b[99~', '\x1b[M !!', '\x1b[<0;1;1M'])
    terminal.input.emit('data', Buffer.from(bytes));
  assert.deepEqual(
    keys,
    typed.map(([, name]) => name),
  );
  screen.close();
});

test('several keys that arrive at once are several keys', () => {
  const { terminal, screen, keys } = opened();
  terminal.input.emit('data', Buffer.from('/user:订单\r'));
  assert.deepEqual(keys, [...'/user:订单', 'enter']);
  screen.close();
});

test('after a resize everything is drawn anew', async () => {
  const { terminal, screen, sizes } = opened();
  screen.draw(host(80, 24).frame());
  terminal.resize(100, 30);
  assert.deepEqual(sizes, [[100, 30]]);
  const frame = host(100, 30).frame();
  screen.draw(frame);
  assert.deepEqual(
    await terminal.shown(),
    plain(frame).map((text) => text.trimEnd()),
  );
  screen.close();
});

test('closing gives the terminal back, and may happen twice', async () => {
  const { terminal, screen } = opened();
  screen.draw(host(80, 24).frame());
  await terminal.shown();
  assert.deepEqual(terminal.screen.state, { buffer: 'alternate', mouse: 'none', showsCursor: false });
  screen.close();
  screen.close();
  screen.draw(host(80, 24).frame());
  assert.equal((await terminal.shown()).join(''), '');
  assert.deepEqual(terminal.screen.state, { buffer: 'normal', mouse: 'none', showsCursor: true });
});

test('a closed screen leaves no listener behind but the one that keeps a dead terminal from being a crash', () => {
  const exits = process.listenerCount('exit');
  const { terminal, screen, gone } = opened();
  screen.close();
  assert.equal(process.listenerCount('exit'), exits);
  assert.equal(terminal.output.listenerCount('resize'), 0);
  assert.equal(terminal.input.listenerCount('end'), 0);
  terminal.output.emit('error', new Error('EIO'));
  assert.equal(gone(), 1);
});

test('a terminal that goes away is noticed', () => {
  const { terminal, screen, gone } = opened();
  terminal.input.emit('end');
  terminal.input.emit('error', new Error('EIO'));
  assert.equal(gone(), 2);
  screen.close();
});
