import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '../../../src/client/client.ts';
import type { RolloutStatus } from '../../../src/protocol/release.ts';
import type { HostRow } from '../../../src/protocol/row.ts';

/** What a viewer sees of an upgrade: how the rollout goes on, when each host beat, and how many are away. */
export class Viewpoint {
  readonly #client: Client;
  /** Every state that was told, with when it came, epoch ms. */
  readonly #told: { atMs: number; rollout: RolloutStatus }[] = [];
  /** When each host was seen, epoch ms, and whether its server had figures of it then. */
  readonly #seen = new Map<string, { atMs: number; hasFigures: boolean }[]>();
  readonly #hosts: { atMs: number; away: Set<string>; here: Set<string> }[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(url: string, dataDir: string) {
    const token = readFileSync(join(dataDir, 'viewer.token'), 'utf8').trim();
    const pin = new X509Certificate(readFileSync(join(dataDir, 'server.crt'))).fingerprint256;
    this.#client = new Client({ url, token, pin });
    this.#client.subscribe({ view: 'release', sort: 'cpu', limit: 100 }, (answer) => {
      if (answer.type !== 'release' || answer.rollout === undefined) return;
      this.#told.push({ atMs: Date.now(), rollout: answer.rollout });
      for (const look of this.#waiting) look();
    });
    this.#client.connect();
  }

  /** From now on beats are taken note of, each of which tells a sample, and who is away. */
  watchHosts(): void {
    // While nobody looks at its processes, an agent that has used up its share of CPU samples less often.
    this.#client.subscribe({ view: 'processes', sort: 'cpu', limit: 1 }, () => undefined);
    this.#client.subscribe({ view: 'hosts', sort: 'cpu', limit: 100 }, (answer) => {
      if (answer.type !== 'hosts') return;
      for (const row of answer.rows) this.#onRow(row);
      const [away, here] = [new Set<string>(), new Set<string>()];
      for (const { host, server } of answer.rows) (server === undefined ? away : here).add(host);
      this.#hosts.push({ atMs: Date.now(), away, here });
      for (const look of this.#waiting) look();
    });
  }

  get rollout(): RolloutStatus | undefined {
    return this.#told.at(-1)?.rollout;
  }

  get away(): number {
    return this.#hosts.at(-1)?.away.size ?? 0;
  }

  /** Resolves with the moment, epoch ms, in which the newest rollout was told to be so, and everything else was so, too. */
  until(isSo: (rollout: RolloutStatus) => boolean): Promise<number> {
    return new Promise((resolve) => {
      const look = (): void => {
        const { rollout } = this;
        if (rollout === undefined || !isSo(rollout)) return;
        this.#waiting.delete(look);
        resolve(Date.now());
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** @returns the longest time between two beats of one host, ms, from its first one after that time on. */
  longestGapMs(sinceMs: number): number {
    const gaps = [...this.#seen.values()].flatMap((all) => {
      const first = all.findIndex(({ atMs, hasFigures }) => hasFigures && atMs >= sinceMs);
      const later = all.slice(first);
      return later.slice(1).map(({ atMs }, index) => atMs - (later[index]?.atMs ?? atMs));
    });
    return Math.max(...gaps);
  }

  /** @returns the longest time between the last beat of a host before that time and the first one after it, ms. */
  longestBreakMs(atMs: number): number {
    const breaks = [...this.#seen.values()].map((all) => {
      const beats = all.filter(({ hasFigures }) => hasFigures).map((beat) => beat.atMs);
      return (beats.find((beat) => beat >= atMs) ?? Number.NaN) - (beats.findLast((beat) => beat < atMs) ?? Number.NaN);
    });
    return Math.max(...breaks);
  }

  /** @returns hosts that were away at the same time, of those that had come back after that time. */
  mostAway(sinceMs: number): number {
    let [most, back] = [0, new Set<string>()];
    for (const { away, here } of this.#hosts.filter(({ atMs }) => atMs >= sinceMs)) {
      back = back.union(here);
      most = Math.max(most, away.intersection(back).size);
    }
    return most;
  }

  /** What was told since then, a line for each change. */
  story(sinceMs: number): string {
    return this.#told
      .filter(({ atMs }) => atMs >= sinceMs)
      .map(({ atMs, rollout: { version, state, wave, counts } }) => {
        const some = Object.entries(counts).filter(([, count]) => count > 0);
        const phases = some.map(([phase, count]) => `${count} ${phase}`).join(', ');
        return `  ${((atMs - sinceMs) / 1_000).toFixed(1)} s: ${version} ${state}, wave ${wave}: ${phases}\n`;
      })
      .join('');
  }

  close(): void {
    this.#client.close();
  }

  #onRow({ host, lastSeenAt, cpuPercent, server }: HostRow): void {
    // What has just connected is seen, too, before it has any figures.
    if (lastSeenAt === undefined || (cpuPercent === undefined && server !== undefined)) return;
    const [seen, atMs, hasFigures] = [this.#seen.get(host) ?? [], Date.parse(lastSeenAt), cpuPercent !== undefined];
    this.#seen.set(host, seen);
    if (atMs > (seen.at(-1)?.atMs ?? 0)) seen.push({ atMs, hasFigures });
  }
}
