import type { ProcessCounters, Snapshot } from '../../../src/agent/snapshot.ts';
import { deepFreeze, snapshot, T0_MS } from '../snapshots.ts';
import type { FakeTaskExits } from './task-exits.ts';

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
  ignoresChildren: boolean;
  /** Of threads that have ended; I/O only. */
  threads: Resources;
  /** What it used, and all that descend from it. */
  family: Resources;
  parent: Task | undefined;
}

/** What else happens on the machine than work, fork, exit and wait. */
export interface TreeOptions {
  /** Hears of every exit. */
  exits?: FakeTaskExits;
  /** Share of exits that are lost. */
  lost?: number;
  /** Share of processes that ignore SIGCHLD: their children are reaped by nobody. */
  ignoring?: number;
  /** Pids are used again above this; there may be 60 processes at a time. */
  maxPid?: number;
  /** Most that passes in one step. */
  ticksPerStep?: number;
  /** CPU time is used in parts of a tick, half by the user and half by the system, and read in whole ticks of each. */
  isFine?: boolean;
  /** Most ticks that a process uses after its exit was told. */
  tailTicks?: number;
}

/**
 * A kernel's process table in small, with the rules of wait(2): a child that exits is a zombie until its parent reaps it,
 * which adds all it had used to the parent; orphans go to init. What was really used is known.
 */
export class ProcessTree {
  readonly used = nothing();
  readonly #tasks = new Map<number, Task>();
  /** By pid and start, also of those that ended. */
  readonly #families = new Map<string, Resources>();
  readonly #random: () => number;
  readonly #options: TreeOptions;
  #ticks = 200_000;
  #lastPid = 1;

  constructor(random: () => number, options: TreeOptions = {}) {
    this.#random = random;
    this.#options = options;
    this.#add(1, undefined);
  }

  get size(): number {
    return this.#tasks.size;
  }

  /** The most that may ever be charged to a process: what it used, and all that descend from it. */
  family({ pid, startTicks }: Pick<ProcessCounters, 'pid' | 'startTicks'>): Resources {
    return this.#families.get(`${pid} ${startTicks}`) ?? nothing();
  }

  /** One random thing happens: somebody works, forks, exits, or reaps. */
  step(): void {
    this.#ticks += this.#below(this.#options.ticksPerStep ?? 2);
    const dice = this.#random();
    if (dice < 0.35) this.#work(this.#anyAlive());
    else if (dice < 0.6 && this.size < 60) this.#add(this.#nextPid(), this.#anyAlive());
    else if (dice < 0.8) this.#exit(this.#anyAlive());
    else this.#reapOne();
  }

  /** Everybody but init exits and is reaped. */
  end(): void {
    for (const task of [...this.#tasks.values()]) this.#exit(task);
    while ([...this.#tasks.values()].some(({ isZombie }) => isZombie)) this.#reapOne();
  }

  /** Reads everybody in the order of /proc; the world goes on meanwhile, at most `stepsBetween` steps from one to the next. */
  scan(stepsBetween: number): Snapshot {
    const { host, ...empty } = snapshot(0, {});
    const uptimeTicks = this.#ticks;
    const processes = new Map<number, ProcessCounters>();
    for (const pid of [...this.#tasks.keys()].sort((a, b) => a - b)) {
      for (let steps = this.#below(stepsBetween + 1); steps > 0; steps -= 1) this.step();
      const task = this.#tasks.get(pid);
      if (task !== undefined) processes.set(pid, this.#countersOf(task));
    }
    const times = { monotonicMs: uptimeTicks * 10, wallMs: T0_MS + uptimeTicks * 10 };
    return deepFreeze({ ...empty, ...times, host: { ...host, uptimeTicks }, processes });
  }

  #work(task: Task): void {
    const { isFine, exits } = this.#options;
    const cpuTicks = isFine ? this.#below(400) / 128 : this.#below(50);
    const more = { cpuTicks, readBytes: this.#below(9_000), writeBytes: this.#below(9_000) };
    this.#use(task, more);
    if (exits === undefined || this.#random() < 0.7) return;
    add(task.threads, { ...more, cpuTicks: 0 });
    this.#tell(task, false, more);
  }

  #use(task: Task, more: Resources): void {
    add(task.own, more);
    add(this.used, more);
    for (let member: Task | undefined = task; member !== undefined; member = member.parent) add(member.family, more);
  }

  #nextPid(): number {
    const { maxPid = Number.MAX_SAFE_INTEGER } = this.#options;
    do this.#lastPid = this.#lastPid >= maxPid ? 2 : this.#lastPid + 1;
    while (this.#tasks.has(this.#lastPid));
    return this.#lastPid;
  }

  #add(pid: number, parent: Task | undefined): void {
    const { ignoring = 0 } = this.#options;
    const startTicks = parent === undefined ? 1 : this.#ticks;
    const family = nothing();
    this.#families.set(`${pid} ${startTicks}`, family);
    this.#tasks.set(pid, {
      pid,
      ppid: parent?.pid ?? 0,
      startTicks,
      own: nothing(),
      reaped: nothing(),
      isZombie: false,
      ignoresChildren: parent !== undefined && ignoring > 0 && this.#random() < ignoring,
      threads: nothing(),
      family,
      parent,
    });
  }

  #exit(task: Task): void {
    if (task.pid === 1 || task.isZombie) return;
    this.#tell(task, true, {
      cpuTicks: task.own.cpuTicks,
      readBytes: task.own.readBytes - task.threads.readBytes,
      writeBytes: task.own.writeBytes - task.threads.writeBytes,
    });
    const { tailTicks } = this.#options;
    if (tailTicks !== undefined) this.#use(task, { ...nothing(), cpuTicks: this.#below(tailTicks * 128) / 128 });
    for (const child of this.#tasks.values()) if (child.ppid === task.pid) child.ppid = 1;
    if (this.#tasks.get(task.ppid)?.ignoresChildren) this.#tasks.delete(task.pid);
    else task.isZombie = true;
  }

  #tell({ pid, ppid, startTicks }: Task, isLast: boolean, used: Resources): void {
    const { exits, lost = 0 } = this.#options;
    if (exits === undefined) return;
    if (lost > 0 && this.#random() < lost) {
      exits.overruns += 1;
      return;
    }
    const startedAtMs = T0_MS + startTicks * 10 + (this.#random() - 0.5) * 1_000;
    exits.tell({ tgid: pid, ppid, isLast, ...used, startedAtMs, livedMs: (this.#ticks - startTicks) * 10 });
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

  #countersOf({ pid, ppid, startTicks, own, reaped, isZombie }: Task): ProcessCounters {
    const ticks = (exactly: number): number => (this.#options.isFine ? 2 * Math.floor(exactly / 2) : exactly);
    return {
      pid,
      ppid,
      comm: `p${pid}`,
      state: isZombie ? 'Z' : 'S',
      startTicks,
      threads: 1,
      rssPages: 10,
      ownTicks: ticks(own.cpuTicks),
      reapedTicks: ticks(reaped.cpuTicks),
      io: { readBytes: own.readBytes + reaped.readBytes, writeBytes: own.writeBytes + reaped.writeBytes },
    };
  }
}
