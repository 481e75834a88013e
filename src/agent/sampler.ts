import type { HostUsage } from '../protocol/row.ts';
import { account, type Ledger, openLedger } from './accounting.ts';
import { attribute, type Carry, NO_CARRY, type Usage } from './attribution.ts';
import { roundUsage } from './rounding.ts';
import type { Scanner, Snapshot } from './snapshot.ts';

/** One window of one machine: what it used and who used it. */
export interface Sample {
  /** End of the window, epoch ms. */
  atMs: number;
  /** Length of the window, monotonic. */
  durationMs: number;
  snapshot: Snapshot;
  /** Only processes that used anything; absent means zero. */
  usage: ReadonlyMap<number, Usage>;
  /** Rounded as it is sent. */
  host: HostUsage;
}

/** Turns snapshots into samples, each measured against the snapshot before. */
export class Sampler {
  readonly #scanner: Scanner;
  #previous: Snapshot | undefined;
  #carry: Carry = NO_CARRY;
  #ledger: Ledger | undefined;

  constructor(scanner: Scanner) {
    this.#scanner = scanner;
  }

  /** @returns undefined the first time: there is no usage without an earlier snapshot. */
  sample(): Sample | undefined {
    const current = this.#scanner.take();
    const previous = this.#previous;
    this.#previous = current;
    if (previous === undefined) {
      this.#ledger = openLedger(current);
      return undefined;
    }
    const attributed = attribute(previous, current, this.#carry);
    this.#carry = attributed.carry;
    const accounts = account(previous, current, attributed.usage, this.#ledger ?? openLedger(previous));
    this.#ledger = accounts.ledger;
    const durationMs = current.monotonicMs - previous.monotonicMs;
    return {
      atMs: current.wallMs,
      durationMs,
      snapshot: current,
      usage: accounts.usage,
      host: roundUsage(accounts.host),
    };
  }
}
