import type { ProcessCounters, Snapshot } from '../../src/agent/snapshot.ts';
import { deepFreeze, snapshot } from './snapshots.ts';

export interface Resources {
  cpuTicks: number;
  readBytes: number;
  writeBytes: number;
}

export const RESOURCES = ['cpuTicks', 'readBytes', 'writeBytes'] as const;

export function nothing(): Resources {
  return { cpuTicks: 0, readBytes: 0, writeBytes: 0 };
}

export function add(sum: Resources, more: Resources): void {
  for (const resource of RESOURCES) sum[resource] += more[resource];
}

interface Task {
  pid: number;
  ppid: number;
  startTicks: number;
  own: Resources;
  reaped: Resources;
  isZombie: boolean;
}

/** Numbers from 0 to 1 that repeat for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A kernel's process table in small, with the rules of wait(2): a child that exits is a zombie until its parent reaps it,
 * which adds all it had used to the parent; orphans go to init. What was really used is known.
 */
export class ProcessTree {
  readonly used = nothing();
  readonly #tasks = new Map<number, Task>();
  readonly #random: () => number;
  #ticks = 200_000;
  #lastPid = 1;
  #scans = 0;

  constructor(random: () => number) {
    this.#random = random;
    this.#tasks.set(1, { pid: 1, ppid: 0, startTicks: 1, own: nothing(), reaped: nothing(), isZombie: false });
  }

  get size(): number {
    return this.#tasks.size;
  }

  /** One random thing happens: somebody works, forks, exits, or reaps. */
  step(): void {
    this.#ticks += this.#below(2);
    const dice = this.#random();
    if (dice < 0.35) this.#work(this.#anyAlive());
    else if (dice < 0.6 && this.size < 60) this.#fork(this.#anyAlive());
    else if (dice < 0.8) this.#exit(this.#anyAlive());
    else this.#reapOne();
  }

  /** Everybody but init exits and is reaped. */
  end(): void {
    for (const task of [...this.#tasks.values()]) this.#exit(task);
    while (this.size > 1) this.#reapOne();
  }

  /** Reads everybody in the order of /proc; the world goes on meanwhile, at most `stepsBetween` steps from one to the next. */
  scan(stepsBetween: number): Snapshot {
    this.#scans += 1;
    const { host, ...empty } = snapshot(this.#scans, {});
    const uptimeTicks = this.#ticks;
    const processes = new Map<number, ProcessCounters>();
    for (const pid of [...this.#tasks.keys()].sort((a, b) => a - b)) {
      for (let steps = this.#below(stepsBetween + 1); steps > 0; steps -= 1) this.step();
      const task = this.#tasks.get(pid);
      if (task !== undefined) processes.set(pid, countersOf(task));
    }
    return deepFreeze({ ...empty, host: { ...host, uptimeTicks }, processes });
  }

  #work(task: Task): void {
    const more = { cpuTicks: this.#below(50), readBytes: this.#below(9_000), writeBytes: this.#below(9_000) };
    add(task.own, more);
    add(this.used, more);
  }

  #fork(parent: Task): void {
    this.#lastPid += 1;
    const pid = this.#lastPid;
    const own = nothing();
    this.#tasks.set(pid, {
      pid,
      ppid: parent.pid,
      startTicks: this.#ticks,
      own,
      reaped: nothing(),
      isZombie: false,
    });
  }

  #exit(task: Task): void {
    if (task.pid === 1 || task.isZombie) return;
    task.isZombie = true;
    for (const child of this.#tasks.values()) if (child.ppid === task.pid) child.ppid = 1;
  }

  #reapOne(): void {
    const zombies = [...this.#tasks.values()].filter(({ isZombie }) => isZombie);
    const zombie = zombies[this.#below(zombies.length)];
    if (zombie === undefined) return;
    const parent = this.#tasks.get(zombie.ppid) as Task;
    add(parent.reaped, zombie.own);
    add(parent.reaped, zombie.reaped);
    this.#tasks.delete(zombie.pid);
  }

  #anyAlive(): Task {
    const alive = [...this.#tasks.values()].filter(({ isZombie }) => !isZombie);
    return alive[this.#below(alive.length)] as Task;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}

function countersOf({ pid, ppid, startTicks, own, reaped, isZombie }: Task): ProcessCounters {
  return {
    pid,
    ppid,
    comm: `p${pid}`,
    state: isZombie ? 'Z' : 'S',
    startTicks,
    threads: 1,
    rssPages: 10,
    ownTicks: own.cpuTicks,
    reapedTicks: reaped.cpuTicks,
    io: { readBytes: own.readBytes + reaped.readBytes, writeBytes: own.writeBytes + reaped.writeBytes },
  };
}
