/**
 * Notes that are written at the same time: the store gathers them, and its queue must not be filled by a fleet that comes
 * back at once.
 */
const PARALLEL = 1_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;

export interface HostNotesOptions<Note> {
  /** @throws what the store throws: it is written later, unless there is a newer one by then. */
  write: (host: string, note: Note) => Promise<void>;
  /** Told once, until something could be written again. */
  onTrouble: (error: Error) => void;
}

/**
 * Writes notes of hosts: of each host the newest one, after the one that is being written; while the store is away it
 * waits.
 */
export class HostNotes<Note> {
  readonly #options: HostNotesOptions<Note>;
  readonly #waiting = new Map<string, Note>();
  readonly #writing = new Set<string>();
  #delayMs = FIRST_RETRY_MS;
  #retry: NodeJS.Timeout | undefined;
  /** Of whoever waits for the end; nothing more is taken from then on. */
  #onIdle: (() => void) | undefined;
  #isClosed = false;

  constructor(options: HostNotesOptions<Note>) {
    this.#options = options;
  }

  set(host: string, note: Note): void {
    if (this.#isClosed || this.#onIdle !== undefined) return;
    this.#waiting.set(host, note);
    this.#writeNext();
  }

  /** One of that host has yet to be written. */
  isWaiting(host: string): boolean {
    return this.#waiting.has(host);
  }

  isWriting(host: string): boolean {
    return this.#writing.has(host);
  }

  /** Takes no more, and closes when all are written, or after so long. */
  async drain(withinMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, withinMs);
    this.#onIdle = resolve;
    this.#writeNext();
    await promise;
    clearTimeout(timer);
    this.close();
  }

  /** Gives up what is not being written yet. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#waiting.clear();
  }

  #writeNext(): void {
    if (this.#retry === undefined) {
      for (const [host, note] of this.#waiting) {
        if (this.#writing.size >= PARALLEL) break;
        if (!this.#writing.has(host)) void this.#write(host, note);
      }
    }
    if (this.#waiting.size === 0 && this.#writing.size === 0) this.#onIdle?.();
  }

  async #write(host: string, note: Note): Promise<void> {
    this.#waiting.delete(host);
    this.#writing.add(host);
    try {
      await this.#options.write(host, note);
      this.#delayMs = FIRST_RETRY_MS;
    } catch (error) {
      if (this.#isClosed) return;
      if (!this.#waiting.has(host)) this.#waiting.set(host, note);
      this.#pause(error instanceof Error ? error : new Error(String(error)));
    }
    this.#writing.delete(host);
    this.#writeNext();
  }

  #pause(error: Error): void {
    if (this.#retry !== undefined) return;
    if (this.#delayMs === FIRST_RETRY_MS) this.#options.onTrouble(error);
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#writeNext();
    }, this.#delayMs);
    this.#delayMs = Math.min(LAST_RETRY_MS, 2 * this.#delayMs);
  }
}
