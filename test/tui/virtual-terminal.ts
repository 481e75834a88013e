import { EventEmitter, once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import type { ReadStream, WriteStream } from 'node:tty';
import xterm from '@xterm/headless';
import type { Terminal } from '../../tui/screen.ts';

/** What a terminal shows that was fed with these bytes. */
export class VirtualTerminal {
  readonly #xterm: xterm.Terminal;
  #showsCursor = true;

  constructor(columns = 80, rows = 24) {
    this.#xterm = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true });
    for (const final of ['h', 'l'])
      this.#xterm.parser.registerCsiHandler({ prefix: '?', final }, (modes) => {
        if (modes.includes(25)) this.#showsCursor = final === 'h';
        return false;
      });
  }

  write(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => this.#xterm.write(bytes, resolve));
  }

  resize(columns: number, rows: number): void {
    this.#xterm.resize(columns, rows);
  }

  lines(): string[] {
    const { active } = this.#xterm.buffer;
    return Array.from({ length: this.#xterm.rows }, (_, row) =>
      (active.getLine(active.baseY + row)?.translateToString() ?? '').trimEnd(),
    );
  }

  text(): string {
    return this.lines().join('\n');
  }

  get state() {
    const { modes, buffer } = this.#xterm;
    return { buffer: buffer.active.type, mouse: modes.mouseTrackingMode, showsCursor: this.#showsCursor };
  }

  /** Whether any cell has a colour of its own. */
  hasColours(): boolean {
    const { active } = this.#xterm.buffer;
    for (let row = 0; row < this.#xterm.rows; row += 1)
      for (let column = 0; column < this.#xterm.cols; column += 1) {
        const cell = active.getLine(row)?.getCell(column);
        if (cell !== undefined && !(cell.isFgDefault() && cell.isBgDefault())) return true;
      }
    return false;
  }
}

/** Streams that look like a terminal; what is written to it is kept, and what is typed is read. */
export class FakeTerminal implements Terminal {
  readonly env: NodeJS.ProcessEnv;
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly screen: VirtualTerminal;
  written: string[] = [];
  #settled: Promise<void> = Promise.resolve();
  readonly #writes = new EventEmitter();

  constructor(env: NodeJS.ProcessEnv = {}, columns = 80, rows = 24) {
    this.env = { TERM: 'xterm-256color', ...env };
    this.screen = new VirtualTerminal(columns, rows);
    this.input = Object.assign(new PassThrough(), { isTTY: true, isRaw: false, setRawMode: () => {} }) as never;
    const output = new Writable({
      decodeStrings: false,
      write: (text: string, _, done) => {
        this.written.push(text);
        this.#settled = this.screen.write(text);
        done();
        this.#writes.emit('write');
      },
    });
    this.output = Object.assign(output, { isTTY: true, columns, rows }) as never;
  }

  type(keys: string): void {
    (this.input as unknown as PassThrough).write(keys);
  }

  resize(columns: number, rows: number): void {
    this.screen.resize(columns, rows);
    Object.assign(this.output, { columns, rows });
    this.output.emit('resize');
  }

  /** The screen once everything written so far is on it. */
  async shown(): Promise<string[]> {
    await this.#settled;
    return this.screen.lines();
  }

  /** Waits until the screen shows this, however many frames it takes. */
  async until(wanted: RegExp): Promise<string> {
    for (;;) {
      const next = once(this.#writes, 'write');
      const text = (await this.shown()).join('\n');
      if (wanted.test(text)) return text;
      await next;
    }
  }
}
