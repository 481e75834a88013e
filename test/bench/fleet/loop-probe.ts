import { readMetric } from '../../support/metric.ts';

const EVERY_MS = 250;

/** Asks a server again and again for how long its event loop was held up at the most since it was asked last. */
export class LoopProbe {
  readonly #port: number;
  readonly #done: Promise<void>;
  #worstMs = 0;
  #isOver = false;

  constructor(port: number) {
    this.#port = port;
    this.#done = this.#run();
  }

  /** @returns the longest, ms. */
  async end(): Promise<number> {
    this.#isOver = true;
    await this.#done;
    return this.#worstMs;
  }

  async #run(): Promise<void> {
    // The first answer is about the time before.
    await readMetric(this.#port, LAG);
    while (!this.#isOver) {
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      this.#worstMs = Math.max(this.#worstMs, 1_000 * (await readMetric(this.#port, LAG)));
    }
  }
}

const LAG = 'nodejs_eventloop_lag_max_seconds';
