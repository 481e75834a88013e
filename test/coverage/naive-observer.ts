import { readdirSync, readFileSync } from 'node:fs';
import type { Charge, Observer, Window } from './observer.ts';

const WINDOW_MS = 1_000;
/** USER_HZ. */
const TICKS_PER_SEC = 100;

interface Counters {
  comm: string;
  startTicks: number;
  cpuTicks: number;
  io: { readBytes: number; writeBytes: number } | undefined;
}

/**
 * What top and its like do: each second the own CPU time and the I/O counters of every process that is alive, and what they
 * gained since the last look. A process that came in between shows what it has used so far; one that ended shows nothing.
 */
export class NaiveObserver implements Observer {
  readonly windows: Window[] = [];
  #before = scan();
  readonly #timer = setInterval(() => this.#look(), WINDOW_MS);

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = scan();
    const charges: Charge[] = [];
    for (const [pid, counters] of now) {
      const known = this.#before.get(pid);
      const before = known?.startTicks === counters.startTicks ? known : undefined;
      const charge: Charge = {
        pid,
        comm: counters.comm,
        cpuSeconds: (counters.cpuTicks - (before?.cpuTicks ?? 0)) / TICKS_PER_SEC,
      };
      if (counters.io !== undefined) {
        charge.readBytes = counters.io.readBytes - (before?.io?.readBytes ?? 0);
        charge.writeBytes = counters.io.writeBytes - (before?.io?.writeBytes ?? 0);
      }
      charges.push(charge);
    }
    this.#before = now;
    this.windows.push({ endMs: Date.now(), charges });
  }
}

function scan(): Map<number, Counters> {
  const processes = new Map<number, Counters>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = textOf(`/proc/${name}/stat`);
    if (stat === undefined) continue;
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const io = textOf(`/proc/${name}/io`);
    processes.set(Number(name), {
      comm: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')),
      startTicks: Number(fields[19]),
      cpuTicks: Number(fields[11]) + Number(fields[12]),
      io:
        io === undefined
          ? undefined
          : {
              readBytes: Number(/^read_bytes: (\d+)/m.exec(io)?.[1]),
              writeBytes: Number(/^write_bytes: (\d+)/m.exec(io)?.[1]),
            },
    });
  }
  return processes;
}

/** Undefined when the process went, or when its file may not be read. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
