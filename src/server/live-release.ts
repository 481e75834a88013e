import type { Query } from '../protocol/query.ts';
import type { RolloutStatus } from '../protocol/release.ts';
import type { Deliver, LiveAnswer, LiveQuery } from './live-query.ts';

/** While hosts are upgraded something changes all the time: nobody reads faster. */
const REST_MS = 1_000;

/** How the newest rollout stands, and when that changes; see `RolloutView`. */
export interface RolloutStanding {
  /** Of the status, without looking at every host. */
  readonly state: RolloutStatus['state'] | undefined;
  status(limit: number, host?: string): RolloutStatus | undefined;
  on(event: 'change', listener: () => void): unknown;
  off(event: 'change', listener: () => void): unknown;
}

/**
 * How the newest rollout stands: what changes is told at once, and then at most once a second, but for its end, or a halt,
 * which somebody may be waiting for.
 */
export class LiveRelease implements LiveQuery {
  readonly #query: Query;
  readonly #rollouts: RolloutStanding | undefined;
  readonly #deliver: Deliver;
  readonly #onChange = (): void => {
    if (this.#rest === undefined || this.#rollouts?.state !== this.#toldState) this.#tell();
    else this.#isStale = true;
  };
  #rest: NodeJS.Timeout | undefined;
  #isStale = false;
  #told: string | undefined;
  #toldState: RolloutStatus['state'] | undefined;

  /** @param rollouts undefined where nobody knows of any. */
  constructor(query: Query, rollouts: RolloutStanding | undefined, deliver: Deliver) {
    this.#query = query;
    this.#rollouts = rollouts;
    this.#deliver = deliver;
    const rollout = this.#status();
    this.#told = JSON.stringify(rollout);
    this.#toldState = rollout?.state;
    rollouts?.on('change', this.#onChange);
  }

  /** As it stands now: whoever has just steered it must not be told how it stood before. */
  get latest(): LiveAnswer {
    return answerOf(this.#status());
  }

  close(): void {
    clearTimeout(this.#rest);
    this.#rollouts?.off('change', this.#onChange);
  }

  /** Hosts change in many ways that are nothing to a rollout. */
  #tell(): void {
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      if (this.#isStale) this.#tell();
    }, REST_MS);
    this.#isStale = false;
    const rollout = this.#status();
    const text = JSON.stringify(rollout);
    if (text === this.#told) return;
    this.#told = text;
    this.#toldState = rollout?.state;
    this.#deliver(answerOf(rollout));
  }

  #status(): RolloutStatus | undefined {
    return this.#rollouts?.status(this.#query.limit, this.#query.host);
  }
}

function answerOf(rollout: RolloutStatus | undefined): LiveAnswer {
  return { type: 'release', at: new Date().toISOString(), ...(rollout !== undefined && { rollout }) };
}
