import type { Charge, Observer, Window } from './observer.ts';
import { ToolProcess } from './tool-process.ts';

/** `pidstat -u -d -h 1`: one block of lines each second, and in each the processes that used anything. */
export class PidstatObserver implements Observer {
  readonly windows: Window[] = [];
  #columns: readonly string[] = [];
  #charges: Charge[] = [];
  // It fills a buffer where it writes to a pipe; a block would arrive seconds after its time.
  readonly #process = new ToolProcess(['stdbuf', '-oL', 'pidstat', '-u', '-d', '-h', '1'], (line) => this.#read(line));

  stop(): Promise<void> {
    return this.#process.stop();
  }

  #read(line: string): void {
    if (line.startsWith('#')) {
      this.#columns = line.slice(1).trim().split(/\s+/);
      // All lines of a block are written at once, so this is the window's end.
      this.#charges = [];
      this.windows.push({ endMs: Date.now(), charges: this.#charges });
      return;
    }
    const charge = this.#chargeOf(line.trim().split(/\s+/));
    if (charge !== undefined) this.#charges.push(charge);
  }

  #chargeOf(cells: readonly string[]): Charge | undefined {
    const cell = (column: string): string | undefined => cells[this.#columns.indexOf(column)];
    const pid = Number(cell('PID'));
    const commAt = this.#columns.indexOf('Command');
    if (!(pid > 0) || cells.length <= commAt) return undefined;
    const perSec = (column: string): number => Number(cell(column));
    return {
      pid,
      comm: cells.slice(commAt).join(' '),
      cpuSeconds: (perSec('%usr') + perSec('%system')) / 100,
      readBytes: Math.max(0, perSec('kB_rd/s')) * 1024,
      writeBytes: Math.max(0, perSec('kB_wr/s')) * 1024,
    };
  }
}
