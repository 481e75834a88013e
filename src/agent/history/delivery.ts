import type { Interval } from '../../protocol/interval.ts';
import type { Outbox } from './outbox.ts';

/** Intervals that may be on their way without an acknowledgement: back-fill goes at the pace of the server's store. */
const IN_FLIGHT = 4;
/** After a break: reading and sending one takes about a millisecond of CPU, so that this is some 2 % of a core. */
const BACK_FILL_EVERY_MS = 50;
/** As many may go at once. */
const BURST = 8;

/** Brings what waits in the outbox to the server, oldest first, until it is acknowledged. */
export class Delivery {
  readonly #outbox: Outbox;
  readonly #send: (interval: Interval) => boolean;
  readonly #inFlight = new Set<number>();
  #isOpen = false;
  #sending = false;
  #sendAgain = false;
  #allowance = BURST;
  #allowedAt = 0;
  #pause: NodeJS.Timeout | undefined;

  /** @param send false when there is nobody to send it to. */
  constructor(outbox: Outbox, send: (interval: Interval) => boolean) {
    this.#outbox = outbox;
    this.#send = send;
  }

  /** A server listens. */
  open(): void {
    this.#isOpen = true;
    void this.run();
  }

  /** What is not acknowledged is sent again to the next server. */
  close(): void {
    this.#isOpen = false;
    this.#inFlight.clear();
    clearTimeout(this.#pause);
    this.#pause = undefined;
  }

  /** To be called when something new waits. */
  async run(): Promise<void> {
    this.#sendAgain = true;
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (this.#sendAgain) {
        this.#sendAgain = false;
        for (const endMs of this.#outbox.oldest(IN_FLIGHT)) await this.#sendOne(endMs);
      }
    } finally {
      this.#sending = false;
    }
  }

  /** The server has stored it. */
  async acknowledged(endMs: number): Promise<void> {
    this.#inFlight.delete(endMs);
    await this.#outbox.forget(endMs);
    await this.run();
  }

  /** The server has no room for it at the moment. */
  deferred(endMs: number, afterMs: number): void {
    this.#inFlight.delete(endMs);
    this.#pauseFor(afterMs);
  }

  async #sendOne(endMs: number): Promise<void> {
    if (!this.#isOpen || this.#pause !== undefined || this.#inFlight.has(endMs) || !this.#isAllowed()) return;
    this.#inFlight.add(endMs);
    const interval = await this.#outbox.read(endMs);
    if (interval === undefined) this.#sendAgain = true;
    if (interval === undefined || !this.#isOpen || !this.#send(interval)) this.#inFlight.delete(endMs);
  }

  #isAllowed(): boolean {
    const now = performance.now();
    this.#allowance = Math.min(BURST, this.#allowance + (now - this.#allowedAt) / BACK_FILL_EVERY_MS);
    this.#allowedAt = now;
    if (this.#allowance < 1) {
      this.#pauseFor(BACK_FILL_EVERY_MS);
      return false;
    }
    this.#allowance -= 1;
    return true;
  }

  /** While it lasts nothing is sent, so that a server's pause is not cut short by one for the pace. */
  #pauseFor(ms: number): void {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      void this.run();
    }, ms);
  }
}
