import type { TestContext } from 'node:test';

interface Timer {
  dueMs: number;
  everyMs: number | undefined;
  call: () => void;
}

/**
 * Timers, the wall clock and the monotonic clock of one test. They go on together; the wall clock may be set by hand.
 * The mock timers of node:test take a timer that an earlier test left behind for one of this test's own.
 */
export class Clock {
  wallMs: number;
  monotonicMs = 1_000;
  readonly #timers = new Map<object, Timer>();

  constructor(t: TestContext, wallMs: number) {
    this.wallMs = wallMs;
    const { clearTimeout, clearInterval } = globalThis;
    const clearWith = (original: (timer: NodeJS.Timeout) => void) => (timer: NodeJS.Timeout) => {
      if (!this.#timers.delete(timer)) original(timer);
    };
    const mocks = {
      setTimeout: (call: () => void, ms = 0, ...args: []) => this.#set(call.bind(undefined, ...args), ms),
      setInterval: (call: () => void, ms = 0) => this.#set(call, ms, ms),
      clearTimeout: clearWith(clearTimeout),
      clearInterval: clearWith(clearInterval),
    };
    for (const [name, mock] of Object.entries(mocks)) t.mock.method(globalThis, name as 'setTimeout', mock as never);
    t.mock.method(Date, 'now', () => this.wallMs);
    t.mock.method(performance, 'now', () => this.monotonicMs);
    t.mock.method(process.hrtime, 'bigint', () => BigInt(this.monotonicMs) * 1_000_000n);
  }

  /** Lets so much time pass, millisecond by millisecond, so that every timer fires at its own moment. */
  advance(ms: number): void {
    for (let passed = 0; passed < ms; passed += 1) {
      this.wallMs += 1;
      this.monotonicMs += 1;
      for (const [handle, timer] of this.#timers) {
        if (timer.dueMs > this.monotonicMs) continue;
        if (timer.everyMs === undefined) this.#timers.delete(handle);
        else timer.dueMs += timer.everyMs;
        timer.call();
      }
    }
  }

  #set(call: () => void, ms: number, everyMs?: number): object {
    const handle = { ref: () => handle, unref: () => handle, hasRef: () => true };
    this.#timers.set(handle, { dueMs: this.monotonicMs + Math.max(1, ms), everyMs, call });
    return handle;
  }
}
