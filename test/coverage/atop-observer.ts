import type { Charge, Observer, Window } from './observer.ts';
import { ToolProcess } from './tool-process.ts';

/** `PRC vm 1795424530 2026/11/23 09:02:10 1 12533 (dd) E 100 0 3 …`: label, host, epoch, date, time, seconds, pid, name. */
const LINE = /^(PRC|PRD) \S+ \d+ \S+ \S+ (\d+) (\d+) \((.*?)\) (\S) (\S.*)$/;
const SECTOR_BYTES = 512;

/**
 * `atop -P PRC,PRD 1`, as it runs without its daemon: as root it switches the kernel's process accounting on by itself, and
 * shows what ended within a window by that.
 */
export class AtopObserver implements Observer {
  readonly windows: Window[] = [];
  #charges = new Map<string, Charge>();
  /** The first block is since boot. */
  #sinceBoot = false;
  readonly #process = new ToolProcess(['stdbuf', '-oL', 'atop', '-P', 'PRC,PRD', '1'], (line) => this.#read(line));

  stop(): Promise<void> {
    return this.#process.stop();
  }

  #read(line: string): void {
    if (line === 'RESET') {
      this.#sinceBoot = true;
      return;
    }
    if (line === 'SEP') {
      if (!this.#sinceBoot) this.windows.push({ endMs: Date.now(), charges: [...this.#charges.values()] });
      this.#sinceBoot = false;
      this.#charges = new Map();
      return;
    }
    const match = LINE.exec(line);
    if (match !== null) this.#add(match);
  }

  #add([, label, , pid, comm, state, rest]: RegExpExecArray): void {
    // A pid can be there twice: as it was last seen alive, and once more with the state E when it ended.
    const key = `${pid} ${state}`;
    const charge = this.#charges.get(key) ?? { pid: Number(pid), comm: comm ?? '' };
    this.#charges.set(key, charge);
    const fields = (rest ?? '').split(' ');
    if (label === 'PRC') {
      // Ticks per second, user, system.
      charge.cpuSeconds = (Number(fields[1]) + Number(fields[2])) / Number(fields[0]);
    } else if (fields[1] === 'y') {
      // A kernel patch, standard I/O statistics, reads, sectors read, writes, sectors written.
      charge.readBytes = Number(fields[3]) * SECTOR_BYTES;
      charge.writeBytes = Number(fields[5]) * SECTOR_BYTES;
    }
  }
}
