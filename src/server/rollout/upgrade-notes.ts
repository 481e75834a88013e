import type { UpgradePhase } from '../../protocol/release.ts';
import type { RolloutStore } from '../../store/rollout.ts';

/** Notes that are written at the same time: the store gathers them. */
const PARALLEL = 1_000;
const RETRY_MS = 1_000;
/** Whoever waits for a phase is not to wait for the next reading of the list; many phases are read together. */
const READ_AFTER_MS = 200;

export interface UpgradeNote {
  serial: number;
  phase: UpgradePhase;
  /** Why it failed or waits. */
  reason?: string | undefined;
}

export interface UpgradeNotesOptions {
  store: RolloutStore;
  /** Reads the list of hosts again. */
  refresh: () => Promise<void>;
  onTrouble: (error: Error) => void;
}

/** Notes in the store how far hosts are. Of each host the newest note is written, and while the store is away it waits. */
export class UpgradeNotes {
  readonly #options: UpgradeNotesOptions;
  /** What was noted last of each host. */
  readonly #last = new Map<string, UpgradeNote>();
  readonly #pending = new Set<string>();
  readonly #writing = new Set<string>();
  #retry: NodeJS.Timeout | undefined;
  #reading: NodeJS.Timeout | undefined;
  #isTroubled = false;
  #isStopped = false;

  constructor(options: UpgradeNotesOptions) {
    this.#options = options;
  }

  /** What was noted of it last by this server, whether the store has it yet or not. */
  last(rshost: string): UpgradeNote | undefined {
    return this.#last.get(rshost);
  }

  /** The same once more changes nothing. */
  note(rshost: string, note: UpgradeNote): void {
    const last = this.#last.get(rshost);
    if (last?.serial === note.serial && last.phase === note.phase && last.reason === note.reason) return;
    this.#last.set(rshost, note);
    this.#pending.add(rshost);
    this.#writeNext();
  }

  /** Somebody else decides of this host from now on. */
  forget(rshost: string): void {
    if (!this.#pending.has(rshost)) this.#last.delete(rshost);
  }

  /** What is not written by then is found out anew when its agent is back. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#reading);
  }

  #writeNext(): void {
    if (this.#retry !== undefined) return;
    for (const rshost of this.#pending) {
      if (this.#isStopped || this.#writing.size >= PARALLEL) return;
      const note = this.#last.get(rshost);
      if (note !== undefined && !this.#writing.has(rshost)) void this.#write(rshost, note);
    }
  }

  async #write(rshost: string, note: UpgradeNote): Promise<void> {
    this.#pending.delete(rshost);
    this.#writing.add(rshost);
    try {
      await this.#options.store.noteUpgrade(rshost, note.serial, note.phase, note.reason);
      this.#isTroubled = false;
      this.#readSoon();
    } catch (error) {
      this.#pending.add(rshost);
      this.#pause(error instanceof Error ? error : new Error(String(error)));
    }
    this.#writing.delete(rshost);
    this.#writeNext();
  }

  #readSoon(): void {
    if (this.#isStopped) return;
    this.#reading ??= setTimeout(() => {
      this.#reading = undefined;
      // The list tells of its trouble itself.
      this.#options.refresh().catch(() => undefined);
    }, READ_AFTER_MS);
  }

  /** Told once, until something could be written again. */
  #pause(error: Error): void {
    if (!this.#isTroubled) this.#options.onTrouble(error);
    this.#isTroubled = true;
    if (this.#isStopped) return;
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.#writeNext();
    }, RETRY_MS);
  }
}
