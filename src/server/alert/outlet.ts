import pRetry from 'p-retry';
import type { Channel } from '../../alert-channel/channel.ts';
import { Problem } from '../../problem.ts';
import type { Alert } from '../../store/fleet.ts';
import { RateLimit } from './rate-limit.ts';

/** What waits for one channel at most; of more, only the number is told. */
export const MAX_WAITING = 1_000;
/** What a channel has not taken for so long is old news. */
export const GIVE_UP_MS = 60 * 60_000;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

interface Waiting {
  alert: Alert;
  sinceMs: number;
  done: () => void;
  signal: AbortSignal | undefined;
}

/** The way to one channel: what comes while it is slow, away or at its limit waits, and goes out together. */
export class Outlet {
  readonly #channel: Channel;
  readonly #onTrouble: (error: Error) => void;
  readonly #limit: RateLimit;
  readonly #stop = new AbortController();
  #waiting: Waiting[] = [];
  #omitted = 0;
  #isSending = false;
  /** Said once, not at every attempt. */
  #said: string | undefined;

  constructor(channel: Channel, onTrouble: (error: Error) => void) {
    this.#channel = channel;
    this.#onTrouble = onTrouble;
    this.#limit = new RateLimit(channel.perMinute);
  }

  /**
   * Resolves when the channel has it, or it was given up; never when the outlet is closed, or the signal aborted, before
   * it was sent.
   */
  send(alert: Alert, signal?: AbortSignal): Promise<void> {
    const { promise, resolve: done } = Promise.withResolvers<void>();
    if (this.#waiting.length >= MAX_WAITING) {
      this.#omitted += 1;
      return Promise.resolve();
    }
    this.#waiting.push({ alert, sinceMs: performance.now(), done, signal });
    if (!this.#isSending) void this.#sendAll();
    return promise;
  }

  close(): void {
    this.#stop.abort();
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    const { signal } = this.#stop;
    const retrying = {
      minTimeout: FIRST_RETRY_MS,
      maxTimeout: LAST_RETRY_MS,
      retries: Number.POSITIVE_INFINITY,
      signal,
    };
    // What is sent in the same turn goes along.
    await Promise.resolve();
    try {
      while (this.#waiting.length > 0) await pRetry(() => this.#attempt(), retrying);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    this.#isSending = false;
  }

  /** What has come since the last attempt goes along. */
  async #attempt(): Promise<void> {
    const { signal } = this.#stop;
    const waitMs = this.#limit.waitMs(performance.now());
    if (waitMs > 0) await wait(waitMs, signal);
    this.#giveUpOld();
    this.#waiting = this.#waiting.filter((waiting) => !waiting.signal?.aborted);
    if (this.#waiting.length === 0) return;
    this.#limit.take(performance.now());
    const omitted = this.#omitted;
    try {
      const alerts = this.#waiting.map(({ alert }) => alert);
      const told = new Set<unknown>(await this.#channel.tell(alerts, omitted, signal));
      this.#omitted -= omitted;
      this.#said = undefined;
      this.#take(({ alert }) => told.has(alert));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Problem && error.code === 'ERR_ALERT_LIMIT') this.#limit.exhaust(performance.now());
      this.#say(error instanceof Error ? error : new Error(String(error)));
      // p-retry gives up at a TypeError.
      throw new Error('not sent', { cause: error });
    }
  }

  #giveUpOld(): void {
    const old = this.#take(({ sinceMs }) => performance.now() - sinceMs >= GIVE_UP_MS);
    if (old.length > 0)
      this.#onTrouble(
        new Problem('ERR_ALERTS', `${this.#channel.name} has taken ${old.length} alerts not for an hour: given up`),
      );
  }

  #take(isTaken: (waiting: Waiting) => boolean): Waiting[] {
    const taken = this.#waiting.filter(isTaken);
    this.#waiting = this.#waiting.filter((waiting) => !taken.includes(waiting));
    for (const { done } of taken) done();
    return taken;
  }

  #say(error: Error): void {
    if (error.message === this.#said) return;
    this.#said = error.message;
    this.#onTrouble(error);
  }
}

/** Rejects with the signal's reason. */
function wait(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  });
}
