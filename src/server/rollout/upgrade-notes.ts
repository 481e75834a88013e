import type { UpgradePhase } from '../../protocol/release.ts';
import type { RolloutStore } from '../../store/rollout.ts';
import { HostNotes } from '../host-notes.ts';

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

/** Notes in the store how far hosts are with what they are to run. */
export class UpgradeNotes {
  readonly #options: UpgradeNotesOptions;
  readonly #notes: HostNotes<UpgradeNote>;
  /** What was noted last of each host. */
  readonly #last = new Map<string, UpgradeNote>();
  #reading: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: UpgradeNotesOptions) {
    this.#options = options;
    const { onTrouble } = options;
    this.#notes = new HostNotes({ write: (rshost, note) => this.#write(rshost, note), onTrouble });
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
    this.#notes.set(rshost, note);
  }

  /** Somebody else decides of this host from now on. */
  forget(rshost: string): void {
    if (!this.#notes.isWaiting(rshost)) this.#last.delete(rshost);
  }

  /** What is not written by then is found out anew when its agent is back. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#reading);
    this.#notes.close();
  }

  async #write(rshost: string, { serial, phase, reason }: UpgradeNote): Promise<void> {
    await this.#options.store.noteUpgrade(rshost, serial, phase, reason);
    this.#readSoon();
  }

  #readSoon(): void {
    if (this.#isStopped) return;
    this.#reading ??= setTimeout(() => {
      this.#reading = undefined;
      // The list tells of its trouble itself.
      this.#options.refresh().catch(() => undefined);
    }, READ_AFTER_MS);
  }
}
