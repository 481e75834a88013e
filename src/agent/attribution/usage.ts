/** What one process used up between two snapshots, its vanished children's share included. Never negative. */
export interface Usage {
  /** Of 1/100 s. */
  cpuTicks: number;
  readBytes: number;
  writeBytes: number;
}

export const RESOURCES = ['cpuTicks', 'readBytes', 'writeBytes'] as const;

export function none(): Usage {
  return { cpuTicks: 0, readBytes: 0, writeBytes: 0 };
}

/** Written out, as it is called for every process that ends. */
export function add(sum: Usage, more: Readonly<Usage>): void {
  sum.cpuTicks += more.cpuTicks;
  sum.readBytes += more.readBytes;
  sum.writeBytes += more.writeBytes;
}

/** Adds to what a process used; what is not above 0 is nothing. */
export function charge(usage: Map<number, Usage>, pid: number, resource: keyof Usage, amount: number): void {
  if (amount <= 0) return;
  let used = usage.get(pid);
  if (used === undefined) {
    used = none();
    usage.set(pid, used);
  }
  used[resource] += amount;
}
