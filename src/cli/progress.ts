import type { WriteStream } from 'node:tty';
import { clean, fit } from '../../tui/text.ts';

/**
 * What is being done with each of several hosts, for people, on standard error: on a terminal a line of each host that is
 * worked on, which changes in place; else a line for each step.
 */
export class Progress {
  readonly #stream: WriteStream;
  readonly #lines = new Map<string, string>();
  /** Lines that are drawn now. */
  #drawn = 0;

  constructor(stream: WriteStream) {
    this.#stream = stream;
  }

  /** Something is done with the host. */
  step(host: string, text: string): void {
    this.#lines.set(host, text);
    if (this.#stream.isTTY) this.#draw();
    else this.#stream.write(`${clean(`${host}: ${text}`)}\n`);
  }

  /** Nothing more is done with the host; its line stays. */
  end(host: string, text: string): void {
    this.#lines.delete(host);
    this.#erase();
    this.#stream.write(`${clean(`${host}: ${text}`)}\n`);
    this.#draw();
  }

  /** Takes away the lines of hosts that are not done. */
  close(): void {
    this.#erase();
    this.#lines.clear();
  }

  #erase(): void {
    if (this.#drawn > 0) this.#stream.write(`\x1b[${this.#drawn}A\x1b[J`);
    this.#drawn = 0;
  }

  /** No more than the terminal has room for: what has scrolled away cannot be changed. */
  #draw(): void {
    if (!this.#stream.isTTY) return;
    this.#erase();
    const { columns, rows } = this.#stream;
    const shown = [...this.#lines].slice(0, Math.max(1, rows - 2));
    for (const [host, text] of shown) this.#stream.write(`${fit(`${host}: ${text} …`, columns - 1).trimEnd()}\n`);
    this.#drawn = shown.length;
  }
}
