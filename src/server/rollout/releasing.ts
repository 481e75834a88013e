import pRetry from 'p-retry';
import type { Steering } from '../../protocol/operator.ts';
import type { FleetStore } from '../../store/fleet.ts';
import type { RolloutStore } from '../../store/rollout.ts';
import type { HostList } from '../host-list.ts';
import type { Registry } from '../registry.ts';
import type { ReleaseSource } from '../release/release-source.ts';
import { Rollouts } from './duty.ts';
import { offerOwn } from './offer.ts';
import type { ReleaseSettings } from './release-settings.ts';
import type { RolloutList } from './rollout-list.ts';
import { steer } from './steer.ts';
import { Upgrades } from './upgrades.ts';

const RETRY_MS = 5_000;

export interface ReleasingOptions {
  serverName: string;
  fleet: FleetStore;
  store: RolloutStore;
  hosts: HostList;
  rollouts: RolloutList;
  registry: Registry;
  /** Takes a while: the agents' bundle may have to be made. */
  openSource: () => Promise<ReleaseSource>;
  settings: () => ReleaseSettings;
  /** As agents are told. */
  sampleMs: () => number;
  /** What is to be said about this server's own release. */
  onNews: (text: string) => void;
  onTrouble: (error: Error) => void;
}

/** A server's part in releases: it offers its own, gives them to its agents, takes commands, and may do the duty for all. */
export class Releasing {
  /** To be done by one server of all. */
  readonly duty: Rollouts;
  readonly #options: ReleasingOptions;
  readonly #stopping = new AbortController();
  #source: ReleaseSource | undefined;
  #upgrades: Upgrades | undefined;

  constructor(options: ReleasingOptions) {
    this.#options = options;
    const { rollouts, onTrouble } = options;
    rollouts.on('trouble', onTrouble);
    this.duty = new Rollouts({ ...options, source: { has: (hash) => this.#has(hash) } });
  }

  /** What agents need is there a little later. */
  start(): void {
    this.#options.rollouts.start();
    void this.#begin();
  }

  stop(): void {
    this.#stopping.abort();
    this.#options.rollouts.stop();
    this.#upgrades?.stop();
  }

  /** @throws Problem `ERR_RELEASE` when there is nothing that it could be done with, or the store's. */
  steer(act: Steering): Promise<void> {
    return steer(act, { ...this.#options, source: { has: (hash) => this.#has(hash) } });
  }

  async #begin(): Promise<void> {
    const { openSource, rollouts, onNews, onTrouble } = this.#options;
    const { signal } = this.#stopping;
    try {
      const source = await this.#untilDone(openSource);
      if (signal.aborted) return;
      this.#source = source;
      this.#upgrades = new Upgrades({ ...this.#options, source });
      this.#upgrades.start();
      const news = await this.#untilDone(() => offerOwn({ ...this.#options, source }, signal));
      if (news !== undefined) onNews(news);
      rollouts.refresh().catch(() => undefined);
    } catch (error) {
      if (!signal.aborted) onTrouble(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** What is in the way may pass, or be mended; told once. */
  #untilDone<T>(work: () => Promise<T>): Promise<T> {
    const { signal } = this.#stopping;
    const [minTimeout, factor, retries] = [RETRY_MS, 1, Number.POSITIVE_INFINITY];
    return pRetry(work, {
      ...{ minTimeout, factor, retries, signal },
      onFailedAttempt: ({ error, attemptNumber }) => {
        if (attemptNumber === 1 && !signal.aborted) this.#options.onTrouble(error);
      },
    });
  }

  #has(hash: string): boolean {
    return this.#source?.has(hash) === true;
  }
}
