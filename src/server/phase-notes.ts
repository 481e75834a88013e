import type { FleetStore, HostDetail } from '../store/fleet.ts';

const EVERY_MS = 500;

/** Notes in the store what is being done with a host; of phases that follow each other quickly the last one. */
export class PhaseNotes {
  readonly #fleet: FleetStore;
  readonly #rshost: string;
  #pending: HostDetail | undefined;
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(fleet: FleetStore, rshost: string) {
    this.#fleet = fleet;
    this.#rshost = rshost;
  }

  /** What cannot be noted is no reason to stop the work: the next phase is tried again. */
  note(detail: HostDetail): void {
    this.#pending = { ...this.#pending, ...detail };
    if (this.#timer !== undefined) return;
    this.#write();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#pending !== undefined) this.note({});
    }, EVERY_MS);
  }

  /** Notes this at once, after what was noted before. Rejects when the store does not take it. */
  async end(detail: HostDetail): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const pending = this.#pending;
    this.#pending = undefined;
    await this.#writing;
    await this.#fleet.note(this.#rshost, { ...pending, ...detail });
  }

  #write(): void {
    const detail = this.#pending;
    if (detail === undefined || this.#writing !== undefined) return;
    this.#pending = undefined;
    this.#writing = this.#fleet
      .note(this.#rshost, detail)
      .catch(() => {
        this.#pending = { ...detail, ...this.#pending };
      })
      .finally(() => {
        this.#writing = undefined;
      });
  }
}
