import { MAX_UNREACHABLE, type Unreachable } from '../protocol/message.ts';

/** An agent is alone when every server has failed this often in a row … */
const ALONE_ROUNDS = 3;
/** … for at least this long: a server that restarts is back by then. */
const ALONE_MS = 30_000;
const MAX_REASON_LENGTH = 200;

/** Which servers an agent has failed to reach since it was last welcome at one, and whether none is left. */
export class Reach {
  readonly #serverCount: number;
  /** Why, by server; the latest last. */
  readonly #reasons = new Map<string, string>();
  #failures = 0;
  #firstFailure: { at: number; ms: number } | undefined;
  #isAlone = false;

  constructor(serverCount: number) {
    this.#serverCount = serverCount;
  }

  /** At most ten, the latest. */
  get unreachable(): Unreachable[] {
    return [...this.#reasons].slice(-MAX_UNREACHABLE).map(([server, reason]) => ({ server, reason }));
  }

  /**
   * A connection to that server was lost or could not be made, or it is not ready to take anybody in. @returns since
   * when, epoch ms, if that leaves none.
   */
  failed(server: string, reason: string): number | undefined {
    this.#note(server, reason);
    this.#failures += 1;
    this.#firstFailure ??= { at: performance.now(), ms: Date.now() };
    const { at, ms } = this.#firstFailure;
    const isAlone = this.#failures >= ALONE_ROUNDS * this.#serverCount && performance.now() - at >= ALONE_MS;
    if (!isAlone || this.#isAlone) return undefined;
    this.#isAlone = true;
    return ms;
  }

  /** That server is there, but does not take this agent in. @returns whether it was alone. */
  refused(server: string, reason: string): boolean {
    this.#note(server, reason);
    return this.#isThere();
  }

  /** A server has taken it in. @returns whether it was alone. */
  reached(): boolean {
    this.#reasons.clear();
    return this.#isThere();
  }

  #note(server: string, reason: string): void {
    this.#reasons.delete(server);
    this.#reasons.set(server, reason.slice(0, MAX_REASON_LENGTH));
  }

  #isThere(): boolean {
    const wasAlone = this.#isAlone;
    this.#failures = 0;
    this.#firstFailure = undefined;
    this.#isAlone = false;
    return wasAlone;
  }
}
