import type { UpgradePhase } from '../protocol/release.ts';
import { Gathering } from './gathering.ts';
import type { Rollout, RolloutStore } from './rollout.ts';
import type { UpgradeNote } from './rollout-rows.ts';
import type { RolloutOperations, StoreThread } from './sqlite-thread.ts';

/** Asks the thread that writes. */
export class SqliteRolloutThread implements RolloutStore {
  readonly #thread: StoreThread;
  readonly #notes: Gathering<UpgradeNote>;

  constructor(writer: StoreThread) {
    this.#thread = writer;
    this.#notes = new Gathering((items) => this.#ask('noteUpgrades', items));
  }

  rollouts(limit: number): Promise<Rollout[]> {
    return this.#ask('rollouts', limit);
  }

  release(...args: Parameters<RolloutStore['release']>): Promise<Rollout | undefined> {
    return this.#ask('release', ...args);
  }

  advance(...args: Parameters<RolloutStore['advance']>): Promise<boolean> {
    return this.#ask('advance', ...args);
  }

  want(rshosts: readonly string[], serial: number): Promise<void> {
    return this.#ask('want', rshosts, serial);
  }

  noteUpgrade(rshost: string, serial: number, phase: UpgradePhase, failure?: string): Promise<void> {
    return this.#notes.add({ rshost, serial, phase, failure });
  }

  /** Resolves when what was asked before has been handed to the thread. */
  settled(): Promise<void> {
    return this.#notes.settled();
  }

  #ask<Call extends keyof RolloutOperations>(
    call: Call,
    ...args: Parameters<RolloutOperations[Call]>
  ): Promise<ReturnType<RolloutOperations[Call]>> {
    return this.#thread.request('rollout', call, args) as Promise<ReturnType<RolloutOperations[Call]>>;
  }
}
