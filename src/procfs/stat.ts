/** Host CPU time of /proc/stat, summed over all CPUs, in ticks of 1/100 s; proc_stat(5). */
export interface CpuTimes {
  idleTicks: number;
  iowaitTicks: number;
  /** Taken by the hypervisor for other guests. */
  stealTicks: number;
  /** CPUs that are online. */
  cores: number;
  /** Epoch seconds of the boot. */
  bootSec: number;
  /** Processes and threads that were ever started; undefined where the kernel does not tell. */
  forks?: number;
}

/** @throws SyntaxError when there is no line of CPU totals. */
export function parseStat(text: string): CpuTimes {
  const total = /^cpu +\d+ \d+ \d+ (\d+) (\d+) \d+ \d+ (\d+)/.exec(text);
  if (total === null) throw new SyntaxError('no "cpu" line in /proc/stat');
  const forks = /^processes (\d+)/m.exec(text)?.[1];
  return {
    idleTicks: Number(total[1]),
    iowaitTicks: Number(total[2]),
    stealTicks: Number(total[3]),
    cores: text.match(/^cpu\d/gm)?.length ?? 1,
    bootSec: Number(/^btime (\d+)/m.exec(text)?.[1] ?? 0),
    ...(forks !== undefined && { forks: Number(forks) }),
  };
}
