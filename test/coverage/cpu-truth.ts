import { mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** USER_HZ. */
const TICKS_PER_SEC = 100;
const BASELINE_MS = 3_000;

/** What a workload used of the CPU, by an authority of its own. */
export interface CpuTruth {
  /** Whether it is of the workload alone. */
  readonly isExact: boolean;
  /** The command, so that what it starts is counted. */
  counted(command: readonly string[]): readonly string[];
  /** CPU seconds since it was opened; asked once, when all of the workload has ended. */
  usedSeconds(): number;
}

/** The exact one where a control group can be made; else what the whole host used more than while nothing ran. */
export async function openCpuTruth(): Promise<CpuTruth> {
  return openGroup() ?? (await openHost());
}

/**
 * A control group (v2) counts the time of all that ever was in it, however it ended and whoever reaped it, to the microsecond.
 * `cpu.stat` is there in every group, whether or not its `cpu` controller is in use.
 */
function openGroup(): CpuTruth | undefined {
  const mount = /^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 /m.exec(readFileSync('/proc/self/mountinfo', 'utf8'))?.[1];
  if (mount === undefined) return undefined;
  let group: string;
  try {
    group = mkdtempSync(join(mount, 'procmesh-coverage-'));
  } catch {
    // In a container it is there to be read only.
    return undefined;
  }
  const close = (): void => removeGroup(group);
  process.once('exit', close);
  return {
    isExact: true,
    counted: (command) => ['sh', '-c', 'echo 0 > "$0" && exec "$@"', join(group, 'cgroup.procs'), ...command],
    usedSeconds: () => {
      const used = /^usage_usec (\d+)/m.exec(readFileSync(join(group, 'cpu.stat'), 'utf8'))?.[1];
      process.off('exit', close);
      close();
      return Number(used) / 1e6;
    },
  };
}

/** Also at the end of an interrupted run, where nothing can be awaited: what is left in it takes a moment to die. */
function removeGroup(group: string): void {
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = 0; tries < 50; tries += 1)
    try {
      writeFileSync(join(group, 'cgroup.kill'), '1');
      rmdirSync(group);
      return;
    } catch {
      Atomics.wait(nothing, 0, 0, 10);
    }
}

async function openHost(): Promise<CpuTruth> {
  const first = hostCpu();
  await pause(BASELINE_MS);
  const start = hostCpu();
  const idleShare = (start.usedSeconds - first.usedSeconds) / (start.atSeconds - first.atSeconds);
  return {
    isExact: false,
    counted: (command) => command,
    usedSeconds: () => {
      const now = hostCpu();
      return now.usedSeconds - start.usedSeconds - idleShare * (now.atSeconds - start.atSeconds);
    },
  };
}

/** cores × wall − idle − iowait − steal: the busy counters of /proc/stat miss most of a storm. */
function hostCpu(): { atSeconds: number; usedSeconds: number } {
  const atSeconds = performance.now() / 1000;
  const fields = /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]?.split(' ').map(Number) ?? [];
  const [, , , idle = 0, iowait = 0, , , steal = 0] = fields;
  return { atSeconds, usedSeconds: availableParallelism() * atSeconds - (idle + iowait + steal) / TICKS_PER_SEC };
}

/** CPU seconds that this process's ancestors have used themselves, without the children they reaped. */
export function ancestorsCpuSeconds(): Map<number, number> {
  const used = new Map<number, number>();
  for (let pid = process.ppid; pid > 0; ) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    used.set(pid, (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SEC);
    pid = Number(fields[1]);
  }
  return used;
}
