import type { Beat } from '../../protocol/message.ts';
import type { ReleaseSettings } from './release-settings.ts';

/** No gap between beats is longer than so many sample periods, or so long. */
const GAP_PERIODS = 3;
const GAP_MS = 5_000;
/** The host itself counts from an earlier moment on, and knows no reason: it is to be told before. */
const MARGIN_MS = 5_000;

/** The release stays, or why it does not. */
export type Judgement = { isWell: true } | { isWell: false; reason: string };

/** How an agent fares with a release that is on trial; all times are monotonic, in ms. */
export class Gate {
  readonly #startedAt: number;
  #heardAt: number;
  #sampleMs = 0;
  #beats = 0;
  /** Of all beats but the first, in which the start is. */
  #cpuPercentSum = 0;
  #maxRssBytes = 0;
  /** By the agent's clock, epoch ms: its hello, and the end of its newest interval that is in the store. */
  #helloMs = Number.POSITIVE_INFINITY;
  #storedEndMs = 0;

  /** @param startedAt when its agent said hello. */
  constructor(startedAt: number) {
    this.#startedAt = startedAt;
    this.#heardAt = startedAt;
  }

  beat({ atMs, agent: { cpuPercent, rssBytes, sampleMs = 0 } }: Pick<Beat, 'atMs' | 'agent'>, now: number): void {
    if (this.#beats === 0) this.#helloMs = atMs - (now - this.#startedAt);
    this.#heardAt = now;
    this.#sampleMs = sampleMs;
    if (this.#beats > 0) this.#cpuPercentSum += cpuPercent;
    this.#beats += 1;
    this.#maxRssBytes = Math.max(this.#maxRssBytes, rssBytes);
  }

  /** An interval of its is in the store; what the release before has measured proves nothing. */
  acknowledged(endMs: number): void {
    this.#storedEndMs = Math.max(this.#storedEndMs, endMs);
  }

  /** This server itself heard nobody meanwhile. */
  excuse(now: number): void {
    this.#heardAt = now;
  }

  /** @param sampleMs as agents are told. @returns undefined while it is not decided. */
  judge(settings: ReleaseSettings, sampleMs: number, now: number): Judgement | undefined {
    const { healthMs, trialMs, maxCpuPercent, maxRssBytes } = settings;
    const lastedMs = now - this.#startedAt;
    const silentMs = now - this.#heardAt;
    const periodMs = Math.max(sampleMs, this.#sampleMs);
    if (this.#maxRssBytes > maxRssBytes)
      return failure(`it uses ${megabytes(this.#maxRssBytes)} of memory, ${megabytes(maxRssBytes)} is allowed`);
    if (silentMs > Math.max(GAP_MS, GAP_PERIODS * periodMs))
      return failure(`it is connected and sends nothing for ${Math.round(silentMs / 1000)} s`);
    const cpuPercent = this.#beats > 1 ? this.#cpuPercentSum / (this.#beats - 1) : undefined;
    // Nothing is late: to wait for one more beat would have every wave last a period longer.
    if (lastedMs >= healthMs && silentMs <= periodMs && cpuPercent !== undefined) {
      if (cpuPercent > maxCpuPercent)
        return failure(`it uses ${Math.round(cpuPercent)} % of a core, ${maxCpuPercent} % is allowed`);
      if (this.#storedEndMs > this.#helloMs) return { isWell: true };
    }
    if (lastedMs < trialMs - Math.min(MARGIN_MS, trialMs / 4)) return undefined;
    const within = `within ${Math.round(lastedMs / 1000)} s`;
    if (cpuPercent === undefined) return failure(`it sent no two samples ${within}`);
    if (this.#storedEndMs <= this.#helloMs) return failure(`no interval that it measured was stored ${within}`);
    return failure(
      `[RELEASE] health_time, ${healthMs / 1000} s, was not over ${within}: trial_time is too short for it`,
    );
  }
}

function failure(reason: string): Judgement {
  return { isWell: false, reason };
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MB`;
}
