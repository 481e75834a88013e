import pRetry from 'p-retry';
import { Problem } from '../../problem.ts';
import type { Alert, FleetStore } from '../../store/fleet.ts';

/** What waits for the store at most, some hundred bytes each: a whole fleet may be offline at once. */
const MAX_WAITING = 20_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
/** What another server has said so recently is not said again. */
const RECENT_MS = 5 * 60_000;

interface Waiting {
  alert: Alert;
  /** As of `Verdict`. */
  reason: string | undefined;
}

/** Brings alerts into the store, in order, until it has them. */
export class AlertLedger {
  readonly #fleet: FleetStore;
  readonly #onTrouble: (error: Error) => void;
  readonly #stop = new AbortController();
  readonly #waiting: Waiting[] = [];
  /** Second of what this server wrote last, by host and kind. */
  readonly #written = new Map<string, number>();
  #isWriting = false;

  constructor({ fleet, onTrouble }: { fleet: FleetStore; onTrouble: (error: Error) => void }) {
    this.#fleet = fleet;
    this.#onTrouble = onTrouble;
  }

  add(alert: Alert, reason?: string): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#onTrouble(
        new Problem('ERR_ALERTS', `too many alerts wait for the store, this one is lost: ${alert.remarks}`),
      );
      return;
    }
    this.#waiting.push({ alert, reason });
    if (!this.#isWriting) void this.#writeAll();
  }

  get isWriting(): boolean {
    return this.#isWriting;
  }

  /** What waits is given up. */
  close(): void {
    this.#stop.abort();
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    const { signal } = this.#stop;
    const [minTimeout, maxTimeout, retries] = [FIRST_RETRY_MS, LAST_RETRY_MS, Number.POSITIVE_INFINITY];
    try {
      while (this.#waiting.length > 0)
        await pRetry(() => this.#attempt(), { minTimeout, maxTimeout, retries, randomize: true, signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    this.#isWriting = false;
  }

  async #attempt(): Promise<void> {
    try {
      const recent = await this.#fleet.lastAlerts(Date.now() - RECENT_MS);
      const told = new Map(recent.map((alert) => [keyOf(alert), alert]));
      for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
        const { alert } = next;
        const key = keyOf(alert);
        if (!this.#isToldByOther(next, told.get(key))) {
          await this.#write(alert);
          told.set(key, alert);
        }
        this.#written.set(key, alert.atMs);
        this.#waiting.shift();
      }
    } catch (error) {
      this.#onTrouble(error instanceof Error ? error : new Error(String(error)));
      // p-retry gives up at a TypeError.
      throw new Error('not written', { cause: error });
    }
  }

  /** What the store refuses for good must not hold up the others. */
  async #write(alert: Alert): Promise<void> {
    try {
      await this.#fleet.alert(alert);
    } catch (error) {
      if (!(error instanceof Problem && error.code === 'ERR_STORE_REFUSED')) throw error;
      this.#onTrouble(error);
    }
  }

  /** The same in other words, as a time may be part of them; another reason is another thing. */
  #isToldByOther({ alert, reason = '' }: Waiting, last: Alert | undefined): boolean {
    if (last?.istate !== alert.istate || last.atMs === this.#written.get(keyOf(alert))) return false;
    return last.remarks.includes(reason);
  }
}

function keyOf({ host, kind }: Alert): string {
  return `${host}\n${kind}`;
}
