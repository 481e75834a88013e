import { randomBytes } from 'node:crypto';
import type { FleetStore } from '../store/fleet.ts';

/** What one server does for all of them. `stop` means at once; what it returns resolves when nothing is under way any more. */
export interface Duty {
  start(): void;
  stop(): void | Promise<void>;
}

/** Whoever has it does the duties. */
export const DUTIES_LEASE = 'duties';
const LEASE_MS = 10_000;
const TURN_MS = 3_000;

/** The server that has the lease, by the holder that the store names. */
export function serverOfHolder(holder: string): string {
  return holder.replace(/ [0-9a-f]{8}$/, '');
}

export interface DutiesOptions {
  fleet: FleetStore;
  /** This server, and where agents reach it. */
  server: { name: string; url: string };
  /** Started in this order and stopped in the opposite one. */
  duties: readonly Duty[];
  onTrouble: (error: Error) => void;
}

/**
 * Says again and again that this server lives, and does the duties for all servers while it holds their lease: another
 * server takes it when this one has not renewed it for ten seconds.
 */
export class Duties {
  readonly #options: DutiesOptions;
  /** Of this very process: another machine may have the same name. */
  readonly #holder: string;
  #timer: NodeJS.Timeout | undefined;
  /** Ends the duties when the lease was not renewed in time; set while they are done. */
  #expiry: NodeJS.Timeout | undefined;
  /** Duties that were stopped and still have something under way. */
  #ending: Promise<void> | undefined;
  #turn: Promise<unknown> | undefined;
  #isTroubled = false;
  #isStopped = false;

  constructor(options: DutiesOptions) {
    this.#options = options;
    this.#holder = `${options.server.name} ${randomBytes(4).toString('hex')}`;
  }

  /** Whether this server does the duties. */
  get isOnDuty(): boolean {
    return this.#expiry !== undefined;
  }

  start(): void {
    this.#takeTurn();
    this.#timer = setInterval(() => this.#takeTurn(), TURN_MS);
  }

  /** Gives the lease up and takes this server out of the list of those that live. */
  async stop(): Promise<void> {
    // Whoever has not begun is in no list, where another of this name may be.
    if (this.#timer === undefined) return;
    this.#isStopped = true;
    clearInterval(this.#timer);
    const wasOnDuty = this.isOnDuty;
    this.#leave();
    await Promise.all([this.#ending, this.#turn]);
    const { fleet, server } = this.#options;
    await this.#tried(async () => {
      if (wasOnDuty) await fleet.release(DUTIES_LEASE, this.#holder);
      await fleet.leave(server.name);
    });
  }

  /** A turn that the store holds up takes the place of those that would follow. */
  #takeTurn(): void {
    this.#turn ??= Promise.all([this.#beat(), this.#renew()]).finally(() => {
      this.#turn = undefined;
    });
  }

  async #beat(): Promise<void> {
    const { fleet, server } = this.#options;
    await this.#tried(() => fleet.beat(server));
  }

  async #renew(): Promise<void> {
    const { fleet } = this.#options;
    // By the database's clock it begins later than now: it is never believed in for longer than it lasts.
    const askedAt = performance.now();
    const isOurs = await this.#tried(() => fleet.lease(DUTIES_LEASE, this.#holder, LEASE_MS));
    if (this.#isStopped) {
      if (isOurs) await this.#tried(() => fleet.release(DUTIES_LEASE, this.#holder));
    } else if (isOurs === false) this.#leave();
    else if (isOurs) this.#enter(askedAt + LEASE_MS - performance.now());
  }

  #enter(forMs: number): void {
    if (forMs <= 0 || this.#ending !== undefined) return;
    const isNew = !this.isOnDuty;
    clearTimeout(this.#expiry);
    this.#expiry = setTimeout(() => this.#leave(), forMs);
    if (isNew) for (const duty of this.#options.duties) duty.start();
  }

  #leave(): void {
    if (!this.isOnDuty) return;
    clearTimeout(this.#expiry);
    this.#expiry = undefined;
    const stopped = this.#options.duties.toReversed().map(async (duty) => duty.stop());
    this.#ending = Promise.allSettled(stopped).then((results) => {
      this.#ending = undefined;
      for (const result of results) if (result.status === 'rejected') this.#options.onTrouble(result.reason);
    });
  }

  /** Trouble with the store is told once, until there is none. @returns undefined when there is some. */
  async #tried<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await ask();
      this.#isTroubled = false;
      return answer;
    } catch (error) {
      if (!this.#isTroubled) this.#options.onTrouble(error instanceof Error ? error : new Error(String(error)));
      this.#isTroubled = true;
      return undefined;
    }
  }
}
