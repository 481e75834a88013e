import type { Duty } from './duties.ts';
import { HostJob } from './host-job.ts';
import type { HostChange, ListedHost } from './host-list.ts';
import { type WorkOptions, workOn } from './host-work.ts';
import type { Semaphore } from './semaphore.ts';

/** Work that does not end when it is told to is left behind after this. */
const STOP_MS = 3_000;

export interface LifecycleOptions extends WorkOptions {
  /** Of hosts that are worked on at the same time. */
  places: Semaphore;
  onTrouble: (error: Error) => void;
}

/**
 * Brings hosts into the state they are asked to be in: 1 (bring online) becomes 2, 0 (take offline) becomes -1. One work
 * per host; another wish ends it and begins the other. All that must be known is in the store: another server, or this
 * one after a restart, goes on where it was left.
 */
export class Lifecycle implements Duty {
  readonly #options: LifecycleOptions;
  readonly #jobs = new Map<string, HostJob>();
  readonly #onChange = (changes: readonly HostChange[]): void => {
    for (const change of changes) this.#review(change);
  };
  #isStopped = true;

  constructor(options: LifecycleOptions) {
    this.#options = options;
  }

  start(): void {
    this.#isStopped = false;
    const { hosts } = this.#options;
    hosts.on('change', this.#onChange);
    for (const listed of hosts.all()) this.#begin(listed, false);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#options.hosts.off('change', this.#onChange);
    const jobs = [...this.#jobs.values()];
    for (const job of jobs) job.abort();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, STOP_MS);
    await Promise.race([Promise.all(jobs.map(({ ended }) => ended)), late]);
    clearTimeout(timer);
  }

  #review({ host, before, after }: HostChange): void {
    const job = this.#jobs.get(host);
    if (job === undefined) {
      if (after !== undefined) this.#begin(after, before !== undefined && before.istate !== after.istate);
    } else if (after?.rshost === job.rshost && after.istate === job.istate) job.listChanged(after);
    else job.abort();
  }

  #begin(listed: ListedHost, isNewWish: boolean): void {
    const work = workOn(listed, this.#options);
    if (work === undefined || this.#jobs.has(listed.host)) return;
    const { host, rshost, istate } = listed;
    const isDone = (now: ListedHost | undefined): boolean =>
      now?.istate !== istate || now.rshost !== rshost || workOn(now, this.#options) === undefined;
    const job = new HostJob({ ...this.#options, listed, isNewWish, work, isDone });
    this.#jobs.set(host, job);
    void job.ended.then(() => this.#end(host, job));
  }

  /** What is asked for meanwhile is begun now. */
  #end(host: string, { istate }: HostJob): void {
    this.#jobs.delete(host);
    const listed = this.#options.hosts.get(host);
    if (!this.#isStopped && listed !== undefined) this.#begin(listed, listed.istate !== istate);
  }
}
