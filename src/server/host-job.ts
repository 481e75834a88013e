import pRetry from 'p-retry';
import { Problem } from '../problem.ts';
import type { FleetStore, Istate } from '../store/fleet.ts';
import type { HostList, ListedHost } from './host-list.ts';
import { PhaseNotes } from './phase-notes.ts';
import type { Semaphore } from './semaphore.ts';

const FIRST_RETRY_MS = 5_000;
const LAST_RETRY_MS = 10 * 60_000;
/** A reason is read on one line of a terminal. */
const MAX_FAILURE_LENGTH = 500;

/** Brings one host into the state it is to have. Rejects with the reason when it cannot; it is then tried again. */
export type Work = (listed: ListedHost, notes: PhaseNotes, signal: AbortSignal) => Promise<void>;

export interface HostJobOptions {
  listed: ListedHost;
  /** Nothing like it was asked for before: what is noted of failures is of something else. */
  isNewWish: boolean;
  work: Work;
  /** Whether what the list shows now leaves nothing to do. */
  isDone: (listed: ListedHost | undefined) => boolean;
  fleet: FleetStore;
  hosts: HostList;
  /** Of hosts that are worked on at the same time. */
  places: Semaphore;
  onTrouble: (error: Error) => void;
}

/** The work on one host, tried until it is done or aborted, ever more seldom. The reason of each failure is noted in the store. */
export class HostJob {
  readonly rshost: string;
  readonly istate: Istate;
  /** Resolves when it is done and the list shows that, or when it was aborted. Never rejects. */
  readonly ended: Promise<void>;
  readonly #options: HostJobOptions;
  readonly #abort = new AbortController();
  #wait = new AbortController();
  #attempts: number;
  #isForgetting: boolean;
  #isWaiting = false;
  /** The list shows the failure after which it waits. */
  #isFailureShown = false;

  constructor(options: HostJobOptions) {
    this.#options = options;
    const { listed, isNewWish } = options;
    this.rshost = listed.rshost;
    this.istate = listed.istate;
    this.#attempts = isNewWish ? 0 : (listed.attempts ?? 0);
    this.#isForgetting = isNewWish && listed.failure !== undefined;
    this.ended = this.#run().catch((error) => {
      if (!this.#abort.signal.aborted) options.onTrouble(error);
    });
  }

  abort(): void {
    this.#abort.abort();
  }

  /** Tells it what the list shows now. Whoever takes the failure away wants it tried again at once. */
  listChanged({ failure }: ListedHost): void {
    if (!this.#isWaiting) return;
    if (failure !== undefined) this.#isFailureShown = true;
    else if (this.#isFailureShown) this.#wait.abort();
  }

  async #run(): Promise<void> {
    while (!(await this.#isTried())) {
      this.#attempts = 0;
      this.#wait = new AbortController();
    }
  }

  /** @returns false when it was told to begin anew. */
  async #isTried(): Promise<boolean> {
    const { signal: told } = this.#wait;
    const { signal } = this.#abort;
    try {
      await pRetry(() => this.#attempt(), {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: FIRST_RETRY_MS,
        maxTimeout: LAST_RETRY_MS,
        randomize: true,
        signal: AbortSignal.any([signal, told]),
      });
      return true;
    } catch (error) {
      if (signal.aborted || !told.aborted) throw error;
      return false;
    }
  }

  async #attempt(): Promise<void> {
    const { fleet, hosts, places, listed, work, isDone } = this.#options;
    const { signal } = this.#abort;
    this.#isWaiting = false;
    this.#isFailureShown = false;
    const leave = await places.acquire(signal);
    const notes = new PhaseNotes(fleet, this.rshost);
    try {
      if (this.#isForgetting) notes.note({ failure: undefined, attempts: undefined });
      this.#isForgetting = false;
      // What was noted since it began counts, such as that something was put there.
      await work(hosts.get(listed.host) ?? listed, notes, signal);
      await hosts.refresh();
      if (!isDone(hosts.get(listed.host)))
        throw new Problem('ERR_STATE', 'it was asked for again while it was done: it is done again');
    } catch (error) {
      await this.#failed(error, notes);
      // p-retry would take a TypeError for a fault that no retry mends.
      throw new Error('tried again later', { cause: error });
    } finally {
      leave();
    }
  }

  async #failed(error: unknown, notes: PhaseNotes): Promise<void> {
    const { onTrouble } = this.#options;
    if (this.#abort.signal.aborted) return notes.end({}).catch(onTrouble);
    const trouble = error instanceof Error ? error : new Error(String(error));
    if (!(trouble instanceof Problem)) onTrouble(trouble);
    this.#attempts += 1;
    this.#isWaiting = true;
    const failure = trouble.message.slice(0, MAX_FAILURE_LENGTH);
    await notes.end({ phase: undefined, failure, attempts: this.#attempts }).catch(onTrouble);
  }
}
