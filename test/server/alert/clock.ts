import type { TestContext } from 'node:test';

export const NOW = Date.UTC(2026, 10, 23, 3, 12);

/** Both clocks and all timers are a test's from now on. */
export function clock(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: NOW });
  t.mock.method(performance, 'now', () => Date.now() - NOW + 1_000_000);
  return {
    /** Lets time pass in steps, and what is due then end. */
    pass: async (ms: number, stepMs = 1_000): Promise<void> => {
      for (let left = ms; left >= 0; left -= stepMs) {
        t.mock.timers.tick(Math.min(stepMs, left));
        await settled();
      }
    },
  };
}

/** Everything that waits for nothing but other promises is done. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
