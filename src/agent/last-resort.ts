import pRetry from 'p-retry';
import type { AlertAccess } from '../alert-channel/access.ts';
import type { Channel } from '../alert-channel/channel.ts';
import { openChannels } from '../alert-channel/open.ts';
import { Problem } from '../problem.ts';
import type { Unreachable } from '../protocol/message.ts';

/** So that the agents of a whole fleet do not ask the database in the same second. */
const FIRST_WAIT_MS = 20_000;
/** Most of the times it asks, somebody else has told it. */
const AGAIN_MS = 60_000;
const TRIES = 5;

export interface LastResortOptions {
  /** As this machine is called. */
  host: string;
  access: AlertAccess;
  onTrouble: (error: Error) => void;
  channels?: readonly Channel[];
  random?: () => number;
}

/**
 * Tells people that no server can be reached any more: of all agents that find out, the one that gets its row into the
 * table of alerts. Where the database is away as well, nothing says who is the first: it is left at a line in the log.
 */
export class LastResort {
  readonly #options: LastResortOptions;
  readonly #channels: readonly Channel[];
  readonly #random: () => number;
  #timer: NodeJS.Timeout | undefined;
  #alone: AbortController | undefined;
  #said: string | undefined;

  constructor(options: LastResortOptions) {
    this.#options = options;
    this.#channels = options.channels ?? openChannels(options.access);
    this.#random = options.random ?? Math.random;
  }

  /** No server can be reached since then, epoch ms; to be called once, or again with other reasons. */
  alone(sinceMs: number, servers: readonly Unreachable[]): void {
    this.reachedAgain();
    const alone = new AbortController();
    this.#alone = alone;
    this.#schedule(FIRST_WAIT_MS * this.#random(), sinceMs, servers, alone.signal);
  }

  /** One is reached again, or the agent ends. */
  reachedAgain(): void {
    clearTimeout(this.#timer);
    this.#alone?.abort();
    this.#said = undefined;
  }

  #schedule(waitMs: number, sinceMs: number, servers: readonly Unreachable[], signal: AbortSignal): void {
    this.#timer = setTimeout(async () => {
      await this.#tellIfFirst(sinceMs, servers, signal);
      if (!signal.aborted) this.#schedule(AGAIN_MS * (0.5 + this.#random()), sinceMs, servers, signal);
    }, waitMs);
  }

  async #tellIfFirst(sinceMs: number, servers: readonly Unreachable[], signal: AbortSignal): Promise<void> {
    const { host, access } = this.#options;
    const since = new Date(sinceMs).toISOString().slice(0, 19);
    const reasons = servers.map(({ server, reason }) => `${server}: ${reason}`).join('; ');
    const remarks = `no server can be reached since ${since}Z, says ${host} (${reasons})`.slice(0, 500);
    try {
      // The driver of MySQL is as large as the rest of the agent, which has no need of it until now.
      const { claim } = await import('./alert-table.ts');
      const isFirst = await claim(access, remarks);
      this.#said = undefined;
      if (!isFirst) return;
    } catch (error) {
      this.#say(`that no server can be reached cannot be told: MySQL at ${access.host}:${access.port}`, error);
      return;
    }
    const notice = { host: 'procmesh', kind: 'server', istate: 1, remarks, atMs: Date.now() } as const;
    await Promise.all(this.#channels.map((channel) => this.#tell(channel, notice, signal)));
  }

  async #tell(channel: Channel, notice: Parameters<Channel['tell']>[0][number], signal: AbortSignal): Promise<void> {
    try {
      await pRetry(() => channel.tell([notice], 0, signal), {
        retries: TRIES - 1,
        minTimeout: 2_000,
        randomize: true,
        signal,
      });
    } catch (error) {
      if (!signal.aborted) this.#say(`that no server can be reached cannot be told: ${channel.name}`, error);
    }
  }

  /** Once for each reason. */
  #say(what: string, error: unknown): void {
    const code =
      error instanceof Error && 'code' in error && !(error instanceof Problem) ? String(error.code) : undefined;
    const reason = code ?? (error instanceof Error ? error.message : String(error));
    if (this.#said === reason) return;
    this.#said = reason;
    this.#options.onTrouble(new Problem('ERR_ALERT', `${what}: ${reason}`));
  }
}
