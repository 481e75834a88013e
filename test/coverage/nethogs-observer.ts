import type { Charge, Observer, Window } from './observer.ts';
import { ToolProcess } from './tool-process.ts';

/** `/tmp/x/pmc-net/12345/0	1.00293e+08	5678`: program, pid, user, bytes sent and received since nethogs began. */
const LINE = /^(.*)\/(\d+)\/\d+\t([\d.e+]+)\t([\d.e+]+)$/;

/** `nethogs -t -v 2 -d 1 DEVICE`: running totals of each process it knows, each second. */
export class NethogsObserver implements Observer {
  readonly windows: Window[] = [];
  #charges: Charge[] = [];
  /** Totals so far; a process that it dropped and found again begins anew. */
  readonly #totals = new Map<number, { out: number; in: number }>();
  readonly #process: ToolProcess;

  constructor(device: string) {
    this.#process = new ToolProcess(['stdbuf', '-oL', 'nethogs', '-t', '-v', '2', '-d', '1', device], (line) =>
      this.#read(line),
    );
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }

  #read(line: string): void {
    if (line.startsWith('Refreshing')) {
      this.#charges = [];
      this.windows.push({ endMs: Date.now(), charges: this.#charges });
      return;
    }
    const match = LINE.exec(line);
    if (match === null) return;
    const [pid, out, into] = [Number(match[2]), Number(match[3]), Number(match[4])];
    const before = this.#totals.get(pid) ?? { out: 0, in: 0 };
    this.#totals.set(pid, { out, in: into });
    this.#charges.push({
      pid,
      comm: match[1]?.split(' ')[0]?.split('/').at(-1) ?? '',
      netOutBytes: out - (out >= before.out ? before.out : 0),
      netInBytes: into - (into >= before.in ? before.in : 0),
    });
  }
}
