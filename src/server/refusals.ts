import type { Counter } from 'prom-client';

/** What a connection is refused for; each is a label of `procmesh_refused_total`. */
export const REFUSAL_REASONS = [
  /** The TLS handshake failed: another protocol, no common version, a client that does not trust the certificate. */
  'tls',
  /** HTTP without TLS where TLS is spoken. */
  'plain',
  'path',
  'token',
  /** A host that is not listed. */
  'host',
  /** An agent of a server that could not read the list of hosts since it started: it comes again. */
  'unready',
  /** A token that a rotation has made void. */
  'generation',
  'subprotocol',
  /** A hello that is not the first one, or is another host's. */
  'hello',
  /** A message of another role. */
  'verb',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

const FIRST_WINDOW_MS = 60_000;
const LONGEST_WINDOW_MS = 3_600_000;
/** So many addresses and reasons are told apart; all others are as one address. */
const MAX_PEERS = 1_000;

interface Peer {
  address: string;
  message: string;
  repeats: number;
  timer?: NodeJS.Timeout;
}

export interface RefusalsOptions {
  counter: Counter<'reason'>;
  /** To be logged: where it came from and why. */
  onRefused: (address: string, message: string) => void;
}

/**
 * Counts every refusal, and tells the first of each address and reason. Those that follow are told as a number: after a
 * minute, then ever more seldom, up to an hour, until that long has passed without any.
 */
export class Refusals {
  readonly #options: RefusalsOptions;
  readonly #peers = new Map<string, Peer>();

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  refuse(address: string, reason: RefusalReason, message: string): void {
    this.#options.counter.inc({ reason });
    const isCrowd = this.#peers.size >= MAX_PEERS && !this.#peers.has(`${reason} ${address}`);
    const from = isCrowd ? 'many addresses' : address;
    const key = `${reason} ${from}`;
    const known = this.#peers.get(key);
    if (known !== undefined) {
      known.repeats += 1;
      return;
    }
    this.#options.onRefused(from, message);
    const peer: Peer = { address: from, message, repeats: 0 };
    this.#peers.set(key, peer);
    this.#summarize(key, peer, FIRST_WINDOW_MS);
  }

  close(): void {
    for (const { timer } of this.#peers.values()) clearTimeout(timer);
    this.#peers.clear();
  }

  #summarize(key: string, peer: Peer, windowMs: number): void {
    peer.timer = setTimeout(() => {
      const { address, message, repeats } = peer;
      if (repeats === 0) {
        this.#peers.delete(key);
        return;
      }
      peer.repeats = 0;
      this.#options.onRefused(address, `${message} (again ${repeats} times within ${windowMs / 60_000} min)`);
      this.#summarize(key, peer, Math.min(2 * windowMs, LONGEST_WINDOW_MS));
    }, windowMs);
    peer.timer.unref();
  }
}
