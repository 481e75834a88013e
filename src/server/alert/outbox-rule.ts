import type { Verdict } from './verdict.ts';

/** No more were lost for so long: it is over. */
const QUIET_MS = 5 * 60_000;

/** As many wait after an hour without a server. */
const MANY_WAITING = 100;

interface Losses {
  /** Since the agent started. */
  dropped: number;
  /** Since it was well. */
  lost: number;
  lastAt: number;
}

/** Which hosts lose intervals, as their outbox is full or their disk takes nothing. */
export class OutboxRule {
  readonly #losses = new Map<string, Losses>();

  /**
   * What an agent that this server did not know says it has lost may be long ago, as after a restart of the server; where
   * its outbox is as good as empty it was.
   */
  hello(host: string, { waiting, dropped }: { waiting: number; dropped: number }, now: number): void {
    if (waiting < MANY_WAITING && !this.#losses.has(host) && dropped > 0)
      this.#losses.set(host, { dropped, lost: 0, lastAt: now - QUIET_MS });
    else this.count(host, dropped, now);
  }

  /** @param dropped intervals that the agent gave up since it started. */
  count(host: string, dropped: number, now: number): void {
    const known = this.#losses.get(host);
    if (dropped === (known?.dropped ?? 0)) return;
    // A smaller number is that of an agent that was started again.
    const lost = dropped - (known !== undefined && known.dropped < dropped ? known.dropped : 0);
    this.#losses.set(host, {
      dropped,
      lost: (known?.lost ?? 0) + lost,
      lastAt: lost > 0 ? now : (known?.lastAt ?? now),
    });
  }

  judge(now: number): Verdict[] {
    return Array.from(this.#losses, ([host, losses]) => {
      const isWell = now - losses.lastAt >= QUIET_MS;
      if (isWell) losses.lost = 0;
      const what = losses.lost === 1 ? '1 interval' : `${losses.lost} intervals`;
      const text = isWell ? 'loses no more intervals' : `loses history: ${what} had to be dropped, its outbox is full`;
      return { host, kind: 'outbox', isWell, text };
    });
  }
}
