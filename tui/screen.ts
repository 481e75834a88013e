import type { ReadStream, WriteStream } from 'node:tty';
import blessed from 'blessed';
import type { Frame, Line, Style } from './frame.ts';
import { cells } from './text.ts';

export interface Terminal {
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly env: NodeJS.ProcessEnv;
}

export interface ScreenEvents {
  /** A printable character, or a name such as `up`, `enter`, `escape`, `C-c`. */
  key(key: string): void;
  resize(columns: number, rows: number): void;
  /** The terminal itself is not there any more. */
  gone(): void;
}

export interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly charset: 'unicode' | 'ascii';
  /** Writes what differs from the frame before; nothing if nothing does. */
  draw(frame: Frame): void;
  /** Gives the terminal back as it was found. May be called again. */
  close(): void;
}

const ALTERNATE_SCREEN = '?1049';
/** Everything else has known the eight colours for decades, whatever the machine's terminfo says about it. */
const COLOURLESS = /^(|dumb|unknown|vt\d.*|.*-m|.*-mono)$/;
const COLOURS = { red: 31, green: 32, yellow: 33, cyan: 36 };
/** Text that takes the same cells in every terminal: ASCII, and what the views draw with. */
const STEADY = /^[\x20-\x7e\u2500-\u25ff·…–›↑↓←→✗]*$/;

/**
 * Takes over a terminal through blessed's program layer. Frames are painted here and not by blessed's own screen, which
 * draws borders through the alternate character set (letters under some of TERM=screen and tmux), takes emoji for narrow
 * and cannot dim; and without its terminfo reader, which prints errors onto the screen for entries of today's ncurses.
 */
export function openScreen({ input, output, env }: Terminal, events: ScreenEvents): Screen {
  const options = { input, output, tput: false };
  const program = blessed.program(options as object);
  const hasColours = !env.NO_COLOR && !COLOURLESS.test(env.TERM ?? '');
  let shown: Map<number, string>[] = [];
  let isOpen = true;

  program.on('keypress', (character: string | undefined, key: { full: string; ctrl?: boolean; meta?: boolean }) => {
    const name = nameOf(character, key);
    if (name !== undefined && isOpen) events.key(name);
  });
  program.on('resize', () => {
    shown = [];
    events.resize(program.cols, program.rows);
  });
  // A terminal that was closed fails reads and writes, the last of them after we have let go of it: this listener stays.
  output.on('error', events.gone);
  input.on('error', events.gone);
  input.on('end', events.gone);
  process.on('exit', close);
  program.setMode(ALTERNATE_SCREEN);
  program.hideCursor();

  function draw(frame: Frame): void {
    if (!isOpen) return;
    const isFirst = shown.length === 0;
    const painted = frame.map((line, row) => paint(line, row, shown[row], hasColours));
    shown = painted.map(({ spans }) => spans);
    const text = painted.map(({ changes }) => changes).join('');
    if (text !== '') program.write(`${isFirst ? '\x1b[m\x1b[2J' : ''}${text}\x1b[m`);
  }

  function close(): void {
    if (!isOpen) return;
    isOpen = false;
    process.off('exit', close);
    input.off('error', events.gone);
    input.off('end', events.gone);
    // Where there is no alternate screen the shell goes on below what was drawn.
    program.write(`\x1b[m\x1b[${program.rows};1H`);
    program.showCursor();
    program.resetMode(ALTERNATE_SCREEN);
    program.destroy();
  }

  return { columns: program.cols, rows: program.rows, charset: charsetOf(env), draw, close };
}

/**
 * What turns one row into another: the spans that are not already in their place. After text whose width terminals do
 * not agree about, everything to its right is placed anew, so that it can never shift the columns.
 */
function paint(
  line: Line,
  row: number,
  before: Map<number, string> | undefined,
  hasColours: boolean,
): { spans: Map<number, string>; changes: string } {
  const spans = new Map<number, string>();
  let changes = '';
  let column = 0;
  let cursor = -1;
  let isShifted = false;
  for (const { text, style } of line) {
    const encoded = encode(style, hasColours) + text;
    spans.set(column, encoded);
    if (isShifted || before?.get(column) !== encoded) {
      const isSteady = STEADY.test(text);
      if (cursor !== column) changes += `\x1b[${row + 1};${column + 1}H`;
      changes += isSteady ? encoded : `\x1b[m\x1b[K${encoded}`;
      cursor = isSteady ? column + text.length : -1;
      isShifted ||= !isSteady;
    }
    column += cells(text);
  }
  return { spans, changes };
}

function encode({ fg, bold, dim, inverse }: Style, hasColours: boolean): string {
  const codes = ['0'];
  if (bold) codes.push('1');
  if (dim) codes.push('2');
  if (inverse) codes.push('7');
  if (fg !== undefined && hasColours) codes.push(String(COLOURS[fg]));
  return `\x1b[${codes.join(';')}m`;
}

/** blessed reports Enter twice, as `return` and as `enter`. */
function nameOf(character: string | undefined, key: { full: string; ctrl?: boolean; meta?: boolean }) {
  const { full } = key;
  if (full === 'return' || key.meta) return undefined;
  if (full === 'linefeed') return 'enter';
  const isPrintable = character !== undefined && character >= ' ' && character !== '\x7f' && !key.ctrl;
  return isPrintable ? character : full;
}

/** No locale at all is the rule in containers, whose terminals are UTF-8 nevertheless; only another one speaks against it. */
function charsetOf(env: NodeJS.ProcessEnv): 'unicode' | 'ascii' {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || 'UTF-8';
  return /utf-?8/i.test(locale) ? 'unicode' : 'ascii';
}
